"""What is delivered fits into the columns of both databases, or is refused row by row."""

import csv
from pathlib import Path

import pytest

from catalog_ai.data.sources import CategoryMap
from catalog_ai.services import runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import IngestReport, Wishes, ingest
from db.engine import read
from db.queries import products
from tests.helpers import write_photo

LONGEST = "é👗" * 127 + "e"  # 255 characters, more than twice as many bytes


def deliver(folder: Path, labels: dict[str, str], **columns: str) -> Path:
    for place in range(len(labels)):
        write_photo(folder / f"{place}.jpg", size=(60 + place, 80))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sku", "image", "label", *columns])
        for place, (sku, label) in enumerate(labels.items()):
            rows.writerow([sku, f"{place}.jpg", label, *columns.values()])
    return folder


def held(shop: Catalogue) -> dict[str, tuple[str | None, str | None]]:
    with read(shop.engine) as session:
        rows = products.everything(session)
    return {row.sku: (row.label_given, row.label_current) for row in rows}


def refused(report: IngestReport) -> list[tuple[str, str]]:
    return [(one["image"], one["code"]) for one in report.quarantined]


def test_a_label_that_is_too_long_costs_its_row_alone(shop: Catalogue, tmp_path: Path) -> None:
    labels = {"a": LONGEST + "!", "b": LONGEST, "c": "hat"}
    report = ingest(shop, deliver(tmp_path / "in", labels))
    assert held(shop) == {"b": (LONGEST, LONGEST), "c": ("hat", "hat")}
    assert refused(report) == [("0.jpg", "bad_label")]
    reason = report.quarantined[0]["reason"]
    assert reason.startswith("line 2: a label has at most 255 characters: shorten it, or map it")
    assert [item.code for item in runs.run_items(shop, report.run_id, outcomes=["quarantined"])]


def test_the_label_that_is_stored_counts(shop: Catalogue, tmp_path: Path) -> None:
    long = "x" * 300
    mapping = CategoryMap({long: "hat", "polo": long, "none": None})
    folder = deliver(tmp_path / "in", {"a": long, "b": "Polo", "c": "none"})
    report = ingest(shop, folder, wishes=Wishes(categories=mapping))
    assert held(shop) == {"a": ("hat", "hat"), "c": (None, None)}
    assert refused(report) == [("1.jpg", "bad_label")]


def test_a_folder_whose_category_is_too_long_is_refused(shop: Catalogue, tmp_path: Path) -> None:
    write_photo(tmp_path / "in" / "polo" / "a.jpg")
    write_photo(tmp_path / "in" / "hat" / "b.jpg")
    wishes = Wishes(categories=CategoryMap({"polo": "x" * 256}))
    assert refused(ingest(shop, tmp_path / "in", wishes=wishes)) == [("polo/a.jpg", "bad_label")]
    assert held(shop) == {"b": ("hat", "hat")}


@pytest.mark.parametrize("layout", ["folders", "manifest"])
def test_a_product_whose_label_is_refused_is_not_hidden(
    shop: Catalogue, tmp_path: Path, layout: str
) -> None:
    folder = deliver(tmp_path / "in", {"0": "polo", "1": "hat"})
    if layout == "folders":
        for place, name in enumerate(("polo", "hat")):
            (folder / name).mkdir()
            (folder / f"{place}.jpg").rename(folder / name / f"{place}.jpg")
        (folder / "manifest.csv").unlink()
    ingest(shop, folder)
    wishes = Wishes(categories=CategoryMap({"polo": "x" * 256}), retire_missing="any")
    report = ingest(shop, folder, wishes=wishes)
    assert (report.retired, len(report.quarantined)) == (0, 1)
    assert held(shop)["0"] == ("polo", "polo")


def test_everything_else_is_kept_however_long_it_is(shop: Catalogue, tmp_path: Path) -> None:
    columns = {"title": "t" * 5_000, "colour": "c" * 5_000, "n" * 5_000: "x"}
    deep = "/".join(["d" * 100] * 5)
    folder = deliver(tmp_path / "in", {LONGEST: "hat"}, **columns)
    (folder / deep).mkdir(parents=True)
    (folder / "0.jpg").rename(folder / deep / "0.jpg")
    text = (folder / "manifest.csv").read_text()
    (folder / "manifest.csv").write_text(text.replace("0.jpg", f"{deep}/0.jpg"))
    assert ingest(shop, folder).added == 1
    with read(shop.engine) as session:
        row = products.by_skus(session, [LONGEST])[LONGEST]
    assert (row.title, row.image_path) == (columns.pop("title"), f"{deep}/0.jpg")
    assert row.attributes == columns
