"""The nightly ingest: what comes in, what stays, what is refused, and what a decision survives."""

import csv
import io
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from catalog_ai.data.sources import CategoryMap
from catalog_ai.errors import (
    BusyError,
    SourceError,
    StoppedError,
    UnknownVersionError,
    UsageError,
)
from catalog_ai.images import decode
from catalog_ai.services import deciding, intake, jobs, preparing, review, runs
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.crew import Batch, Crew
from catalog_ai.services.ingest import IngestReport, Wishes, embed_missing, ingest, read_categories
from catalog_ai.services.locking import one_at_a_time
from catalog_ai.services.photos import checksum_of, ensure_thumbnail, named_after
from catalog_ai.services.preparing import Prepared
from catalog_ai.services.retrying import try_again
from catalog_ai.services.training import register
from db.commands import products as commands
from db.engine import read, write
from db.queries import models, products
from db.schema import Features
from tests.helpers import fake_model, write_photo

COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b")


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
        assert products.with_vector(session, model.id, 1, ids) == set(ids)


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
    item = review.review_queue(shop, review.Filter("second_look")).items[0]
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
        assert products.with_vector(session, model.id, 1, [after.id]) == {after.id}


def test_a_batch_is_written_whole_or_not_at_all(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcdef", "hat"))
    monkeypatch.setattr(intake, "GROUP", 2)
    calls = 0
    store = commands.store_outputs

    def failing(*args: object, **options: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise RuntimeError("the lights went out")
        store(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(commands, "store_outputs", failing)
    with pytest.raises(RuntimeError, match="lights"):
        ingest(shop, folder)
    with read(shop.engine) as session:
        assert products.count(session) == 2
    assert runs.list_runs(shop)[0].state == "failed"
    monkeypatch.setattr(commands, "store_outputs", store)
    report = ingest(shop, folder)
    assert (report.added, report.unchanged) == (4, 2)


def test_ctrl_c_leaves_whole_batches_and_the_next_run_carries_on(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcd", "hat"))
    monkeypatch.setattr(intake, "GROUP", 2)

    def interrupted(share: float, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(shop, folder, progress=interrupted)
    assert runs.list_runs(shop)[0].state == "stopped"
    assert ingest(shop, folder).unchanged == 2


def test_only_one_ingest_at_a_time(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with (
        one_at_a_time(shop, "ingest", "busy"),
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
        assert named_after(stored) == (row.image_sha256, checksum_of(stored.read_bytes()))
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


def test_products_of_a_catalogue_without_features_are_looked_at_again(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    ingest(shop, folder)
    with write(shop.engine) as session:
        session.execute(delete(Features))
    report = ingest(shop, folder)
    assert (report.updated, report.unchanged, report.computed) == (0, 2, 2)
    with read(shop.engine) as session:
        of_photos = {row.product_id: row.image_sha256 for row in session.scalars(select(Features))}
    assert of_photos == {product(shop, sku).id: product(shop, sku).image_sha256 for sku in "ab"}
    assert ingest(shop, folder).computed == 0


def test_several_photos_of_one_product_come_in_behind_the_main_one(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    for place, name in enumerate(("front", "back", "side")):
        write_photo(folder / f"{name}.jpg", COLOURS[place])
    manifest = folder / "manifest.csv"
    manifest.write_text("sku,image,label\nA-1,front.jpg|back.jpg|side.jpg,hat\n")
    report = ingest(shop, folder)
    assert (report.seen, report.added, report.unlisted) == (1, 1, [])
    row = product(shop, "A-1")
    assert row.image_path == "front.jpg"

    def further() -> list[str]:
        with read(shop.engine) as session:
            photos = products.further_photos(session, [row.id]).get(row.id, ())
        assert all((shop.settings.home / photo.thumbnail).is_file() for photo in photos)
        return [photo.image_path for photo in photos]

    assert further() == ["back.jpg", "side.jpg"]
    assert ingest(shop, folder).unchanged == 1
    manifest.write_text("sku,image,label\nA-1,front.jpg|side.jpg,hat\n")
    assert ingest(shop, folder).updated == 1
    assert further() == ["side.jpg"]
    manifest.write_text("sku,image,label\nA-1,side.jpg|front.jpg,hat\n")
    assert ingest(shop, folder).updated == 1
    assert product(shop, "A-1").image_path == "side.jpg"
    assert further() == ["front.jpg"]
    (folder / "front.jpg").write_bytes(b"not a photo any more")
    report = ingest(shop, folder)
    assert (report.updated, [p["image"] for p in report.quarantined]) == (1, ["front.jpg"])
    assert further() == []


def test_products_that_share_a_photo_both_stay(shop: Catalogue, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_photo(folder / "one.jpg")
    (folder / "manifest.csv").write_text("sku,image,label\nA,one.jpg,hat\nB,one.jpg,shoes\n")
    assert ingest(shop, folder).added == 2
    assert product(shop, "A").image_sha256 == product(shop, "B").image_sha256


def test_what_left_the_feed_is_hidden_and_comes_back(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat", "b": "hat", "c": "hat"}))
    smaller = deliver(tmp_path / "later", {"a": "hat", "b": "hat"})
    assert ingest(shop, smaller).retired == 0  # nobody asked for it
    report = ingest(shop, smaller, wishes=Wishes(retire_missing="few"))
    assert report.retired == 1
    assert product(shop, "c").retired_run_id == report.run_id
    with read(shop.engine) as session:
        assert products.count(session) == 2
    assert ingest(shop, smaller, wishes=Wishes(retire_missing="few")).retired == 0
    assert ingest(shop, tmp_path / "in").updated == 1
    assert product(shop, "c").retired_run_id is None


def test_a_delivery_that_was_cut_short_hides_nothing(shop: Catalogue, tmp_path: Path) -> None:
    ingest(shop, deliver(tmp_path / "in", dict.fromkeys("abcd", "hat")))
    short = deliver(tmp_path / "later", {"a": "hat"})
    report = ingest(shop, short, wishes=Wishes(retire_missing="few"))
    assert report.retired == 0
    assert "3 of 4 products are not in this delivery" in report.message
    assert ingest(shop, short, wishes=Wishes(retire_missing="any")).retired == 3


def test_a_product_whose_photo_did_not_come_is_still_in_the_feed(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat", "c": "hat"})
    ingest(shop, folder)
    (folder / "images" / "c.jpg").unlink()
    assert ingest(shop, folder, wishes=Wishes(retire_missing="few")).retired == 0


def test_a_row_that_cannot_be_read_may_be_of_any_product(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat", "c": "hat"})
    ingest(shop, folder)
    (folder / "manifest.csv").write_text("image,label\na,hat\nb,hat\nc,hat,too,many\n")
    report = ingest(shop, folder, wishes=Wishes(retire_missing="any"))
    assert report.retired == 0
    assert "1 row cannot be read, so no product was hidden" in report.message


def test_a_photo_tried_again_is_read_as_its_delivery_was(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "Polo"})
    (folder / "manifest.csv").rename(folder / "feed.csv")
    (folder / "feed.csv").write_text("Photo,label\na,Polo\n")
    (folder / "images" / "a.jpg").write_bytes(b"no photo")
    mapping = CategoryMap({"polo": "t-shirt"})
    wishes = Wishes(columns={"image": "Photo"}, categories=mapping)
    assert len(ingest(shop, folder / "feed.csv", wishes=wishes).quarantined) == 1
    (item,) = runs.run_items(shop, 1, outcomes=["quarantined"])
    write_photo(folder / "images" / "a.jpg")
    job = jobs.get_job(shop, runs.retry(shop, item.id))
    assert try_again(shop, **job.parameters)["added"] == 1
    assert product(shop, "a").label_current == "t-shirt"


def test_the_page_of_a_run_is_written_however_it_ends(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    page = tmp_path / "run.html"
    ingest(shop, folder, wishes=Wishes(page=str(page)))
    assert "<title>" in page.read_text()
    page.unlink()
    monkeypatch.setattr(intake, "retire_missing", None)
    with pytest.raises(TypeError):
        ingest(shop, folder, wishes=Wishes(page=str(page), retire_missing="few"))
    assert page.is_file()


def test_what_could_not_be_hidden_is_not_counted(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat", "b": "hat", "c": "hat"}))
    smaller = deliver(tmp_path / "later", {"a": "hat", "b": "hat"})
    store, failures = IngestReport.store_counts, iter([True])

    def failing(self: IngestReport, session: Session) -> None:
        if self.retired and next(failures, False):
            raise RuntimeError("the lights went out")
        store(self, session)

    monkeypatch.setattr(IngestReport, "store_counts", failing)
    with pytest.raises(RuntimeError, match="lights"):
        ingest(shop, smaller, wishes=Wishes(retire_missing="few"))
    assert runs.list_runs(shop)[0].retired == 0
    assert product(shop, "c").retired_run_id is None


def test_only_a_whole_delivery_retires(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    with pytest.raises(UsageError, match="leave --only and --limit out"):
        ingest(shop, folder, wishes=Wishes(retire_missing="few", limit=1))


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    shop: Catalogue, tmp_path: Path
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    ingest(shop, folder)
    deliver(tmp_path / "in", {"a": "shoes", "b": "hat", "c": "hat"})
    (folder / "images" / "bad.jpg").write_bytes(b"no photo")
    (folder / "manifest.csv").write_text("image,label\na,shoes\nb,hat\nc,hat\nbad,hat\n")
    topics = ("products", "labels", "embeddings", "runs", "jobs")
    before, files = revision(shop, *topics), sorted(shop.settings.home.rglob("*.jpg"))
    report = ingest(shop, folder, wishes=Wishes(dry_run=True))
    counts = (report.added, report.updated, report.unchanged, len(report.quarantined))
    assert (report.run_id, *counts) == (0, 1, 1, 1, 1)
    assert revision(shop, *topics) == before
    assert sorted(shop.settings.home.rglob("*.jpg")) == files


def test_a_part_of_a_delivery(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcd", "hat"))
    assert ingest(shop, folder, wishes=Wishes(limit=1)).added == 1
    report = ingest(shop, folder, wishes=Wishes(only=frozenset({"c", "images/d.jpg"})))
    assert (report.seen, report.added) == (2, 2)
    assert ingest(shop, folder).added == 1


def test_refused_bytes_are_not_decoded_again(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat"})
    (folder / "images" / "a.jpg").write_bytes(b"no photo")
    first = ingest(shop, folder).quarantined
    monkeypatch.setattr(preparing, "decode_photo", None)
    assert ingest(shop, folder).quarantined == first
    monkeypatch.undo()
    write_photo(folder / "images" / "a.jpg")
    assert ingest(shop, folder).added == 1


def test_a_decision_made_while_photos_are_read_is_not_overwritten(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(shop, deliver(tmp_path / "in", {"a": "hat"}))
    folder = deliver(tmp_path / "in", {"a": "hat"}, colour="#3b5b8c")
    finish = Crew.finish

    def slow(self: Crew, batch: Batch) -> list[Prepared]:
        found = finish(self, batch)
        decide(shop, "a", "relabel", "shoes")
        return found

    monkeypatch.setattr(Crew, "finish", slow)
    report = ingest(shop, folder)
    row = product(shop, "a")
    assert (row.label_current, row.review_state) == ("shoes", "second_look")
    assert report.second_look == 1


def test_labels_that_are_no_category_are_counted(shop: Catalogue, tmp_path: Path) -> None:
    report = ingest(shop, deliver(tmp_path / "in", {"a": "Polo", "b": "polo", "c": "hat"}))
    assert list(report.unknown_labels.values()) == [2]


def test_a_mapping_gives_labels_their_category(shop: Catalogue, tmp_path: Path) -> None:
    mapping = tmp_path / "categories.txt"
    mapping.write_text("Polo = t-shirt\nNot sure = ?\n")
    folder = deliver(tmp_path / "in", {"a": "Polo", "b": "Not sure"})
    ingest(shop, folder, wishes=Wishes(categories=read_categories(mapping)))
    assert product(shop, "a").label_current == "t-shirt"
    assert product(shop, "b").label_current is None


def test_a_new_model_looks_at_everything_again(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    ingest(shop, folder)
    register(shop, fake_model(shop.settings.models, "two"), activate=True)
    report = ingest(shop, folder)
    assert (report.unchanged, report.computed) == (2, 2)
    assert ingest(shop, folder).computed == 0


def test_a_signal_ends_the_run_once_what_is_at_hand_is_written(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in", dict.fromkeys("abcdef", "hat"))
    monkeypatch.setattr(intake, "GROUP", 2)

    def told(share: float, message: str) -> None:
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(StoppedError, match="stopped after 2 of 6 products") as caught:
        ingest(shop, folder, progress=told)
    assert caught.value.exit_code == 143
    assert runs.list_runs(shop)[0].state == "stopped"
    assert ingest(shop, folder).unchanged == 2


def test_processes_do_not_run_the_main_module_again(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.py"
    page.write_text("import os; os._exit(3)\n")
    main = ModuleType("__main__")
    main.__file__ = str(page)
    monkeypatch.setitem(sys.modules, "__main__", main)
    several = Catalogue(replace(shop.settings, workers=2), shop.engine)
    folder = deliver(tmp_path / "in", {"a": "hat", "b": "hat"})
    assert ingest(several, folder).added == 2
    assert sys.modules["__main__"] is main
