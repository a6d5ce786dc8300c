"""Photos in folders: a product keeps its SKU while others of its name come and go."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from catalog_ai.services import known_names as module
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import Wishes, ingest
from catalog_ai.services.known_names import known_names
from db.engine import read, write
from db.queries import names, products
from db.schema import Product
from tests.helpers import write_photo
from tests.services.test_ingest import decide

_COLOURS = {"dress": "#8c3b4a", "hat": "#3b5b8c", "skirt": "#8c3b4a", "coat": "#3b5b8c"}
Labels = dict[str, str | None]


def night(folder: Path, images: Iterable[str]) -> Path:
    """Write a delivery of one photo for each of `images`, and of nothing else."""
    for old in folder.rglob("*.jpg"):
        old.unlink()
    for image in images:
        write_photo(folder / image, _COLOURS[Path(image).parts[0]])
    return folder


def shown(shop: Catalogue) -> Labels:
    """Return SKU → label of the products that are not hidden."""
    with read(shop.engine) as session:
        return {row.sku: row.label_current for row in products.everything(session)}


def states(shop: Catalogue) -> dict[str, tuple[str, str]]:
    with read(shop.engine) as session:
        return {row.sku: (row.image_path, row.review_state) for row in products.everything(session)}


@pytest.mark.parametrize("first", ["dress", "hat"])
def test_a_newcomer_of_the_same_name_changes_nobody_elses_sku(
    shop: Catalogue, tmp_path: Path, first: str
) -> None:
    other = "hat" if first == "dress" else "dress"
    whole = Wishes(retire_missing="any")
    ingest(shop, night(tmp_path / "in", [f"{first}/001.jpg"]), wishes=whole)
    decide(shop, "001", "keep")
    report = ingest(shop, night(tmp_path / "in", ["dress/001.jpg", "hat/001.jpg"]), wishes=whole)
    assert (report.added, report.unchanged, report.retired) == (1, 1, 0)
    assert states(shop) == {
        "001": (f"{first}/001.jpg", "kept"),
        f"{other}/001": (f"{other}/001.jpg", "open"),
    }
    report = ingest(shop, night(tmp_path / "in", [f"{other}/001.jpg"]), wishes=whole)
    assert (report.added, report.updated, report.unchanged, report.retired) == (0, 0, 1, 1)
    assert shown(shop) == {f"{other}/001": other}
    ingest(shop, night(tmp_path / "in", ["dress/001.jpg", "hat/001.jpg"]), wishes=whole)
    assert shown(shop) == {"001": first, f"{other}/001": other}
    assert states(shop)["001"][1] == "kept"


def test_a_photo_that_moves_to_another_category_is_corrected(
    shop: Catalogue, tmp_path: Path
) -> None:
    ingest(shop, night(tmp_path / "in", ["dress/001.jpg"]))
    report = ingest(shop, night(tmp_path / "in", ["skirt/001.jpg"]))
    assert (report.added, report.updated) == (0, 1)
    assert shown(shop) == {"001": "skirt"}
    # Its old place may have a newcomer: that is another product.
    report = ingest(shop, night(tmp_path / "in", ["skirt/001.jpg", "dress/001.jpg"]))
    assert (report.added, report.unchanged) == (1, 1)
    assert shown(shop) == {"001": "skirt", "dress/001": "dress"}


def test_a_path_alone_is_no_change(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, night(tmp_path / "in", ["dress/001.jpg"]))
    report = ingest(shop, night(tmp_path / "in", ["dress/dress/001.jpg"]))
    assert (report.added, report.updated, report.unchanged) == (0, 0, 1)


def test_a_trial_and_a_part_of_a_delivery_know_the_same_names(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    ingest(shop, night(folder, ["hat/001.jpg"]))
    night(folder, ["dress/001.jpg", "hat/001.jpg"])
    trial = ingest(shop, folder, wishes=Wishes(dry_run=True))
    assert (trial.added, trial.unchanged) == (1, 1)
    assert ingest(shop, folder, wishes=Wishes(only=frozenset({"001"}))).unchanged == 1
    assert ingest(shop, folder, wishes=Wishes(limit=1)).added == 1
    assert ingest(shop, folder).unchanged == 2
    assert shown(shop) == {"001": "hat", "dress/001": "dress"}


def test_nothing_is_asked_of_names_that_are_there_once(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(shop, night(tmp_path / "in", ["dress/001.jpg", "dress/002.jpg"]))
    asked: list[list[str]] = []
    by_skus = names.by_skus

    def counting(session: object, skus: Iterable[str]) -> list[names.NameRow]:
        asked.append(list(skus))
        return by_skus(session, asked[-1])  # type: ignore[arg-type]

    monkeypatch.setattr(module.queries, "by_skus", counting)
    tell = known_names(shop)
    assert list(tell({"001": 1, "002": 1})) == []
    assert [one.sku for one in tell({"001": 2, "002": 1, "003": 2})] == ["001"]
    assert asked == [[], ["001", "003"]]


def test_longer_skus_are_found_in_parts(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [f"{folder}/{number}.jpg" for folder in ("dress", "hat") for number in range(3)]
    ingest(shop, night(tmp_path / "in", images))
    with write(shop.engine) as session:
        session.get_one(Product, 1).retired_run_id = 1
    monkeypatch.setattr(names, "_AT_ONCE", 2)
    with read(shop.engine) as session:
        found = list(names.skus_with_folders(session))
        rows = names.by_skus(session, ["dress/0", "none", "hat/2"])
    assert found == sorted(image.removesuffix(".jpg") for image in images)
    assert [(row.sku, row.image_path, row.in_the_feed) for row in rows] == [
        ("dress/0", "dress/0.jpg", False),
        ("hat/2", "hat/2.jpg", True),
    ]


@pytest.mark.parametrize("refused", ["a link", "a GIF", "a link to its folder"])
def test_a_photo_that_is_refused_for_a_night_keeps_its_sku(
    shop: Catalogue, tmp_path: Path, refused: str
) -> None:
    folder, whole = tmp_path / "in", Wishes(retire_missing="any")
    ingest(shop, night(folder, ["coat/1.jpg"]), wishes=whole)
    decide(shop, "1", "keep")
    night(folder, ["coat/1.jpg", "hat/1.jpg"])
    photo = folder / "coat/1.jpg"
    if refused == "a GIF":
        photo.rename(photo.with_suffix(".gif"))
    elif refused == "a link":
        photo.rename(folder / ".1.jpg")
        photo.symlink_to(folder / ".1.jpg")
    else:
        photo.parent.rename(folder / ".coat")
        photo.parent.symlink_to(folder / ".coat")
    report = ingest(shop, folder, wishes=whole)
    assert (report.added, report.updated, report.retired) == (1, 0, 0)
    expected = {"1": ("coat/1.jpg", "kept"), "hat/1": ("hat/1.jpg", "open")}
    assert states(shop) == expected
    if refused == "a link to its folder":
        (folder / "coat").unlink()
    report = ingest(shop, night(folder, ["coat/1.jpg", "hat/1.jpg"]), wishes=whole)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 2)
    assert states(shop) == expected
