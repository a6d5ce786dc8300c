"""Training the active model further: what it learns from, and what it leaves alone."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from catalog_ai.data.held_out import is_held_out
from catalog_ai.errors import TrainingDataError, UsageError
from catalog_ai.services import comparing, deciding, jobs, lessons, models, retraining
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import model_row
from db.engine import read, write
from db.schema import Embedding, Features, Job, ModelVersion, Prediction, Product
from tests.helpers import CLASSES, Seeded, model_meta, seed_catalogue

if TYPE_CHECKING:
    from catalog_ai.training.task import Task, Trained

NEW = "small-retrained"


@pytest.fixture
def seeded(catalogue: Catalogue) -> Seeded:
    return seed_catalogue(catalogue, n=80, weights=True)


def retrain(catalogue: Catalogue, seeded: Seeded, **options: Any) -> dict[str, Any]:
    return retraining.retrain(catalogue, base=seeded.version, version=NEW, epochs=1, **options)


def material(catalogue: Catalogue) -> lessons.Material:
    return lessons.choose(catalogue, model_row(catalogue, None))


def decide(catalogue: Catalogue, product_id: int, action: str, label: str | None = None) -> None:
    with read(catalogue.engine) as session:
        product = session.get_one(Product, product_id)
    deciding.decide(
        *(catalogue, product_id, action),
        label=label,
        reviewer="Ana",
        request_key=f"{action}-{product_id}",
        seen_version=product.version,
        seen_sha256=product.image_sha256,
    )


def said_by(catalogue: Catalogue, model_id: int) -> str:
    """Return a hash of everything that a version said of products."""
    digest = hashlib.sha256()
    with read(catalogue.engine) as session:
        for table in (Prediction, Embedding, Features):
            columns = list(table.__table__.columns)
            query = select(*columns).where(table.model_version_id == model_id)
            for row in session.execute(query.order_by(table.product_id)):
                digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def digests(catalogue: Catalogue) -> dict[int, str]:
    with read(catalogue.engine) as session:
        return {product.id: product.image_sha256 for product in session.scalars(select(Product))}


def test_the_active_model_and_what_it_said_stay_as_they_are(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    decide(catalogue, seeded.wrong_ids[0], "relabel", CLASSES[0])
    before = said_by(catalogue, seeded.model_id)
    told: list[tuple[float, str]] = []
    found = retrain(catalogue, seeded, progress=lambda share, words: told.append((share, words)))
    assert said_by(catalogue, seeded.model_id) == before
    active = models.active_model(catalogue)
    assert active is not None
    assert active.version == seeded.version
    (new,) = (model for model in models.list_models(catalogue) if model.version == NEW)
    assert new.predictions == len(seeded.product_ids) == found["products"]
    assert new.meta["parent"] == seeded.version
    assert (new.meta["corrections"], new.recipe) == (1, "small")
    assert new.metrics["images"] == new.meta["data"]["validation"] > 0
    trial = comparing.open_trial(catalogue)
    assert trial is not None
    assert (trial.version, trial.corrections, trial.changed) == (NEW, 1, found["changed"])
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] <= 1


def test_what_is_held_out_is_never_learnt_and_copies_stay_together(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog_ai.training import successor

    with write(catalogue.engine) as session:
        first, other = (session.get_one(Product, seeded.product_ids[row]) for row in (20, 41))
        other.image_sha256, other.stored_image = first.image_sha256, first.stored_image
    real: Callable[..., Trained] = successor.continue_training
    learnt: list[str] = []

    def watched(task: "Task", *others: Any) -> "Trained":
        learnt.extend((*task.training.sha256, *task.validation.sha256))
        return real(task, *others)

    monkeypatch.setattr(successor, "continue_training", watched)
    retrain(catalogue, seeded)
    assert learnt
    assert not any(map(is_held_out, learnt))
    chosen = material(catalogue)
    one, two = ({row.image_sha256 for row in rows} for rows in (chosen.training, chosen.held_out))
    assert not one & two
    assert set(learnt) == one
    assert all(map(is_held_out, two))


def test_a_label_that_looks_wrong_is_learnt_only_once_somebody_decided(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    photo = digests(catalogue)
    doubted = [number for number in seeded.wrong_ids if not is_held_out(photo[number])]
    before = {row.id: row.label for row in material(catalogue).training}
    assert not before.keys() & set(doubted)
    assert material(catalogue).doubted == len(doubted)
    decide(catalogue, doubted[0], "keep")
    decide(catalogue, doubted[1], "relabel", CLASSES[2])
    decide(catalogue, doubted[2], "not_product")
    after = material(catalogue)
    labels = {row.id: row.label for row in after.training}
    assert labels.keys() - before.keys() == {doubted[0], doubted[1]}
    assert labels[doubted[1]] == CLASSES[2]
    assert after.confirmed == 2


def test_labels_that_look_wrong_are_measured_all_the_same(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """Left out, the active model would be spared its own mistakes."""
    photo = digests(catalogue)
    with write(catalogue.engine) as session:
        product = session.get_one(Product, seeded.wrong_ids[0])
        product.image_sha256 = "0" * 64
    assert is_held_out("0" * 64)
    expected = {number for number in photo if is_held_out(digests(catalogue)[number])}
    expected -= {seeded.second_look_id, *seeded.unknown_ids}
    assert {row.id for row in material(catalogue).held_out} == expected


def test_a_category_is_learnt_from_eight_photos_or_known_before(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    photo = digests(catalogue)
    learnt = [number for number in seeded.product_ids[9:] if not is_held_out(photo[number])]
    with write(catalogue.engine) as session:
        for place, number in enumerate(learnt[:15]):
            label = "Bag" if place < 8 else "Scarf"
            session.get_one(Product, number).label_current = label
        for product in session.scalars(select(Product).where(Product.label_current == "hat")):
            product.label_current = "Hat"
    assert material(catalogue).classes == ("Bag", "Hat", *(CLASSES[0], *CLASSES[2:]))


def test_of_many_photos_each_category_gives_as_many_and_confirmed_ones_first(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lessons, "MOST_LEARNT", 14)
    photo = digests(catalogue)
    kept = [number for number in seeded.product_ids[9:] if not is_held_out(photo[number])][-2:]
    for number in kept:
        decide(catalogue, number, "keep")
    rows = material(catalogue).training
    assert sorted(row.label or "" for row in rows) == sorted(CLASSES * 2)
    assert set(kept) <= {row.id for row in rows}


def test_without_enough_labels_nothing_is_trained(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        for product in session.scalars(select(Product)):
            product.label_current = "hat"
    with pytest.raises(TrainingDataError, match="fewer than two categories have 8 photos"):
        retrain(catalogue, seeded)
    assert not (catalogue.settings.models / NEW).exists()


def test_what_is_trained_is_not_trained_again(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was stopped while it looked at all products goes on there."""

    def stopped(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(comparing, "compare", stopped)
        with pytest.raises(KeyboardInterrupt):
            retrain(catalogue, seeded)
    written = (catalogue.settings.models / NEW / "weights.safetensors").stat().st_mtime_ns
    retrain(catalogue, seeded)
    assert (catalogue.settings.models / NEW / "weights.safetensors").stat().st_mtime_ns == written
    assert comparing.open_trial(catalogue) is not None


def test_the_worker_retrains_and_promoting_needs_no_second_look_at_the_photos(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    number = retraining.ask(catalogue, requested_by="Ana")
    assert retraining.ask(catalogue, requested_by="Ben") == number, "one at a time is enough"
    assert jobs.run_jobs(catalogue, loop=False, poll_seconds=0.01) == 0
    job = jobs.get_job(catalogue, number)
    assert (job.title, job.state) == ("Retrain on the corrections", "done")
    comparing.promote(catalogue, job.result["version"], reviewer="Ana")
    with write(catalogue.engine) as session:  # the map takes seconds and is not what this is about
        session.scalars(select(Job).where(Job.kind == "project")).one().state = "cancelled"
    assert jobs.run_jobs(catalogue, loop=False, poll_seconds=0.01) == 0
    embed = next(job for job in jobs.list_jobs(catalogue) if job.kind == "embed")
    assert embed.result == {"embedded": 0}


def test_a_cancelled_retraining_leaves_no_version(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    from catalog_ai.services import working

    monkeypatch.setattr(working, "PROGRESS_SECONDS", 0.0)
    number = retraining.ask(catalogue, requested_by="Ana")

    def cancel(job: jobs.JobView) -> None:
        if job.message == "Teaching the categories":
            jobs.cancel(catalogue, number)

    assert jobs.run_jobs(catalogue, loop=False, poll_seconds=0.01, progress=cancel) == 0
    assert jobs.get_job(catalogue, number).state == "cancelled"
    assert [model.version for model in models.list_models(catalogue)] == [seeded.version]
    folders = [path.name for path in catalogue.settings.models.iterdir()]
    assert folders == [seeded.version]


def test_corrections_count_from_the_active_models_training_on(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    def waiting() -> int:
        found = retraining.readiness(catalogue)
        assert found is not None
        return found.corrections

    assert waiting() == 0, "the feed has overtaken the one there was"
    decide(catalogue, seeded.wrong_ids[0], "relabel", CLASSES[0])
    decide(catalogue, seeded.wrong_ids[1], "keep")
    decide(catalogue, seeded.wrong_ids[2], "relabel", CLASSES[1])
    assert waiting() == 2
    with write(catalogue.engine) as session:
        row = session.get_one(ModelVersion, seeded.model_id)
        row.meta = row.meta | {"learnt_until_decision": seeded.decision_id + 1}
    assert waiting() == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": []}, "knows no categories yet: train the recipe small or default"),
        ({"shared_backbone": False}, "of the recipe article, whose two networks share nothing"),
    ],
)
def test_a_model_that_cannot_be_trained_further_says_what_to_train(
    catalogue: Catalogue, seeded: Seeded, change: dict[str, Any], words: str
) -> None:
    with write(catalogue.engine) as session:
        row = session.get_one(ModelVersion, seeded.model_id)
        if "classes" in change:
            row.classes = []
        else:
            meta = model_meta(seeded.version)
            row.meta = meta | {"architecture": meta["architecture"] | change}
    found = retraining.readiness(catalogue)
    assert found is not None
    assert words in found.why_not
    with pytest.raises(UsageError, match=words):
        retraining.ask(catalogue)
    assert jobs.list_jobs(catalogue) == []


def test_without_a_model_there_is_nothing_to_train_further(catalogue: Catalogue) -> None:
    assert retraining.readiness(catalogue) is None
    with pytest.raises(UsageError, match="no model yet"):
        retraining.ask(catalogue)
