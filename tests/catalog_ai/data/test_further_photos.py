"""Several photos of one product, in every way that feeds have of saying so."""

import json
from pathlib import Path

import pytest

from catalog_ai.data.sources import Source, read_source
from tests.corpus.manifests import parquet

PHOTOS = ("a.jpg", "b.jpg", "images/c.jpg")


def delivered(folder: Path, text: str | bytes, name: str = "manifest.csv") -> Source:
    """Return what `folder` delivers: three photos and this manifest."""
    (folder / "images").mkdir(exist_ok=True)
    for photo in PHOTOS:
        (folder / photo).touch()
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return read_source(folder)


def photos(source: Source) -> dict[str, list[str]]:
    return {item.sku: [item.image, *item.more] for item in source.items}


def codes(source: Source) -> list[tuple[str, str]]:
    return [(problem.image, problem.code) for problem in source.problems]


@pytest.mark.parametrize(
    "text",
    [
        "sku,image,title\nA,a.jpg|b.jpg|c.jpg,x\n",
        "sku,image,title\nA, a.jpg ; b.jpg;; images/c.jpg ,x\n",
        "sku,images,title\nA,a|b|c,x\n",
        "sku,image,image_2,image_3,title\nA,a.jpg,b.jpg,c.jpg,x\n",
        "sku,image3,image,image2,title\nA,c.jpg,a.jpg,b.jpg,x\n",
        "sku,image_1,image_10,image_2,title\nA,a.jpg,c.jpg,b.jpg,x\n",
        "sku,image,image 2,title\nA,a.jpg,b.jpg;c.jpg,x\n",
        "sku,image,title\nA,a.jpg,x\nA,b.jpg,\nA,c.jpg,\n",
        "sku,image,title\nA,a.jpg,x\nA,b.jpg,x\nA,c.jpg,x\n",
        "sku,image,title\nA,a.jpg,x\nA,b.jpg|c.jpg,\n",
    ],
)
def test_every_way_gives_the_same_product(tmp_path: Path, text: str) -> None:
    source = delivered(tmp_path, text)
    assert photos(source) == {"A": list(PHOTOS)}
    assert source.items[0].paths[2] == f"{source.root}/images/c.jpg"
    assert source.items[0].title == "x"
    assert source.items[0].attributes == {}
    assert source.problems == source.missing == source.unlisted == ()


@pytest.mark.parametrize("column", ["image", "images"])
@pytest.mark.parametrize("name", ["manifest.json", "manifest.jsonl", "manifest.parquet"])
def test_a_list_names_several(tmp_path: Path, name: str, column: str) -> None:
    row = {"sku": "A", column: ["a.jpg", None, "b.jpg", "c.jpg"]}
    listed = [row] if name.endswith(".json") else row
    is_parquet = name.endswith(".parquet")
    data = parquet({key: [value] for key, value in row.items()}) if is_parquet else None
    source = delivered(tmp_path, data or json.dumps(listed), name)
    assert photos(source) == {"A": list(PHOTOS)}


def test_images_come_behind_the_image(tmp_path: Path) -> None:
    row = {"images": ["b.jpg", "a.jpg"], "image": "a.jpg", "image_2": "c.jpg", "sku": "A"}
    source = delivered(tmp_path, json.dumps([row]), "manifest.json")
    assert photos(source) == {"A": list(PHOTOS)}


@pytest.mark.parametrize("mark", ["|", ";"])
def test_a_photo_may_have_the_mark_in_its_name(tmp_path: Path, mark: str) -> None:
    (tmp_path / f"a{mark}b.jpg").touch()
    source = delivered(tmp_path, f"image,title\na{mark}b.jpg,x\n")
    assert photos(source) == {f"a{mark}b": [f"a{mark}b.jpg"]}


def test_the_sku_is_the_first_photos_name_even_if_it_never_came(tmp_path: Path) -> None:
    source = delivered(tmp_path, "image\ngone.jpg|a.jpg\n")
    assert photos(source) == {"gone": ["a.jpg"]}
    assert source.missing == ("gone.jpg",)


def test_a_sku_keeps_what_looks_like_an_ending(tmp_path: Path) -> None:
    (tmp_path / "shirt.v1.jpg").touch()
    (tmp_path / "shirt.v2.jpg").touch()
    source = delivered(tmp_path, "image\nshirt.v1\nshirt.v2\n")
    assert photos(source) == {"shirt.v1": ["shirt.v1.jpg"], "shirt.v2": ["shirt.v2.jpg"]}


def test_a_further_photo_that_never_came_is_missing_and_the_product_goes_in(
    tmp_path: Path,
) -> None:
    source = delivered(tmp_path, "sku,image,image_2\nA,a.jpg,gone.jpg\nB,no.jpg,never.jpg\n")
    assert photos(source) == {"A": ["a.jpg"]}
    assert source.missing == ("gone.jpg", "no.jpg", "never.jpg")
    assert source.unusable == ("B",)


def test_a_later_row_can_bring_the_photo_that_the_first_lacks(tmp_path: Path) -> None:
    source = delivered(tmp_path, "sku,image,title\nA,gone.jpg,x\nA,b.jpg,\n")
    assert photos(source) == {"A": ["b.jpg"]}
    assert source.items[0].title == "x"
    assert source.missing == ("gone.jpg",)
    assert source.problems == source.unusable == ()


def test_where_the_first_row_has_no_photo_the_next_counts(tmp_path: Path) -> None:
    source = delivered(tmp_path, "sku,image,title\nA,gone.jpg,x\nA,b.jpg,y\n")
    assert [item.title for item in source.items] == ["y"]
    assert source.problems == ()


@pytest.mark.parametrize(
    "second", ["A,b.jpg,y,", "A,b.jpg,,hat", "A,b.jpg,x,hat", "A,a.jpg,x,", "A,,,", "A,a.jpg,,"]
)
def test_a_later_row_with_other_values_or_nothing_new_is_a_problem(
    tmp_path: Path, second: str
) -> None:
    source = delivered(tmp_path, f"sku,image,title,label\nA,a.jpg,x,\n{second}\n")
    assert photos(source) == {"A": ["a.jpg"]}
    (problem,) = source.problems
    assert problem.code == "duplicate_sku"
    assert problem.image.startswith("line 3: ")


def test_a_later_row_whose_photo_never_came_is_only_missing(tmp_path: Path) -> None:
    source = delivered(tmp_path, "sku,image,title\nA,a.jpg,x\nA,gone.jpg,\n")
    assert photos(source) == {"A": ["a.jpg"]}
    assert source.missing == ("gone.jpg",)
    assert source.problems == ()


def test_products_may_share_a_photo(tmp_path: Path) -> None:
    source = delivered(tmp_path, "sku,image\nA,a.jpg|c.jpg\nB,a.jpg|c.jpg\n")
    assert photos(source) == {sku: ["a.jpg", "images/c.jpg"] for sku in ("A", "B")}
    assert source.problems == ()
    assert source.unlisted == ("b.jpg",)


def test_one_photo_named_twice_counts_once(tmp_path: Path) -> None:
    source = delivered(tmp_path, "sku,image\nA,a.jpg|a|./a.jpg|b.jpg\n")
    assert photos(source) == {"A": ["a.jpg", "b.jpg"]}


def test_photos_of_a_folder_are_products_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (item,) = read_source(tmp_path).items
    assert item.more == ()
    assert not hasattr(item, "__dict__")  # slots: a hundred thousand of them are kept
