"""What could not be used: tried again by its name, or told how the next run takes it in."""

import os
from pathlib import Path
from typing import Any

import pytest

from catalog_ai.data.delivery import problems, walk
from catalog_ai.data.delivery.items import Problem
from catalog_ai.errors import UsageError
from catalog_ai.services import jobs, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import ingest
from catalog_ai.services.remedies import CORRECT_THE_ROW, DELIVER_ANOTHER, remedy
from catalog_ai.services.retrying import try_again
from db.engine import read
from db.queries import products
from tests.helpers import write_photo

# code → rows of sku, image, label: as delivered, with line 3 at fault, and that row repaired
ROWS = {
    "bad_row": ("A,a,hat\nB,b,hat,too,many\n", "B,b,hat"),
    "duplicate_sku": ("A,a,hat\nA,b,shoes\n", "B,b,shoes"),
    "bad_sku": (f"A,a,hat\n{'B' * 256},b,hat\n", "B,b,hat"),
    "bad_label": (f"A,a,hat\nB,b,{'h' * 256}\n", "B,b,hat"),
    "unsafe_path": ("A,a,hat\nB,../b.jpg,hat\n", "B,b,hat"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three photos that nobody has delivered yet."""
    for place, name in enumerate("abc"):
        write_photo(tmp_path / "in" / f"{name}.jpg", size=(60 + place, 80))
    return tmp_path / "in"


def write_rows(folder: Path, rows: str) -> None:
    (folder / "manifest.csv").write_text(f"sku,image,label\n{rows}")


def refused(shop: Catalogue, folder: Path) -> runs.RunItemView:
    """Take a delivery in and return the one thing that could not be used."""
    report = ingest(shop, folder)
    (item,) = runs.run_items(shop, report.run_id, outcomes=["quarantined"])
    return item


def tried(shop: Catalogue, item: runs.RunItemView) -> dict[str, Any]:
    """Ask for another try, and do what the worker does."""
    return try_again(shop, **jobs.get_job(shop, runs.retry(shop, item.id)).parameters)


def skus(shop: Catalogue) -> set[str]:
    with read(shop.engine) as session:
        return {sku for _, sku, _ in products.in_the_feed_by_id(session, after_id=0)}


@pytest.mark.parametrize("code", ROWS)
def test_the_next_run_takes_a_corrected_row_in(shop: Catalogue, folder: Path, code: str) -> None:
    """Its line is all that is known of it, and another row may stand there by then."""
    delivered, repaired = ROWS[code]
    write_rows(folder, delivered)
    item = refused(shop, folder)
    assert (item.code, skus(shop)) == (code, {"A"})
    assert "line 3" in item.image + item.reason
    assert item.remedy == "Correct the row: the next run takes it in."
    with pytest.raises(UsageError, match="the next run takes it in"):
        runs.retry(shop, item.id)
    assert "ingest" not in {job.kind for job in jobs.list_jobs(shop)}
    run = runs.list_runs(shop)[0]
    assert runs.settled_counts(shop, run.id) == {"open": 1}
    write_rows(folder, f"C,c,hat\nA,a,hat\n{repaired}\n")
    assert (ingest(shop, folder).added, skus(shop)) == (2, {"A", "B", "C"})
    runs.settle(shop, item.id, "dismissed")
    assert runs.settled_counts(shop, run.id) == {"dismissed": 1}


def test_a_row_is_known_by_its_line_in_every_format() -> None:
    for where in ("line 3", "line 3, row 2", "row 7"):
        found = [
            problems.bad_row(where, "odd"),
            problems.duplicate_sku(f"{where}: a", "A"),
            problems.bad_sku("a", where),
            problems.unsafe_row("../a.jpg", where, "it leads out"),
        ]
        told = [remedy(one.code, one.image, one.reason) for one in found]
        assert told == [CORRECT_THE_ROW] * 4, where


def test_what_has_to_be_renamed_is_not_found_by_its_old_name() -> None:
    renamed = [
        problems.duplicate_sku("hats/a.jpg", "a"),
        problems.bad_sku("hats/ .jpg"),
        problems.bad_name("hats/\udce4.jpg"),
        problems.other_format("hats/a.gif", ".gif"),
        problems.folder_like_a_photo("a.jpg"),
    ]
    told = [remedy(one.code, one.image, one.reason) for one in renamed]
    assert told == [DELIVER_ANOTHER] * 5


@pytest.mark.parametrize(
    "problem",
    [problems.link("a.jpg"), problems.special_file("a.jpg"), problems.unreadable("hats", "no")],
)
def test_what_keeps_its_name_can_be_tried(problem: Problem) -> None:
    assert remedy(problem.code, problem.image, problem.reason) == ""


def test_a_link_that_was_replaced_comes_in_whichever_photo_it_is(
    shop: Catalogue, folder: Path
) -> None:
    write_rows(folder, "A,a|b,hat\n")
    kept = (folder / "b.jpg").rename(folder / ".kept")
    (folder / "b.jpg").symlink_to(kept)
    item = refused(shop, folder)
    assert (item.image, item.code, item.sku) == ("b.jpg", "unsafe_path", "")
    (folder / "b.jpg").unlink()
    kept.rename(folder / "b.jpg")
    assert tried(shop, item)["updated"] == 1
    run = runs.list_runs(shop)[1]
    assert runs.settled_counts(shop, run.id) == {"retried": 1}


def test_a_folder_that_can_be_listed_again_comes_in(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    for place, name in enumerate(("hats/a", "hats/b", "hatstand/c")):
        write_photo(folder / f"{name}.jpg", size=(60 + place, 80))
    scandir = os.scandir

    def refusing(path: str) -> object:
        if str(path).rstrip("/").endswith("hats"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(walk.os, "scandir", refusing)
    item = refused(shop, folder)
    assert (item.image, item.code, skus(shop)) == ("hats", "unreadable", {"c"})
    assert tried(shop, item)["quarantined"] == 1
    monkeypatch.undo()
    done = tried(shop, item)
    assert (done["added"], done["unchanged"], done["quarantined"]) == (2, 0, 0)
    assert skus(shop) == {"a", "b", "c"}
