from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from catalog_ai.errors import UnknownVersionError, UsageError
from catalog_ai.services import jobs, models, review
from catalog_ai.services.catalogue import Catalogue, revision
from db.engine import read, write
from db.schema import ModelVersion
from tests.helpers import CLASSES, Seeded, model_meta


@pytest.fixture
def newer(catalogue: Catalogue, seeded: Seeded) -> str:
    """A second version that is not in use."""
    version = "2026-11-23-small"
    with write(catalogue.engine) as session:
        first = session.get_one(ModelVersion, seeded.model_id)
        session.add(
            ModelVersion(
                version=version,
                recipe="article",
                classes=list(CLASSES),
                dimension=64,
                meta=model_meta(version),
                created_at=first.created_at,
            )
        )
    return version


def active(catalogue: Catalogue) -> list[str]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(ModelVersion.version).where(ModelVersion.is_active)))


def test_without_models_there_are_none(catalogue: Catalogue) -> None:
    assert models.list_models(catalogue) == ()
    assert models.active_model(catalogue) is None


def test_versions_come_newest_first_with_their_certificate(
    catalogue: Catalogue, seeded: Seeded, newer: str
) -> None:
    latest, first = models.list_models(catalogue)
    assert (latest.version, latest.is_active, latest.predictions) == (newer, False, 0)
    assert (first.version, first.is_active) == (seeded.version, True)
    assert first.predictions == len(seeded.product_ids)
    meta = model_meta(seeded.version)
    assert first.classes == CLASSES
    assert (first.metrics, first.history) == (meta["metrics"], meta["history"])
    assert (first.confusion, first.per_class) == (meta["confusion"], meta["per_class"])
    assert models.active_model(catalogue) == first


def test_activation_swaps_the_model_and_asks_for_all_that_depends_on_it(
    catalogue: Catalogue, seeded: Seeded, newer: str
) -> None:
    before = revision(catalogue, "models")
    models.activate(catalogue, newer, requested_by="Ana")
    assert active(catalogue) == [newer]
    assert revision(catalogue, "models") > before
    queued = jobs.list_jobs(catalogue)
    assert [job.kind for job in reversed(queued)] == ["embed", "assess", "project"]
    assert {job.requested_by for job in queued} == {"Ana"}
    assert queued[-1].parameters == {"version": newer}
    assert review.review_queue(catalogue).total == 0, "the old model's judgement is not shown"


def test_activation_can_be_taken_back(catalogue: Catalogue, seeded: Seeded, newer: str) -> None:
    models.activate(catalogue, newer, requested_by="Ana")
    models.activate(catalogue, seeded.version, requested_by="Ana")
    assert active(catalogue) == [seeded.version]
    assert review.review_queue(catalogue).total == len(seeded.wrong_ids)


def test_who_chose_which_version_is_remembered(
    catalogue: Catalogue, seeded: Seeded, newer: str
) -> None:
    assert models.activations(catalogue) == ()
    for number in range(25):
        version = (newer, seeded.version)[number % 2]
        models.activate(catalogue, version, requested_by=f"Ana\t{number}\n")
    chosen = models.activations(catalogue)
    assert len(chosen) == 20, "no more than a page can show"
    assert (chosen[0].version, chosen[0].by) == (newer, "Ana 24")
    assert chosen[0].at >= chosen[-1].at


def test_a_version_that_is_not_there_changes_nothing(
    catalogue: Catalogue, seeded: Seeded, newer: str
) -> None:
    with pytest.raises(UnknownVersionError, match=rf"no model 'nope'.*{newer}, {seeded.version}"):
        models.activate(catalogue, "nope", requested_by="Ana")
    assert active(catalogue) == [seeded.version]
    assert jobs.list_jobs(catalogue) == []


def test_a_failure_in_the_middle_leaves_the_old_one(
    catalogue: Catalogue, seeded: Seeded, newer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., bool] = models.commands.activate

    def halfway(*args: object) -> bool:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(models.commands, "activate", halfway)
    with pytest.raises(KeyboardInterrupt):
        models.activate(catalogue, newer, requested_by="Ana")
    assert active(catalogue) == [seeded.version]


def test_people_who_activate_at_once_leave_one_active(
    catalogue: Catalogue, seeded: Seeded, newer: str
) -> None:
    versions = [seeded.version, newer] * 10
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: models.activate(catalogue, name, requested_by=""), versions))
    assert len(active(catalogue)) == 1
    with read(catalogue.engine) as session:
        assert session.scalar(select(func.count()).select_from(ModelVersion)) == 2


def test_training_is_a_job(catalogue: Catalogue) -> None:
    number = models.start_training(
        catalogue, recipe="small", epochs=3, activate=True, requested_by="Ana"
    )
    job = jobs.get_job(catalogue, number)
    assert (job.kind, job.state, job.requested_by) == ("train", "queued", "Ana")
    assert job.parameters == {
        "recipe": "small",
        "epochs": 3,
        "siamese_epochs": None,
        "activate": True,
    }


def test_the_recipes_offered_are_those_that_exist() -> None:
    from catalog_ai.training.recipes import RECIPES

    assert set(models.RECIPES) == set(RECIPES)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "huge"}, "no recipe 'huge': choose from small, default, article"),
        ({"recipe": "small", "epochs": 0}, "0 epochs"),
        ({"recipe": "small", "siamese_epochs": -1}, "-1 siamese epochs"),
    ],
)
def test_what_cannot_be_trained_is_said_before_the_worker_tries(
    catalogue: Catalogue, options: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        models.start_training(catalogue, **options)
    assert jobs.list_jobs(catalogue) == []
