"""The nightly ingest: what comes in, what stays, what is refused, and what a decision survives."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from catalog_ai.errors import BusyError, SourceError, UnknownVersionError
from catalog_ai.images import decode
from catalog_ai.services import deciding, intake, jobs, review, runs
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.ingest import embed_missing, ingest
from catalog_ai.services.locking import only_one
from catalog_ai.services.photos import ensure_thumbnail
from catalog_ai.services.training import register
from db.commands import products as commands
from db.engine import read
from db.queries import models, products
from tests.helpers import fake_model, write_photo

COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b")


@pytest.fixture
def shop(catalogue: Catalogue) -> Catalogue:
    """A catalogue with an untrained model, ready to ingest."""
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    return catalogue


def deliver(folder: Path, labels: dict[str, str], *, colour: str = "#8c3b4a") -> Path:
    """Write a delivery with a manifest: SKU → label."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, sku in enumerate(labels):
        write_photo(folder / "images" / f"{sku}.jpg", colour, size=(60 + place, 80))
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label"])
        rows.writerows(labels.items())
    return folder


def product(catalogue: Catalogue, sku: str) -> products.ProductRow:
    with read(catalogue.engine) as session:
        return products.by_skus(session, [sku])[sku]


def decide(catalogue: Catalogue, sku: str, action: str, label: str | None = None) -> None:
    row = product(catalogue, sku)
    deciding.decide(
        catalogue,
        row.id,
        action,
        label=label,
        reviewer="Ana",
        request_key=f"{sku}.{row.version}",
        seen_version=row.version,
        seen_sha256=row.image_sha256,
    )


def test_a_folder_per_category_comes_in(shop: Catalogue, tmp_path: Path) -> None:
    for place, label in enumerate(("hat", "shoes")):
        write_photo(tmp_path / "in" / label / "same.jpg", COLOURS[place])
        write_photo(tmp_path / "in" / label / f"{label}-1.png", COLOURS[place], (70, 90))
    report = ingest(shop, tmp_path / "in")
    assert (report.seen, report.added, report.state) == (4, 4, "done")
    assert product(shop, "hat/same").label_current == "hat"
    assert product(shop, "shoes/same").label_given == "shoes"
    with read(shop.engine) as session:
        model = models.active(session)
        assert model is not None
        ids = [product(shop, sku).id for sku in ("hat/same", "shoes/same", "hat-1", "shoes-1")]
        assert products.with_vector(session, model.id, ids) == set(ids)


