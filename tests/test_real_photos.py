"""The whole loop on real photos: train, ingest, look for wrong labels, search, review, undo.

Needs `CATALOG_TEST_PHOTOS`, a folder with `clothing-dataset-small` and `nightly-feed`; without it
these tests are skipped and say so. The training is a short one: it shows that the parts fit, and
its accuracy is only asked to be far from chance. Figures that count are the benchmarks' business.
"""

import csv
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from catalog_ai.config import PROJECT_ROOT, settings
from catalog_ai.services import deciding, exporting, jobs, review, runs, shop
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.ingest import IngestReport, ingest
from catalog_ai.services.training import TrainedVersion, train_version

ARTICLE_CLASSES = ["dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt"]

pytestmark = pytest.mark.photos


class Loop:
    """What one pass over the real photos left behind."""

    def __init__(self, home: Path, photos: Path) -> None:
        self.catalogue: Catalogue = open_catalogue(settings(home=home))
        clothing = photos / "clothing-dataset-small"
        self.trained: TrainedVersion = train_version(
            self.catalogue,
            data=clothing,
            classes=ARTICLE_CLASSES,
            epochs=2,
            siamese_epochs=1,
            version="short",
        )
        self.shop: IngestReport = ingest(self.catalogue, clothing / "validation")
        self.feed: IngestReport = ingest(self.catalogue, photos / "nightly-feed")
        self.again: IngestReport = ingest(self.catalogue, photos / "nightly-feed")
        jobs.run_jobs(self.catalogue, loop=False)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory, photos_root: Path) -> Iterator[Loop]:
    yield Loop(tmp_path_factory.mktemp("real"), photos_root)


def test_a_short_training_learns_far_more_than_chance(loop: Loop) -> None:
    assert loop.trained.is_active
    assert loop.trained.meta["metrics"]["accuracy"] > 2 / len(ARTICLE_CLASSES)
    assert loop.trained.meta["metrics"]["parameters"] == 32_584 + 455


def test_the_validation_photos_arrive_whole(loop: Loop, photos_root: Path) -> None:
    folder = photos_root / "clothing-dataset-small" / "validation"
    photos = [path for path in folder.rglob("*") if path.suffix.lower() == ".jpg"]
    assert loop.shop.seen == loop.shop.added == len(photos)
    assert not loop.shop.quarantined


def test_the_nightly_feed_is_accounted_for_to_the_last_row(loop: Loop, photos_root: Path) -> None:
    feed = photos_root / "nightly-feed"
    with (feed / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["image"] for row in csv.DictReader(file)}
    delivered = {path.stem for path in (feed / "images").iterdir()}
    others = {path.name for path in feed.iterdir() if path.is_file()} - {"manifest.csv"}
    refused = {problem["image"] for problem in loop.feed.quarantined}
    assert others <= refused  # nothing is passed over in silence
    assert loop.feed.added + len(refused - others) == len(rows & delivered)
    assert len(loop.feed.missing) == len(rows - delivered)
    assert len(loop.feed.unlisted) == len(delivered - rows)


def test_the_same_feed_a_second_time_changes_nothing(loop: Loop) -> None:
    assert (loop.again.added, loop.again.updated) == (0, 0)
    assert loop.again.unchanged == loop.feed.added


def test_labels_that_are_no_category_wait_in_their_own_queue(loop: Loop) -> None:
    page = review.review_queue(loop.catalogue, review.Filter("unknown"), per_page=500)
    labels = {item.label for item in page.items}
    assert "Not sure" in labels, "these words are never a category, however many carry them"
    # So many of the feed are labelled Polo that it is one of the merchant's own categories.
    assert "Polo" not in labels
    known = review.categories(loop.catalogue)
    assert {"Polo", *ARTICLE_CLASSES} <= set(known)
    assert "T-Shirt" not in labels
    assert all(item.suggestion in known for item in page.items)


def test_a_photo_finds_itself_and_a_product_finds_others(loop: Loop, photos_root: Path) -> None:
    photo = next((photos_root / "clothing-dataset-small" / "validation" / "hat").glob("*.jpg"))
    found = shop.similar_to_photo(loop.catalogue, photo.read_bytes(), k=5)
    assert found.matches[0].card.sku == photo.stem
    assert found.matches[0].distance == pytest.approx(0, abs=1e-3)
    others = shop.similar_to_product(
        loop.catalogue, found.matches[0].card.product_id, k=5, category="hat"
    )
    assert len(others) == 5
    assert {match.card.label for match in others} == {"hat"}


def test_a_decision_leaves_the_queue_and_comes_back_by_undo(loop: Loop) -> None:
    before = review.review_queue(loop.catalogue, review.Filter("wrong"))
    item = before.items[0]
    decided = deciding.decide(
        loop.catalogue,
        item.product_id,
        "accept",
        reviewer="Ana",
        request_key=uuid4().hex,
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    after = review.review_queue(loop.catalogue, review.Filter("wrong"))
    assert after.total == before.total - 1
    assert item.product_id not in {other.product_id for other in after.items}
    deciding.undo(loop.catalogue, decided.decision_id, reviewer="Ana", request_key=uuid4().hex)
    assert review.review_queue(loop.catalogue, review.Filter("wrong")).total == before.total


def test_the_queue_file_holds_what_the_page_shows(loop: Loop) -> None:
    queue = review.review_queue(loop.catalogue, review.Filter("wrong"), per_page=10_000)
    file = exporting.export(loop.catalogue, "queue")
    rows = list(csv.DictReader(file.data.decode("utf-8-sig").splitlines()))
    shown = [item.sku for item in queue.items]
    assert [row["sku"] for row in rows][: len(shown)] == shown


def test_every_run_is_in_the_history(loop: Loop) -> None:
    history = runs.list_runs(loop.catalogue)
    assert [run.added for run in history] == [0, loop.feed.added, loop.shop.added]
    assert all(run.state == "done" for run in history)


def test_the_nightly_command_from_another_folder(loop: Loop, photos_root: Path) -> None:
    """Cron's working directory is not the project's: the report is written all the same."""
    home = loop.catalogue.settings.home
    report = home / "report.json"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "catalog_ai.ingest", str(photos_root / "nightly-feed")),
            *("--report", str(report)),
        ],
        cwd=home,
        env={"CATALOG_HOME": str(home), "PYTHONPATH": str(PROJECT_ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert report.exists()
