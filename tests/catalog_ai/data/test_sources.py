"""What a folder of photos delivers: every layout, every kind of mess, and never a surprise."""

import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog_ai.data import sources
from catalog_ai.data.sources import (
    NO_LABEL_WORDS,
    Source,
    clean_sku,
    normal_label,
    read_source,
    usable_classes,
)
from catalog_ai.errors import SourceError
from tests.helpers import write_photo

COMPOSED = "caf\u00e9"  # é as one character
DECOMPOSED = "cafe\u0301"  # e and an accent


def touch(root: Path, *names: str) -> Path:
    """Files that look like photos: nothing here decodes them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked at")
    return root


def manifest(root: Path, text: str, *photos: str) -> Source:
    touch(root, *photos)
    (root / "manifest.csv").write_bytes(text.encode())
    return read_source(root)


def labels(source: Source) -> dict[str, str | None]:
    return {item.sku: item.label for item in source.items}


def codes(source: Source) -> list[tuple[str, str]]:
    return [(problem.image, problem.code) for problem in source.problems]


# --- folders -------------------------------------------------------------------------------------


def test_one_folder_per_category(tmp_path: Path) -> None:
    write_photo(tmp_path / "dress" / "a.jpg")
    write_photo(tmp_path / "dress" / "b.png")
    write_photo(tmp_path / "hat" / "c.webp")
    touch(tmp_path, "hat/D.JPEG", "hat/notes.txt", "hat/.hidden.jpg", ".cache/e.jpg")
    source = read_source(tmp_path)
    assert source.kind == "folders"
    assert labels(source) == {"a": "dress", "b": "dress", "D": "hat", "c": "hat"}
    assert [item.image for item in source.items] == [
        *("dress/a.jpg", "dress/b.png", "hat/D.JPEG", "hat/c.webp")
    ]
    assert all(item.path == source.root / item.image for item in source.items)
    assert {item.split for item in source.items} == {None}
    assert codes(source) == [("hat/notes.txt", "format_not_allowed")]
    assert source.missing == source.unlisted == ()


@pytest.mark.parametrize("held_out", ["validation", "valid", "val", "Validation"])
def test_training_and_validation_folders(tmp_path: Path, held_out: str) -> None:
    touch(tmp_path, "train/dress/a.jpg", "train/hat/b.jpg", f"{held_out}/dress/c.jpg")
    source = read_source(tmp_path)
    assert {(item.sku, item.label, item.split) for item in source.items} == {
        ("a", "dress", "train"),
        ("b", "hat", "train"),
        ("c", "dress", "validation"),
    }


def test_a_flat_folder_has_no_labels(tmp_path: Path) -> None:
    source = read_source(touch(tmp_path, "b.jpg", "a.png"))
    assert source.kind == "flat"
    assert labels(source) == {"a": None, "b": None}


def test_photos_right_below_train_have_no_label(tmp_path: Path) -> None:
    source = read_source(touch(tmp_path, "train/a.jpg", "train/hat/b.jpg"))
    assert labels(source) == {"a": None, "b": "hat"}


def test_colliding_names_get_their_folder_and_are_never_merged(tmp_path: Path) -> None:
    touch(tmp_path, "dress/1.jpg", "hat/1.jpg", "hat/2.jpg")
    source = read_source(tmp_path)
    assert labels(source) == {"dress/1": "dress", "hat/1": "hat", "2": "hat"}
    assert read_source(tmp_path) == source


def test_names_that_collide_across_splits_get_more_folders(tmp_path: Path) -> None:
    touch(tmp_path, "train/hat/1.jpg", "validation/hat/1.jpg", "validation/dress/1.jpg")
    source = read_source(tmp_path)
    assert [(item.sku, item.split) for item in source.items] == [
        ("train/hat/1", "train"),
        ("dress/1", "validation"),
        ("validation/hat/1", "validation"),
    ]
    assert source.problems == ()


def test_two_endings_of_one_name_are_one_product_and_one_problem(tmp_path: Path) -> None:
    source = read_source(touch(tmp_path, "hat/1.jpg", "hat/1.png"))
    assert [item.image for item in source.items] == ["hat/1.jpg"]
    assert codes(source) == [("hat/1.png", "duplicate_sku")]


def test_skus_are_trimmed_and_composed(tmp_path: Path) -> None:
    source = read_source(touch(tmp_path, f"hat/ {DECOMPOSED} .jpg"))
    assert [item.sku for item in source.items] == [COMPOSED]
    assert clean_sku(f"\t{DECOMPOSED}\n") == COMPOSED


def test_one_name_in_two_unicode_spellings_collides(tmp_path: Path) -> None:
    source = read_source(touch(tmp_path, f"dress/{COMPOSED}.jpg", f"hat/{DECOMPOSED}.jpg"))
    assert set(labels(source)) == {f"dress/{COMPOSED}", f"hat/{COMPOSED}"}


def test_links_are_reported_and_not_followed(tmp_path: Path) -> None:
    outside = touch(tmp_path / "outside", "x.jpg", "y.jpg")
    inside = touch(tmp_path / "inside", "hat/a.jpg")
    (inside / "hat" / "link.jpg").symlink_to(outside / "x.jpg")
    (inside / "linked").symlink_to(outside, target_is_directory=True)
    source = read_source(inside)
    assert set(labels(source)) == {"a"}
    assert codes(source) == [("linked", "unsafe_path"), ("hat/link.jpg", "unsafe_path")]


@pytest.mark.parametrize("name", ["empty", "missing", "file.txt", "photo.jpg"])
def test_a_folder_without_photos_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "file.txt", "photo.jpg")
    with pytest.raises(SourceError, match=name):
        read_source(tmp_path / name)


@pytest.mark.parametrize("path", ["a\0b", "~nobody-of-this-name/photos", "x" * 5_000])
def test_a_path_that_can_be_none_is_refused(path: str) -> None:
    with pytest.raises(SourceError, match="is not a folder"):
        read_source(path)


# --- manifest ------------------------------------------------------------------------------------


def test_a_manifest_names_products_labels_titles_and_the_rest(tmp_path: Path) -> None:
    text = "SKU,Image,Label,Title,Colour,Empty\n A-1 , a.jpg , dress , Red dress , red ,\n"
    source = manifest(tmp_path, text, "a.jpg")
    assert source.kind == "manifest"
    (item,) = source.items
    assert (item.sku, item.image, item.label, item.title) == ("A-1", "a.jpg", "dress", "Red dress")
    assert item.path == source.root / "a.jpg"
    assert item.attributes == {"colour": "red"}


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_any_line_ending_are_read(tmp_path: Path, ending: str) -> None:
    text = "\ufeff" + ending.join(["image,label", "a.jpg,dress", "b.jpg,hat", ""])
    assert labels(manifest(tmp_path, text, "a.jpg", "b.jpg")) == {"a": "dress", "b": "hat"}


@pytest.mark.parametrize(
    "header", ["id,file,category,name", "product_id,path,label,title", "sku,image_path,label,name"]
)
def test_other_column_names_are_understood(tmp_path: Path, header: str) -> None:
    (item,) = manifest(tmp_path, f"{header}\n7,a.jpg,hat,Nice\n", "a.jpg").items
    assert (item.sku, item.image, item.label, item.title) == ("7", "a.jpg", "hat", "Nice")
    assert item.attributes == {}


@pytest.mark.parametrize("name", ["a", "a.jpg", "images/a.jpg", "images/a", "./images/a.jpg"])
def test_the_ending_and_the_images_folder_may_be_left_out(tmp_path: Path, name: str) -> None:
    (item,) = manifest(tmp_path, f"image\n{name}\n", "images/a.jpg").items
    assert (item.sku, item.image) == ("a", "images/a.jpg")
    assert item.label is None


def test_a_sku_column_alone_finds_the_photo_of_that_name(tmp_path: Path) -> None:
    source = manifest(tmp_path, "sku,label\nA-1,hat\n", "images/A-1.jpg")
    assert labels(source) == {"A-1": "hat"}


@pytest.mark.parametrize(
    ("name", "image"),
    [("a", "a.jpg"), ("a.png", "a.png"), ("b", "images/b.jpg"), ("images/a", "images/a.jpg")],
)
def test_of_several_photos_the_exact_and_then_the_first_is_meant(
    tmp_path: Path, name: str, image: str
) -> None:
    photos = ("a.jpg", "a.png", "images/a.jpg", "images/b.jpg", "images/b.png")
    (item,) = manifest(tmp_path, f"image\n{name}\n", *photos).items
    assert item.image == image


def test_photo_names_are_compared_composed(tmp_path: Path) -> None:
    source = manifest(tmp_path, f"image\n{COMPOSED}.jpg\n", f"{DECOMPOSED}.jpg")
    assert set(labels(source)) == {COMPOSED}
    assert source.missing == source.unlisted == ()


def test_rows_without_photo_and_photos_without_row_are_listed(tmp_path: Path) -> None:
    text = "image,label\na.jpg,hat\ngone.jpg,hat\n"
    source = manifest(tmp_path, text, "a.jpg", "images/extra.jpg", "z.png")
    assert set(labels(source)) == {"a"}
    assert source.missing == ("gone.jpg",)
    assert sorted(source.unlisted) == ["images/extra.jpg", "z.png"]
    assert source.problems == ()


def test_only_missing_photos_still_make_a_source(tmp_path: Path) -> None:
    source = manifest(tmp_path, "image\ngone.jpg\n")
    assert source.items == ()
    assert source.missing == ("gone.jpg",)


@pytest.mark.parametrize(
    "image",
    [
        "../secret.jpg",
        "images/../../secret.jpg",
        "/etc/secret.jpg",
        "https://example.org/a.jpg",
        "file:///etc/secret.jpg",
        "C:/secret.jpg",
        "..\\secret.jpg",
        "images\\a.jpg",
    ],
)
def test_a_path_that_leaves_the_folder_is_a_problem(tmp_path: Path, image: str) -> None:
    touch(tmp_path, "secret.jpg")
    source = manifest(tmp_path / "feed", f"image\n{image}\nb.jpg\n", "b.jpg", "images/a.jpg")
    assert set(labels(source)) == {"b"}
    assert codes(source) == [(image, "unsafe_path")]
    assert all(item.path.is_relative_to(source.root) for item in source.items)


def test_a_link_named_by_a_row_is_never_an_item(tmp_path: Path) -> None:
    touch(tmp_path, "secret.jpg")
    feed = touch(tmp_path / "feed", "a.jpg")
    (feed / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    source = manifest(feed, "image\na.jpg\nlink.jpg\n")
    assert set(labels(source)) == {"a"}
    assert ("link.jpg", "unsafe_path") in codes(source)


def test_damaged_rows_are_reported_by_line_and_the_others_go_on(tmp_path: Path) -> None:
    lines = ["image,label", "a.jpg,hat", "b.jpg", '"b".jpg,hat', "", "c.jpg,hat,more", "d.jpg,hat"]
    source = manifest(tmp_path, "\n".join(lines), "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert labels(source) == {"a": "hat", "d": "hat"}
    assert codes(source) == [("line 3", "bad_row"), ("line 4", "bad_row"), ("line 6", "bad_row")]
    assert "1 columns where the header has 2" in source.problems[0].reason


def test_the_first_of_two_rows_of_one_sku_counts(tmp_path: Path) -> None:
    text = f"sku,image,label\n{COMPOSED},a.jpg,hat\n {DECOMPOSED},b.jpg,dress\n"
    source = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert labels(source) == {COMPOSED: "hat"}
    assert codes(source) == [("line 3: b.jpg", "duplicate_sku")]
    assert source.unlisted == ()


def test_a_sku_longer_than_the_database_allows_is_a_problem(tmp_path: Path) -> None:
    text = f"sku,image\n{'x' * 256},a.jpg\n{'y' * 255},b.jpg\n"
    source = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert [len(item.sku) for item in source.items] == [255]
    assert codes(source) == [("a.jpg", "bad_sku")]


def test_quoted_values_may_hold_commas_quotes_and_lines(tmp_path: Path) -> None:
    text = 'image,title\n"a.jpg","Long, ""wide""\nand blue"\nb.jpg,B\n'
    source = manifest(tmp_path, text, "a.jpg", "b.jpg")
    assert [item.title for item in source.items] == ['Long, "wide"\nand blue', "B"]


@pytest.mark.parametrize("mark", ["\u2028", "\x85", "\x0b", "\x0c", "\x1e"])
def test_only_line_ends_end_a_row(tmp_path: Path, mark: str) -> None:
    """Other characters that Unicode counts as line breaks are part of a title."""
    source = manifest(tmp_path, f"image,title\na.jpg,one{mark}two\nb.jpg\n", "a.jpg")
    assert [item.title for item in source.items] == [f"one{mark}two"]
    assert codes(source) == [("line 3", "bad_row")]


@pytest.mark.parametrize("text", ["", "\n", "colour,size\nred,1\n", '"open\n'])
def test_a_manifest_without_usable_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"manifest\.csv"):
        manifest(tmp_path, text, "a.jpg")


def check_source(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = touch(Path(folder), "a.jpg", "images/b.jpg")
        (root / "manifest.csv").write_bytes(data)
        try:
            source = read_source(root)
        except SourceError as error:
            assert str(error)
            return
        skus = [item.sku for item in source.items]
        assert len(set(skus)) == len(skus)
        assert all(0 < len(sku) <= 255 for sku in skus)
        assert all(sku == unicodedata.normalize("NFC", sku).strip() for sku in skus)
        assert all(item.path.is_relative_to(source.root) for item in source.items)
        assert all(item.path.is_file() for item in source.items)


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_random_manifests_are_read_or_refused(data: bytes) -> None:
    check_source(data)


CELLS = st.sampled_from(
    ["a", "a.jpg", "images/b.jpg", "b", "../a", "", '"', '"x', "\0", "\r", "é", ".", "/", "~", "a:"]
) | st.text(max_size=6)


@given(
    st.sampled_from(["image", "sku,image", "image,label", "id,title", "image,image"]),
    st.lists(st.lists(CELLS, max_size=3), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_random_rows_are_read_or_refused(header: str, rows: list[list[str]]) -> None:
    text = "\n".join([header, *(",".join(row) for row in rows)])
    check_source(text.encode("utf-8", errors="surrogatepass"))


# --- labels --------------------------------------------------------------------------------------


def test_labels_are_compared_trimmed_composed_and_folded() -> None:
    assert normal_label("  T-Shirt \n long  ") == "t-shirt long"
    assert normal_label(DECOMPOSED.upper()) == normal_label(COMPOSED)
    assert normal_label("STRASSE") == normal_label("Straße")


def test_usable_classes_need_enough_photos_and_take_the_commonest_spelling() -> None:
    found = ["Hat"] * 5 + ["hat"] * 4 + ["dress "] * 8 + ["shoes"] * 7 + [None] * 20
    assert usable_classes(found) == ["Hat", "dress"]
    assert usable_classes(found, minimum=1) == ["Hat", "dress", "shoes"]
    assert usable_classes(found, minimum=10) == []
    assert usable_classes(["b", "B"], minimum=1) == ["B"]  # a tie: the same in any order
    assert usable_classes(["B", "b"], minimum=1) == ["B"]


@pytest.mark.parametrize("word", ["Not sure", "OTHER", " skip ", "Unknown", "", "?", "n/a"])
def test_words_that_mean_no_label_are_no_class(word: str) -> None:
    assert usable_classes([word] * 50) == []
    assert normal_label(word) in NO_LABEL_WORDS


# --- real photos ---------------------------------------------------------------------------------


@pytest.mark.photos
def test_the_nightly_feed_is_read_whole(photos_root: Path) -> None:
    source = read_source(photos_root / "nightly-feed")
    assert source.kind == "manifest"
    assert len(source.items) == 420
    assert len(source.missing) == 3
    assert len(source.unlisted) == 30
    assert codes(source) == [("LICENSE", "format_not_allowed")]
    assert source.items[0].attributes.keys() == {"sender_id", "kids"}
    assert all(item.path.suffix in sources.PHOTO_ENDINGS for item in source.items)