def test_the_report_has_its_stable_keys(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    whole = (folder / "images" / "b.jpg").read_bytes()
    (folder / "images" / "b.jpg").write_bytes(whole[: len(whole) // 2])
    write_photo(folder / "images" / "extra.jpg")
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text() + "never,hat\n")
    report = ingest(shop, folder).as_dict()
    counts = [report[key] for key in ("seen", "added", "updated", "unchanged")]
    assert counts == [2, 1, 0, 0]
    assert [(p["image"], p["code"]) for p in report["quarantined"]] == [("images/b.jpg", "damaged")]
    assert report["quarantined"][0]["reason"]
    assert (report["missing"], report["unlisted"]) == (["never"], ["images/extra.jpg"])
    assert report["seconds"] > 0
    assert report["images_per_second"] > 0
    listed = runs.run_items(shop, report["run_id"])
    assert [item.outcome for item in listed] == ["missing", "unlisted", "quarantined"]


def test_what_is_unchanged_is_left_alone(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "T-Shirt"})
    ingest(shop, folder)
    topics = ("products", "labels", "embeddings", "jobs")
    before = revision(shop, *topics)
    report = ingest(shop, folder)
    assert (report.added, report.updated, report.unchanged) == (0, 0, 2)
    assert revision(shop, *topics) == before
    assert product(shop, "b").version == 1


def test_labels_take_the_catalogues_spelling_and_strangers_stay(
    shop: Catalogue, tmp_path: Path
) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": " T-Shirt ", "b": "Polo", "c": "polo", "d": ""}))
    assert (product(shop, "a").label_given, product(shop, "a").label_current) == (
        "T-Shirt",
        "t-shirt",
    )
    assert product(shop, "b").label_current == product(shop, "c").label_current == "Polo"
    assert product(shop, "d").label_current is None


def test_without_a_decision_the_feed_is_followed(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    report = ingest(shop, deliver(tmp_path / "in", {"a": "Shoes"}))
    assert (report.updated, report.second_look) == (1, 0)
    assert product(shop, "a").label_current == "shoes"


def test_a_decision_stands_while_the_feed_says_the_same(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    ingest(shop, folder)
    decide(shop, "a", "relabel", "shoes")
    assert ingest(shop, folder).unchanged == 1
    assert ingest(shop, deliver(tmp_path / "in", {"a": "HAT"})).unchanged == 1
    row = product(shop, "a")
    assert (row.label_given, row.label_current, row.review_state) == ("hat", "shoes", "changed")


def test_a_feed_that_changes_its_label_asks_for_a_second_look(
    shop: Catalogue, tmp_path: Path
) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    decide(shop, "a", "keep")
    report = ingest(shop, deliver(tmp_path / "in", {"a": "dress"}))
    row = product(shop, "a")
    assert report.second_look == 1
    assert (row.label_given, row.label_current, row.review_state) == (
        *("dress", "dress"),
        "second_look",
    )
    item = review.review_queue(shop, queue="second_look").items[0]
    assert "from hat to dress" in item.evidence
    assert "Ana kept hat" in item.evidence


def test_a_feed_that_now_agrees_leaves_the_decision_alone(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    decide(shop, "a", "relabel", "shoes")
    assert ingest(shop, deliver(tmp_path / "in", {"a": "Shoes"})).second_look == 0
    row = product(shop, "a")
    assert (row.label_given, row.label_current, row.review_state) == ("Shoes", "shoes", "changed")


def test_a_new_photo_is_looked_at_again(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    decide(shop, "a", "keep")
    before = product(shop, "a")
    report = ingest(shop, deliver(tmp_path / "in", {"a": "hat"}, colour="#3b5b8c"))
    after = product(shop, "a")
    assert (report.updated, report.second_look, after.review_state) == (1, 1, "second_look")
    assert after.image_sha256 != before.image_sha256
    with read(shop.engine) as session:
        model = models.active(session)
        assert model is not None
        assert products.with_vector(session, model.id, [after.id]) == {after.id}


def test_a_batch_is_written_whole_or_not_at_all(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcdef", "hat"))
    monkeypatch.setattr(intake, "BATCH", 2)
    calls = 0
    store = commands.store_output

    def failing(*args: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise RuntimeError("the lights went out")
        store(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(commands, "store_output", failing)
    with pytest.raises(RuntimeError, match="lights"):
        ingest(shop, folder)
    with read(shop.engine) as session:
        assert products.count(session) == 2
    assert runs.list_runs(shop)[0].state == "failed"
    monkeypatch.setattr(commands, "store_output", store)
    report = ingest(shop, folder)
    assert (report.added, report.unchanged) == (4, 2)


def test_ctrl_c_leaves_whole_batches_and_the_next_run_carries_on(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcd", "hat"))
    monkeypatch.setattr(intake, "BATCH", 2)

    def interrupted(share: float, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(shop, folder, progress=interrupted)
    assert runs.list_runs(shop)[0].state == "stopped"
    assert ingest(shop, folder).unchanged == 2


def test_only_one_ingest_at_a_time(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with (
        only_one(shop.settings.locks / "ingest.lock", "busy"),
        pytest.raises(BusyError, match="another ingest is running"),
    ):
        ingest(shop, folder)
    assert ingest(shop, folder).added == 1


def test_unknown_models_and_sources_are_named(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with pytest.raises(UnknownVersionError, match="choose from one"):
        ingest(shop, folder, model="two")
    with pytest.raises(SourceError, match="not a folder"):
        ingest(shop, tmp_path / "nowhere")


def test_one_clean_copy_of_each_photo_stays(shop: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    large = io.BytesIO()
    Image.new("RGB", (1200, 900), "#3b5b8c").save(large, "JPEG", exif=exif)
    (folder / "large.jpg").write_bytes(large.getvalue())
    small = io.BytesIO()
    Image.new("RGB", (120, 90), "#3b5b8c").save(small, "JPEG", exif=exif)
    (folder / "small.jpg").write_bytes(small.getvalue())
    ingest(shop, folder)
    for sku in ("large", "small"):
        row = product(shop, sku)
        stored = shop.settings.home / row.stored_image
        assert stored.stem == row.image_sha256
        assert b"secret" not in stored.read_bytes()
        assert max(decode(stored.read_bytes()).shape) <= 800
    untouched = shop.settings.home / product(shop, "small").stored_image
    assert (decode(untouched.read_bytes()) == decode(small.getvalue())).all()


def test_a_deleted_thumbnail_is_drawn_again(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    row = product(shop, "a")
    path = shop.settings.home / row.thumbnail
    path.unlink()
    assert ensure_thumbnail(shop.settings, row.stored_image, row.thumbnail).is_file()


def test_the_worker_is_asked_only_when_something_changed(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    ingest(shop, folder)
    assert sorted(job.kind for job in jobs.list_jobs(shop)) == ["assess", "project"]
    for job in jobs.list_jobs(shop):
        jobs.cancel(shop, job.id)
    ingest(shop, folder)
    assert {job.state for job in jobs.list_jobs(shop)} == {"cancelled"}


def test_photos_that_the_model_was_taught_are_marked(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    ingest(shop, folder)
    taught = product(shop, "a")
    seen = shop.settings.models / "two" / "training_photos.txt"
    register(shop, fake_model(shop.settings.models, "two"), activate=True)
    seen.write_text(f"{taught.image_sha256}\n")
    assert embed_missing(shop, "two") == 2
    marked = {
        sku: review.product_item(shop, product(shop, sku).id).trained_on  # type: ignore[union-attr]
        for sku in ("a", "b")
    }
    assert marked == {"a": True, "b": False}
    assert embed_missing(shop, "two") == 0
