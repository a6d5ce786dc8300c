"""Hidden is only what left the feed: not what could not be read, nor what was refused."""

import os
from pathlib import Path

import pytest

from catalog_ai.data.delivery import walk
from catalog_ai.services import runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import IngestReport, Wishes, ingest
from db.engine import read
from db.queries import products
from tests.helpers import write_photo


@pytest.fixture
def folders(shop: Catalogue, tmp_path: Path) -> Path:
    """A delivery of three hats and four shoes that is in the catalogue."""
    root = tmp_path / "in"
    for place, name in enumerate(("hats/a", "hats/b", "hats/c", *(f"shoes/{n}" for n in "defg"))):
        write_photo(root / f"{name}.jpg", size=(60 + place, 80))
    assert ingest(shop, root).added == 7
    return root


def hide(shop: Catalogue, source: Path) -> IngestReport:
    return ingest(shop, source, wishes=Wishes(retire_missing="few"))


def in_the_shop(shop: Catalogue) -> int:
    with read(shop.engine) as session:
        return products.count(session)


def replace_by_link(photo: Path) -> None:
    kept = photo.rename(photo.with_name(".kept"))
    photo.symlink_to(kept)


def test_a_folder_that_cannot_be_listed_hides_nothing(
    shop: Catalogue, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a folder of mode 000, which would not stop the superuser who may run this test."""
    (folders / "shoes" / "g.jpg").unlink()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if "hats" in str(path):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(walk.os, "scandir", refusing)
    report = hide(shop, folders)
    assert (report.state, report.retired, in_the_shop(shop)) == ("done", 0, 7)
    assert report.message == (
        "1 folder cannot be read, so no product was hidden: repair what could not be used, then "
        "run it again"
    )
    assert runs.get_run(shop, report.run_id).message == report.message
    monkeypatch.undo()
    report = hide(shop, folders)
    assert (report.retired, report.message) == (1, "")


def test_a_category_that_became_a_link_hides_nothing(
    shop: Catalogue, folders: Path, tmp_path: Path
) -> None:
    (folders / "hats").rename(tmp_path / "elsewhere")
    (folders / "hats").symlink_to(tmp_path / "elsewhere")
    report = hide(shop, folders)
    assert (report.retired, in_the_shop(shop)) == (0, 7)
    assert report.message.startswith("1 link cannot be read")


def test_what_was_delivered_and_refused_is_not_hidden(shop: Catalogue, folders: Path) -> None:
    replace_by_link(folders / "hats" / "a.jpg")
    (folders / "hats" / "b.jpg").rename(folders / "hats" / "b.gif")
    (folders / "shoes" / "d.jpg").write_bytes(b"no photo")
    (folders / "shoes" / "e.jpg").unlink()
    report = hide(shop, folders)
    assert (report.retired, report.message) == (1, "")
    codes = {item["image"]: item["code"] for item in report.quarantined}
    assert codes == {
        "hats/a.jpg": "unsafe_path",
        "hats/b.gif": "format_not_allowed",
        "shoes/d.jpg": "not_a_photo",
    }
    (hidden,) = runs.run_items(shop, report.run_id, outcomes=["retired"])
    assert hidden.sku == "e"


def test_photos_of_one_name_stay_whatever_becomes_of_the_other(
    shop: Catalogue, folders: Path
) -> None:
    for place, name in enumerate(("hats", "shoes")):
        write_photo(folders / name / "same.jpg", size=(90 + place, 80))
    assert ingest(shop, folders).added == 2
    replace_by_link(folders / "hats" / "same.jpg")
    report = hide(shop, folders)
    assert (report.added, report.retired, in_the_shop(shop)) == (0, 0, 9)


def test_a_row_whose_photo_was_refused_is_still_in_the_feed(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    for place, name in enumerate("abcdef"):
        write_photo(folder / f"{name}.jpg", size=(60 + place, 80))
    rows = [f"S-{name},{name}.jpg\n" for name in "abcdef"]
    (folder / "manifest.csv").write_text("".join(["sku,image\n", *rows]))
    ingest(shop, folder)
    replace_by_link(folder / "a.jpg")
    (folder / "b.jpg").write_bytes(b"no photo")
    rows[2] = "S-c,../c.jpg\n"
    (folder / "manifest.csv").write_text("".join(["sku,image\n", *rows[:-1]]))
    report = hide(shop, folder)
    assert {item["code"] for item in report.quarantined} == {"unsafe_path", "not_a_photo"}
    (hidden,) = runs.run_items(shop, report.run_id, outcomes=["retired"])
    assert (report.retired, hidden.sku) == (1, "S-f")


def test_a_sku_that_cannot_be_kept_may_be_any(shop: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for place, name in enumerate("abc"):
        write_photo(folder / f"{name}.jpg", size=(60 + place, 80))
    (folder / "manifest.csv").write_text("sku,image\nS-a,a\nS-b,b\nS-c,c\n")
    ingest(shop, folder)
    (folder / "manifest.csv").write_text(f"sku,image\nS-a,a\nS-b,b\n{'S-c' * 99},c\n")
    report = hide(shop, folder)
    assert (report.retired, report.message[:20]) == (0, "1 SKU cannot be read")


def test_a_photo_that_moved_and_is_then_refused_keeps_its_product(
    shop: Catalogue, tmp_path: Path
) -> None:
    """It kept a SKU that its place does not tell any more."""
    root = tmp_path / "in"
    for place, name in enumerate(("dress/001", "hat/001", "hat/002", "hat/003", "hat/004")):
        write_photo(root / f"{name}.jpg", size=(60 + place, 80))
    ingest(shop, root)
    (root / "hat" / "001.jpg").unlink()
    hide(shop, root)
    (root / "skirt").mkdir()
    (root / "dress" / "001.jpg").rename(root / "skirt" / "001.jpg")
    ingest(shop, root)
    (root / "skirt" / "001.jpg").rename(root / "skirt" / "001.gif")
    report = hide(shop, root)
    assert (report.retired, len(report.quarantined), in_the_shop(shop)) == (0, 1, 4)
