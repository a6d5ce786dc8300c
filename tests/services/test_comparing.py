"""A model on trial beside the active one, without any network: what both said is written down."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import func, select

from catalog_ai.data.held_out import is_held_out
from catalog_ai.errors import UnknownVersionError, UsageError
from catalog_ai.evaluation.side_by_side import Tally
from catalog_ai.services import comparing, deciding, discarding, jobs, models
from catalog_ai.services.catalogue import Catalogue, revision
from db.commands import models as commands
from db.engine import read, write
from db.queries import models as queries
from db.schema import (
    Difference,
    Embedding,
    Features,
    LabelScore,
    ModelVersion,
    Prediction,
    Product,
    Verdict,
)
from db.vectors import halves, to_blob
from tests.helpers import CLASSES, Seeded, model_meta, seed_catalogue

NEW = "2026-11-24-small"
SHIFT = {0: 1, 3: 2}  # of seven products, the first and the fourth would go elsewhere


@pytest.fixture
def seeded(catalogue: Catalogue) -> Seeded:
    return seed_catalogue(catalogue, n=70)


@pytest.fixture
def newer(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """A version that sees two of seven products differently; a function that compares it."""
    monkeypatch.setattr(comparing, "embed_missing", lambda *args, **options: 0)
    folder = catalogue.settings.models / NEW
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps(model_meta(NEW)))
    with write(catalogue.engine) as session:
        number = commands.add_version(session, model_meta(NEW), datetime.now(UTC))
        for place, product_id in enumerate(seeded.product_ids):
            old = session.get_one(Prediction, (product_id, seeded.model_id))
            label = CLASSES[(CLASSES.index(old.top_label) + SHIFT.get(place % 7, 0)) % 7]
            key = {
                "product_id": product_id,
                "model_version_id": number,
                "image_sha256": old.image_sha256,
            }
            session.add(
                Prediction(
                    **key,
                    probabilities=old.probabilities,
                    top_label=label,
                    confidence=0.5 + place / 1000,
                    trained_on=False,
                )
            )
            numbers = np.full(64, 1 / 8, np.float32)
            session.add(Embedding(**key, dimension=64, vector=to_blob(numbers)))
            session.add(Features(**key, numbers=halves(numbers)))
    return lambda: comparing.compare(catalogue, NEW)


def rows_of(catalogue: Catalogue, version: str) -> list[int]:
    with read(catalogue.engine) as session:
        row = queries.by_version(session, version)
        assert row is not None
        return [
            session.scalar(
                select(func.count()).select_from(table).where(table.model_version_id == row.id)
            )
            or 0
            for table in (Prediction, Embedding, Features, Difference)
        ]


def active(catalogue: Catalogue) -> list[str]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(ModelVersion.version).where(ModelVersion.is_active)))


def test_exactly_those_products_are_listed_that_would_change(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    assert newer() == {"version": NEW, "products": 70, "changed": 20}
    expected = {id for place, id in enumerate(seeded.product_ids) if place % 7 in SHIFT}
    page = comparing.changes(catalogue, NEW)
    assert (page.total, page.pages) == (20, 1)
    assert {change.product_id for change in page.items} == expected
    assert all(change.old_label != change.new_label for change in page.items)
    sure = [change.new_confidence for change in page.items]
    assert sure == sorted(sure, reverse=True)
    found = comparing.trial(catalogue, NEW)
    assert (found.base, found.products, found.changed) == (seeded.version, 70, 20)
    assert sum(pair.products for pair in found.pairs) == 20
    for pair in found.pairs:
        part = comparing.changes(catalogue, NEW, pair=(pair.old, pair.new))
        assert part.total == pair.products == len(part.items)
        assert {(one.old_label, one.new_label) for one in part.items} == {(pair.old, pair.new)}


def test_changes_come_in_pages(
    catalogue: Catalogue, newer: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer()
    monkeypatch.setattr(comparing, "PAGE_SIZE", 8)
    pages = [comparing.changes(catalogue, NEW, page=number) for number in (1, 2, 3, 9)]
    assert [(len(page.items), page.page, page.pages) for page in pages] == [
        *((8, 1, 3), (8, 2, 3)),
        *((4, 3, 3), (4, 3, 3)),
    ]
    assert len({one.product_id for page in pages[:3] for one in page.items}) == 20


def test_figures_are_those_of_the_held_out_photos(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    newer()
    figures = comparing.trial(catalogue, NEW).figures
    counted: dict[str, list[tuple[bool, bool]]] = {"everything": [], "unseen": [], "undoubted": []}
    with read(catalogue.engine) as session:
        number = session.scalar(select(ModelVersion.id).where(ModelVersion.version == NEW))
        for product in session.scalars(select(Product)):
            old = session.get_one(Prediction, (product.id, seeded.model_id))
            new = session.get_one(Prediction, (product.id, number))
            score = session.get_one(LabelScore, (product.id, seeded.model_id))
            held_out = is_held_out(product.image_sha256) and product.review_state == "open"
            if not held_out or product.label_current not in CLASSES:
                continue
            right = (old.top_label == product.label_current, new.top_label == product.label_current)
            counted["everything"].append(right)
            if not old.trained_on:
                counted["unseen"].append(right)
            if not score.looks_wrong:
                counted["undoubted"].append(right)
    for name, said in counted.items():
        assert getattr(figures, name) == Tally(
            photos=len(said),
            old_right=sum(old for old, _ in said),
            new_right=sum(new for _, new in said),
            better=sum(new > old for old, new in said),
            worse=sum(new < old for old, new in said),
        )
    assert 0 < figures.unseen.photos < figures.everything.photos
    assert figures.seen == figures.everything.photos - figures.unseen.photos
    assert sum(one.tally.photos for one in figures.by_category) == figures.unseen.photos
    assert figures.confirmed == Tally()


def test_what_people_confirmed_is_measured_by_itself(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    with read(catalogue.engine) as session:
        chosen = next(
            product
            for product in session.scalars(select(Product).order_by(Product.id))
            if is_held_out(product.image_sha256) and product.id in seeded.product_ids[9:]
        )
    deciding.decide(
        *(catalogue, chosen.id, "keep"),
        reviewer="Ana",
        request_key="kept",
        seen_version=chosen.version,
        seen_sha256=chosen.image_sha256,
    )
    newer()
    assert comparing.trial(catalogue, NEW).figures.confirmed.photos == 1


def test_a_photo_that_changed_since_is_not_compared(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    with write(catalogue.engine) as session:
        session.get_one(Product, seeded.product_ids[0]).image_sha256 = "0" * 64
    assert newer() == {"version": NEW, "products": 69, "changed": 19}


def test_a_second_comparison_takes_the_place_of_the_first(
    catalogue: Catalogue, newer: Callable[[], None]
) -> None:
    first = newer()
    before = revision(catalogue, "trials", "models")
    assert newer() == first
    assert rows_of(catalogue, NEW)[-1] == 20
    assert all(np.array(revision(catalogue, "trials", "models")) > before)
    folder = catalogue.settings.models / NEW
    assert json.loads((folder / "meta.json").read_text())["comparison"]["changed"] == 20


def test_the_sample_is_by_chance_and_the_same_for_everybody(
    catalogue: Catalogue, newer: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer()
    monkeypatch.setattr(comparing, "SAMPLE", 7)
    first = [change.product_id for change in comparing.to_judge(catalogue, NEW)]
    newer()
    assert [change.product_id for change in comparing.to_judge(catalogue, NEW)] == first
    assert len(set(first)) == 7
    assert first != sorted(first), "not simply the first ones"


def test_a_verdict_is_counted_replaced_and_taken_back(
    catalogue: Catalogue, newer: Callable[[], None]
) -> None:
    newer()
    first, second = (change.product_id for change in comparing.to_judge(catalogue, NEW)[:2])
    comparing.judge(catalogue, NEW, first, "old", reviewer="Ana")
    comparing.judge(catalogue, NEW, first, "new", reviewer="Ben")
    comparing.judge(catalogue, NEW, second, "neither", reviewer="Ana")
    assert comparing.trial(catalogue, NEW).judged == comparing.Judged(new=1, old=0, neither=1)
    shown = comparing.to_judge(catalogue, NEW)[0]
    assert (shown.verdict, shown.reviewer) == ("new", "Ben")
    comparing.take_back(catalogue, NEW, first)
    assert comparing.trial(catalogue, NEW).judged.total == 1
    newer()
    assert comparing.trial(catalogue, NEW).judged.total == 1, "comparing again forgets no word"


def test_what_cannot_be_judged_is_said(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    newer()
    first = comparing.to_judge(catalogue, NEW)[0].product_id
    with pytest.raises(UsageError, match="'perhaps' is no verdict: choose from new, old, neither"):
        comparing.judge(catalogue, NEW, first, "perhaps", reviewer="Ana")
    with pytest.raises(UsageError, match="type your name"):
        comparing.judge(catalogue, NEW, first, "new", reviewer=" ")
    with pytest.raises(UsageError, match="both models agree"):
        comparing.judge(catalogue, NEW, seeded.product_ids[1], "new", reviewer="Ana")
    with pytest.raises(UnknownVersionError, match="no model 'nope'"):
        comparing.judge(catalogue, "nope", first, "new", reviewer="Ana")
    with read(catalogue.engine) as session:
        assert session.scalar(select(func.count()).select_from(Verdict)) == 0


def test_a_trial_is_open_until_it_is_promoted_or_discarded(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    assert comparing.open_trial(catalogue) is None
    with pytest.raises(UsageError, match="not compared yet"):
        comparing.trial(catalogue, NEW)
    newer()
    found = comparing.open_trial(catalogue)
    assert found is not None
    assert found.version == NEW
    comparing.promote(catalogue, NEW, reviewer="Ana")
    assert (active(catalogue), comparing.open_trial(catalogue)) == ([NEW], None)
    models.activate(catalogue, seeded.version, requested_by="Ana")
    assert comparing.open_trial(catalogue) is not None, "back where it was, it can be tried again"
    discarding.discard(catalogue, NEW)
    assert comparing.open_trial(catalogue) is None


def test_the_active_model_is_not_compared_with_itself(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    with pytest.raises(UsageError, match="is the active model"):
        comparing.compare(catalogue, seeded.version)


def test_promoting_keeps_the_old_rows_and_says_who_chose(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    newer()
    before = rows_of(catalogue, seeded.version)
    comparing.promote(catalogue, NEW, reviewer="Ana")
    models.activate(catalogue, seeded.version, requested_by="Ben")
    assert rows_of(catalogue, seeded.version) == before
    assert [(one.version, one.by) for one in models.activations(catalogue)] == [
        (seeded.version, "Ben"),
        (NEW, "Ana"),
    ]


def test_people_who_promote_and_discard_at_once_leave_one_active(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    def turn(number: int) -> None:
        try:
            if number % 3 == 0:
                comparing.promote(catalogue, NEW, reviewer=f"reviewer {number}")
            elif number % 3 == 1:
                models.activate(catalogue, seeded.version, requested_by="")
            else:
                discarding.discard(catalogue, NEW)
        except (UnknownVersionError, UsageError):
            pass

    newer()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(24)))
    with read(catalogue.engine) as session:
        chosen = session.scalars(select(ModelVersion).where(ModelVersion.is_active)).one()
    assert not chosen.is_discarded


def test_a_discarded_version_is_hidden_and_cannot_be_used(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None]
) -> None:
    newer()
    with pytest.raises(UsageError, match="is in use: use another model first"):
        discarding.discard(catalogue, seeded.version)
    discarding.discard(catalogue, NEW, requested_by="Ana")
    assert [model.version for model in models.list_models(catalogue)] == [seeded.version]
    assert [model.version for model in models.list_models(catalogue, discarded=True)] == [NEW]
    with pytest.raises(UnknownVersionError, match="was discarded: bring it back first"):
        comparing.promote(catalogue, NEW, reviewer="Ana")
    assert active(catalogue) == [seeded.version]


def test_what_a_discarded_version_said_is_cleared_away_and_nothing_else(
    catalogue: Catalogue, seeded: Seeded, newer: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    newer()
    before = rows_of(catalogue, seeded.version)
    discarding.discard(catalogue, NEW, requested_by="Ana")
    (job,) = jobs.list_jobs(catalogue)
    assert (job.kind, job.parameters) == ("clear", {"version": NEW})
    assert jobs.run_jobs(catalogue, loop=False, poll_seconds=0.01) == 0
    assert jobs.get_job(catalogue, job.id).result == {"products": 70}
    assert rows_of(catalogue, NEW) == [0, 0, 0, 0]
    assert rows_of(catalogue, seeded.version) == before
    assert (catalogue.settings.models / NEW / "meta.json").is_file()


def test_what_is_brought_back_is_not_cleared_away(
    catalogue: Catalogue, newer: Callable[[], None]
) -> None:
    newer()
    discarding.discard(catalogue, NEW)
    discarding.bring_back(catalogue, NEW, requested_by="Ana")
    assert discarding.clear_away(catalogue, NEW) == {"products": 0}
    assert rows_of(catalogue, NEW) == [70, 70, 70, 20]
    assert NEW in [model.version for model in models.list_models(catalogue)]
    newest = jobs.list_jobs(catalogue)[0]
    assert (newest.kind, newest.parameters) == ("compare", {"version": NEW})


@pytest.mark.parametrize("service", [discarding.discard, discarding.bring_back])
def test_a_version_that_is_not_there(
    catalogue: Catalogue, seeded: Seeded, service: Callable[..., None]
) -> None:
    with pytest.raises(UnknownVersionError, match="no model 'nope'"):
        service(catalogue, "nope")
