"""What an assessment finds besides wrong labels, and what of it is written again."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import select, update

from catalog_ai.services.assessing import assess
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import decide
from catalog_ai.services.review import product_item
from db.engine import read, write
from db.schema import (
    Assessment,
    Category,
    Embedding,
    Features,
    LabelScore,
    ModelVersion,
    Overlap,
    Prediction,
    Product,
)
from db.vectors import halves, to_blob
from tests.helpers import CLASSES, DIMENSION, Seeded, seed_catalogue

Vector = np.ndarray


def scores(catalogue: Catalogue) -> dict[int, LabelScore]:
    with read(catalogue.engine) as session:
        active = select(ModelVersion.id).where(ModelVersion.is_active).scalar_subquery()
        rows = session.scalars(select(LabelScore).where(LabelScore.model_version_id == active))
        return {row.product_id: row for row in rows}


def overlaps(catalogue: Catalogue) -> list[Overlap]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(Overlap).order_by(Overlap.share.desc())))


def change(catalogue: Catalogue, ids: Sequence[int], **values: object) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(**values))


def show(catalogue: Catalogue, model_id: int, seen: dict[int, Vector]) -> None:
    """Let the model see other photos of these products: features and vectors are given."""
    with write(catalogue.engine) as session:
        for number, vector in seen.items():
            unit = (vector / np.linalg.norm(vector)).astype(np.float32)
            session.get_one(Features, (number, model_id)).numbers = halves(unit.astype("<f2"))
            session.get_one(Embedding, (number, model_id)).vector = to_blob(unit)


def seen(catalogue: Catalogue, model_id: int, number: int) -> Vector:
    with read(catalogue.engine) as session:
        numbers = session.get_one(Features, (number, model_id)).numbers
    return np.frombuffer(numbers, "<f2").astype(np.float32)


@pytest.fixture
def wide(catalogue: Catalogue) -> Seeded:
    """Enough products of seven categories, no label of which is wrong."""
    return seed_catalogue(catalogue, n=140, flagged=0)


def test_copies_under_two_labels_are_twins_of_each_other(
    catalogue: Catalogue, wide: Seeded
) -> None:
    one, other, unlike = wide.product_ids[30], wide.product_ids[45], wide.product_ids[60]
    photo = seen(catalogue, wide.model_id, one)
    show(catalogue, wide.model_id, {other: photo + np.float32(0.002), unlike: photo})
    change(catalogue, [unlike], review_state="not_product")
    assess(catalogue)
    twins = {number: row.twin_id for number, row in scores(catalogue).items() if row.twin_id}
    assert twins == {one: other, other: one}


def test_one_spelling_more_is_not_another_label(catalogue: Catalogue, wide: Seeded) -> None:
    one, other = wide.product_ids[30], wide.product_ids[45]
    show(catalogue, wide.model_id, {other: seen(catalogue, wide.model_id, one)})
    change(catalogue, [one], label_current="Hat")
    change(catalogue, [other], label_current=" hat")
    assess(catalogue)
    assert not any(row.twin_id for row in scores(catalogue).values())
    change(catalogue, [other], label_current="Not sure")
    assess(catalogue)
    assert not any(row.twin_id for row in scores(catalogue).values())


def logo(number: int) -> Vector:
    random = np.random.default_rng(3)
    return random.normal(size=DIMENSION) + 0.05 * np.random.default_rng(number).normal(
        size=DIMENSION
    )


def common(catalogue: Catalogue, shop: Seeded) -> dict[int, Vector]:
    """Photos share most of what a network sees in them."""
    share = np.random.default_rng(8).normal(size=DIMENSION) / np.sqrt(DIMENSION)
    return {
        number: 1.5 * share + seen(catalogue, shop.model_id, number) for number in shop.product_ids
    }


def test_what_looks_like_no_product_photo_is_odd(catalogue: Catalogue, wide: Seeded) -> None:
    odd = wide.product_ids[20:23]
    show(catalogue, wide.model_id, common(catalogue, wide) | {n: logo(n) for n in odd})
    assess(catalogue)
    found = scores(catalogue)
    assert {number for number, row in found.items() if row.looks_odd} == set(odd)
    assert all(0 <= (row.oddity or 0) <= 1 and row.oddity is not None for row in found.values())
    assert min(found[number].oddity or 0 for number in odd) > 0.5


def test_what_resembles_a_photo_that_somebody_marked_is_odd(
    catalogue: Catalogue, wide: Seeded
) -> None:
    marked, alike = wide.product_ids[20:22]
    photos = common(catalogue, wide)
    person = np.mean(list(photos.values()), axis=0) + 0.05 * logo(1)
    show(catalogue, wide.model_id, photos | {marked: person, alike: person + 0.001})
    assess(catalogue)
    assert not any(row.looks_odd for row in scores(catalogue).values())
    change(catalogue, [marked], review_state="not_product")
    assess(catalogue)
    found = scores(catalogue)
    assert {number for number, row in found.items() if row.looks_odd} == {alike}
    assert marked not in found


def test_without_features_nobody_knows_what_is_odd(catalogue: Catalogue, wide: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.delete(session.get_one(Features, (wide.product_ids[0], wide.model_id)))
    assess(catalogue)
    found = scores(catalogue).values()
    assert all(row.oddity is None and not row.looks_odd for row in found)


def mixed_up(catalogue: Catalogue, wide: Seeded) -> list[int]:
    """Let pants and shorts look the same, and return them."""
    both = [n for i, n in enumerate(wide.product_ids) if CLASSES[i % 7] in ("pants", "shorts")]
    centre = seen(catalogue, wide.model_id, both[0])
    random = np.random.default_rng(6)
    noise = 0.08 * random.normal(size=(len(both), DIMENSION))
    show(catalogue, wide.model_id, dict(zip(both, centre + noise, strict=True)))
    return both


def test_categories_that_look_the_same_overlap(catalogue: Catalogue, wide: Seeded) -> None:
    both = mixed_up(catalogue, wide)
    assess(catalogue)
    assess(catalogue)
    (pair,) = overlaps(catalogue)
    found = scores(catalogue)
    assert (pair.one, pair.other) == ("pants", "shorts")
    assert pair.assessment_id == next(iter(found.values())).assessment_id
    carried = [n for n, row in found.items() if row.label in ("pants", "shorts")]
    assert pair.products == len(carried)
    assert 0.25 < pair.share < 0.75
    assert 3 <= len(pair.border) <= 12 and set(pair.border) <= set(both)


def test_labels_that_nobody_could_judge_say_nothing_of_overlaps(
    catalogue: Catalogue, wide: Seeded
) -> None:
    """Nine labels are too few, so all that there is is the model's own opinion."""
    change(catalogue, wide.product_ids, label_current=None)
    change(catalogue, wide.product_ids[:4], label_current="pants")
    change(catalogue, wide.product_ids[4:9], label_current="shorts")
    halves_each = [0.5 * (name in ("pants", "shorts")) for name in CLASSES]
    with write(catalogue.engine) as session:
        session.execute(
            update(Prediction).values(probabilities=to_blob(np.array(halves_each, np.float32)))
        )
    assess(catalogue)
    assert overlaps(catalogue) == []


