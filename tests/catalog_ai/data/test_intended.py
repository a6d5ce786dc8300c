"""Which products a delivery means: refused entries are of some, unread ones may be of any."""

import os
from pathlib import Path

import pytest

from catalog_ai.data.delivery import problems
from catalog_ai.data.delivery.intended import intended_skus, of_any_product
from catalog_ai.data.delivery.items import Problem, Source
from catalog_ai.data.sources import read_source


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_photo_that_became_a_link_or_another_format_is_still_meant(tmp_path: Path) -> None:
    touch(tmp_path, "hats/a.jpg", "hats/c.gif", "hats/d.v2.heic", "hats/e.jpg/f.jpg")
    (tmp_path / "hats/b.jpg").symlink_to(tmp_path / "hats/a.jpg")
    os.mkfifo(tmp_path / "hats/p.png")
    skus = intended_skus(read_source(tmp_path))
    assert {"a", "b", "c", "d.v2", "e", "f", "p"} <= skus
    assert not {"hats", "A", "x", ""} & skus


def test_a_refused_photo_may_have_had_a_longer_sku(tmp_path: Path) -> None:
    touch(tmp_path, "hats/same.jpg", "1/2/3/4/5/deep.gif")
    (tmp_path / "shoes").mkdir()
    (tmp_path / "shoes/same.jpg").symlink_to(tmp_path / "hats/same.jpg")
    skus = intended_skus(read_source(tmp_path))
    assert {"same", "shoes/same", "deep", "5/deep", "1/2/3/4/5/deep"} <= skus
    assert "hats/same" not in skus


def test_without_refused_entries_nothing_is_meant_but_the_items(tmp_path: Path) -> None:
    touch(tmp_path, "hats/a.jpg", "shoes/b.jpg")
    assert intended_skus(read_source(tmp_path)) == {"a", "b"}


def test_a_sku_that_looks_like_a_file_is_meant_as_it_is(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "manifest.csv").write_text("sku,image\nok,a.jpg\nred.jpg,red.jpg\n")
    assert {"ok", "red.jpg"} <= intended_skus(read_source(tmp_path))


def test_a_manifest_says_itself_what_is_meant(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.gif", "left.gif")
    (tmp_path / "c.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "manifest.csv").write_text("image\na.jpg\nb.gif\nc.jpg\n../d.jpg\nnever.jpg\n")
    source = read_source(tmp_path)
    assert {"a", "b", "c", "d", "never"} <= intended_skus(source)
    assert "left" not in intended_skus(source)


def test_a_row_or_folder_that_is_not_read_may_hold_any_product() -> None:
    rows = (problems.bad_row("line 3", "odd"), problems.bad_sku("a", "line 4"))
    source = Source(Path(), "manifest", (), problems=(*rows, problems.unreadable("hats", "no")))
    assert of_any_product(source) == {"row": 1, "SKU": 1, "folder": 1}


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (problems.unreadable("hats", "no"), "folder"),
        (problems.bad_name("hats/\udce4.jpg"), "file name"),
        (problems.bad_name("hats/Icon\r"), ""),  # macOS puts one into a folder
        (problems.link("hats"), "link"),
        (problems.link("hats/a.jpg"), ""),
        (problems.other_format("hats/readme", ""), ""),
        (problems.special_file("hats/a.jpg"), ""),
        (problems.bad_sku("hats/ .jpg"), ""),
        (problems.duplicate_sku("hats/a.jpg", "a"), ""),
    ],
)
def test_an_entry_may_be_of_any_product(problem: Problem, kind: str) -> None:
    found = of_any_product(Source(Path(), "folders", (), problems=(problem,)))
    assert found == ({kind: 1} if kind else {})


def test_beside_a_manifest_an_odd_entry_is_of_no_product() -> None:
    odd = (problems.bad_name("\udce4.jpg"), problems.link("old"))
    assert not of_any_product(Source(Path(), "manifest", (), problems=odd))