def test_only_what_moved_is_written_again(catalogue: Catalogue, wide: Seeded) -> None:
    assess(catalogue)
    first = scores(catalogue)
    little, much, gone = wide.product_ids[10:13]
    with write(catalogue.engine) as session:
        session.get_one(LabelScore, (little, wide.model_id)).confidence += 0.001
        session.get_one(LabelScore, (much, wide.model_id)).confidence -= 0.01
    change(catalogue, [gone], review_state="not_product")
    assess(catalogue)
    second = scores(catalogue)
    assert second[little].confidence == pytest.approx(first[little].confidence + 0.001, abs=1e-6)
    assert second[much].confidence == pytest.approx(first[much].confidence, abs=0.003)
    assert second.keys() == first.keys() - {gone}
    with read(catalogue.engine) as session:
        (assessment,) = session.scalars(select(Assessment))
    assert {row.assessment_id for row in second.values()} == {assessment.id}
    assert assessment.products == 139


def test_a_new_category_has_everything_written_anew(catalogue: Catalogue, wide: Seeded) -> None:
    mixed_up(catalogue, wide)
    assess(catalogue)
    with write(catalogue.engine) as session:
        own = {"name": "scarf", "normal_name": "scarf", "created_by": "Ana", "renamed_to": None}
        session.add(Category(**own, created_at=datetime.now(UTC)))
    assess(catalogue)
    with read(catalogue.engine) as session:
        (assessment,) = session.scalars(select(Assessment))
    assert "scarf" in assessment.classes
    found = scores(catalogue)
    assert {len(row.probabilities) // 4 for row in found.values()} == {len(assessment.classes)}
    assert [pair.assessment_id for pair in overlaps(catalogue)] == [assessment.id]


def confirm(catalogue: Catalogue, number: int) -> None:
    item = product_item(catalogue, number)
    assert item is not None
    seen_as = {"seen_version": item.version, "seen_sha256": item.image_sha256}
    decide(catalogue, number, "keep", reviewer="Ana", request_key=f"keep-{number}", **seen_as)  # type: ignore[arg-type]


@pytest.mark.parametrize("sure", [True, False])
def test_a_later_model_that_is_sure_disputes_what_a_person_confirmed(
    catalogue: Catalogue, sure: bool
) -> None:
    """The first model sees nothing in the photo; the second is sure, or nearly."""
    shop = seed_catalogue(catalogue, n=280, flagged=1)
    wrong = shop.wrong_ids[0]
    vague = np.random.default_rng(1).normal(size=DIMENSION)
    kept = {n: seen(catalogue, shop.model_id, n) for n in shop.product_ids}
    show(catalogue, shop.model_id, {wrong: vague})
    confirm(catalogue, wrong)
    assess(catalogue)
    assert not scores(catalogue)[wrong].looks_wrong
    clear = dict(kept)
    if not sure:  # the photo has something of the category that it is labelled as
        label = scores(catalogue)[wrong].label
        like = next(n for n, row in scores(catalogue).items() if row.label == label and n != wrong)
        clear[wrong] = kept[wrong] + np.float32(0.7) * kept[like]
    later = _another_model(catalogue, shop, clear)
    assess(catalogue)
    row = scores(catalogue)[wrong]
    assert row.model_version_id == later
    assert row.suggestion != row.label
    assert (row.confidence >= 0.99) == sure
    assert row.looks_wrong == sure


def _another_model(catalogue: Catalogue, shop: Seeded, photos: dict[int, Vector]) -> int:
    with write(catalogue.engine, touches=("models", "embeddings")) as session:
        first = session.get_one(ModelVersion, shop.model_id)
        first.is_active = False
        session.flush()
        columns = {"recipe": first.recipe, "dimension": first.dimension, "meta": first.meta}
        later = ModelVersion(
            version="later",
            classes=first.classes,
            is_active=True,
            created_at=first.created_at,
            **columns,
        )
        session.add(later)
        session.flush()
        for table in (Prediction, Embedding, Features):
            old = session.scalars(select(table).where(table.model_version_id == shop.model_id))
            for row in old.all():
                values = {c.name: getattr(row, c.name) for c in table.__table__.columns}
                session.add(table(**values | {"model_version_id": later.id}))
        number = later.id
    show(catalogue, number, photos)
    return number
