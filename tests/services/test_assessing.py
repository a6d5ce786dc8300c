from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy import select, update

from catalog_ai.services.assessing import AssessmentSummary, assess
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.deciding import decide
from catalog_ai.services.review import product_item
from db.engine import read, write
from db.schema import (
    Assessment,
    Embedding,
    Features,
    LabelScore,
    ModelVersion,
    Prediction,
    Product,
)
from db.vectors import from_blob, halves, to_blob
from tests.helpers import CLASSES, DIMENSION, Seeded, seed_catalogue


def scores(catalogue: Catalogue) -> dict[int, LabelScore]:
    with read(catalogue.engine) as session:
        return {row.product_id: row for row in session.scalars(select(LabelScore))}


def change(catalogue: Catalogue, ids: Sequence[int], **values: object) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(**values))


@pytest.fixture
def wide(catalogue: Catalogue) -> Seeded:
    """Enough products of seven categories."""
    return seed_catalogue(catalogue, n=140, flagged=6)


def test_planted_wrong_labels_are_found(catalogue: Catalogue, wide: Seeded) -> None:
    before = revision(catalogue, "scores")
    summary = assess(catalogue)
    found = scores(catalogue)
    flagged = {number for number, row in found.items() if row.looks_wrong}
    assert summary == AssessmentSummary(products=140, flagged=len(flagged))
    assert set(wide.wrong_ids) <= flagged
    assert len(flagged) <= 8  # the second-look product carries its true label
    assert revision(catalogue, "scores") > before


def test_each_row_tells_the_whole_story(catalogue: Catalogue, wide: Seeded) -> None:
    assess(catalogue)
    row = scores(catalogue)[wide.wrong_ids[0]]
    with read(catalogue.engine) as session:
        product = session.get_one(Product, wide.wrong_ids[0])
        assessment = session.get_one(Assessment, row.assessment_id)
        neighbours = [session.get_one(Product, number) for number in row.neighbours]
    shares = from_blob(row.probabilities, len(CLASSES))
    assert (row.label, row.image_sha256) == (product.label_current, product.image_sha256)
    assert (assessment.classes, assessment.products) == (list(CLASSES), 140)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert row.suggestion == CLASSES[int(shares.argmax())] == product.title.split()[1]
    assert row.confidence == pytest.approx(shares.max())
    assert row.known_label and row.score is not None and 0.5 < row.score <= 1
    assert len(row.neighbours) == 15 and product.id not in row.neighbours
    assert sum(other.title.split()[1] == row.suggestion for other in neighbours) >= 12


def test_labels_that_are_no_category_get_a_suggestion_and_no_score(
    catalogue: Catalogue, wide: Seeded
) -> None:
    change(catalogue, wide.product_ids[-1:], label_current=None)
    assess(catalogue)
    found = scores(catalogue)
    for number in (*wide.unknown_ids, wide.product_ids[-1]):
        row = found[number]
        assert (row.known_label, row.score, row.agreement, row.looks_wrong) == (
            *(False, None, None),
            False,
        )
        assert row.suggestion in CLASSES
    assert {found[number].label for number in wide.unknown_ids} == {"Polo", "Not sure"}


def test_spelling_does_not_make_a_label_wrong(catalogue: Catalogue, wide: Seeded) -> None:
    shirts = [wide.product_ids[20 + 7 * step] for step in range(5)]
    change(catalogue, shirts, label_current="  T-SHIRT ")
    assess(catalogue)
    found = scores(catalogue)
    assert all(found[number].known_label for number in shirts)
    assert not any(found[number].looks_wrong for number in shirts)
    assert {found[number].label for number in shirts} == {"  T-SHIRT "}


def test_what_is_no_product_photo_is_left_out(catalogue: Catalogue, wide: Seeded) -> None:
    gone = wide.product_ids[50:60]
    change(catalogue, gone, review_state="not_product")
    assert assess(catalogue).products == 130
    found = scores(catalogue)
    assert not set(gone) & found.keys()
    assert not any(set(gone) & set(row.neighbours) for row in found.values())


def test_a_label_that_a_person_kept_is_still_evidence(catalogue: Catalogue, wide: Seeded) -> None:
    change(catalogue, wide.product_ids, review_state="kept")
    assert assess(catalogue).products == 140


def test_a_second_pass_takes_the_place_of_the_first(catalogue: Catalogue, wide: Seeded) -> None:
    assess(catalogue)
    assess(catalogue)
    with read(catalogue.engine) as session:
        assert len(session.scalars(select(Assessment)).all()) == 1
    assert len(scores(catalogue)) == 140


def test_another_models_scores_stay(catalogue: Catalogue, wide: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
        other = ModelVersion(
            **{"version": "other", "recipe": "small", "classes": ["hat"], "dimension": DIMENSION},
            **{"meta": {}, "is_active": True, "created_at": session.get_one(Product, 1).created_at},
        )
        session.add(other)
    assert assess(catalogue) == AssessmentSummary(0, 0)
    assert len(scores(catalogue)) == 140


def test_one_photo_under_two_labels_cannot_vouch_for_itself(
    catalogue: Catalogue, wide: Seeded
) -> None:
    """The copy of a wrong label is left out with it, so nobody who judges has seen either."""
    wrong, copy = wide.wrong_ids[0], wide.product_ids[-1]
    with write(catalogue.engine) as session:
        original = session.get_one(Product, wrong)
        vector = session.get_one(Embedding, (wrong, wide.model_id)).vector
        twin = session.get_one(Product, copy)
        twin.label_current, twin.image_sha256 = original.label_current, original.image_sha256
        embedding = session.get_one(Embedding, (copy, wide.model_id))
        embedding.vector, embedding.image_sha256 = vector, original.image_sha256
    assess(catalogue)
    found = scores(catalogue)
    assert found[wrong].looks_wrong and found[copy].looks_wrong
    one, two = (from_blob(found[each].probabilities, 7) for each in (wrong, copy))
    assert one == pytest.approx(two, abs=1e-6)


def test_too_few_labels_leave_the_models_own_suggestion(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue, n=24)
    change(catalogue, seeded.product_ids, label_current=None)
    change(catalogue, seeded.product_ids[:9], label_current="hat")
    assert assess(catalogue) == AssessmentSummary(products=24, flagged=0)
    found = scores(catalogue)
    assert all(row.score is None and not row.looks_wrong for row in found.values())
    known = [found[product_id].known_label for product_id in seeded.product_ids]
    assert known == [True] * 9 + [False] * 15
    with read(catalogue.engine) as session:
        for own in session.scalars(select(Prediction)):
            assert found[own.product_id].suggestion == own.top_label
            assert found[own.product_id].probabilities == own.probabilities


def test_one_category_alone_cannot_be_judged(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue, n=24)
    change(catalogue, seeded.product_ids, label_current="hat")
    assert assess(catalogue).flagged == 0
    assert all(row.score is None for row in scores(catalogue).values())


def test_an_empty_catalogue_is_no_error(catalogue: Catalogue, wide: Seeded) -> None:
    change(catalogue, wide.product_ids, review_state="not_product")
    assert assess(catalogue) == AssessmentSummary(0, 0)


def test_a_vector_that_is_the_same_everywhere_stores_only_numbers(
    catalogue: Catalogue, wide: Seeded
) -> None:
    same = to_blob(np.full(DIMENSION, DIMENSION**-0.5, np.float32))
    with write(catalogue.engine) as session:
        session.execute(update(Embedding).values(vector=same))
    assess(catalogue)
    for row in scores(catalogue).values():
        assert row.score is None or np.isfinite(row.score)
        assert np.isfinite(row.confidence)


def test_progress_goes_up(catalogue: Catalogue, wide: Seeded) -> None:
    told: list[tuple[float, str]] = []
    assess(catalogue, progress=lambda fraction, message: told.append((fraction, message)))
    assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
    assert told[0][1] == "Comparing 140 labels with their photos"


def test_labels_are_judged_by_the_features_once_every_product_has_them(
    catalogue: Catalogue, wide: Seeded
) -> None:
    """The vectors are made useless; then one product loses its features."""
    with write(catalogue.engine) as session:
        for row in session.scalars(select(Embedding)):
            row.vector = to_blob(np.eye(DIMENSION, dtype=np.float32)[0])
    assess(catalogue)
    by_features = [scores(catalogue)[wrong].looks_wrong for wrong in wide.wrong_ids]
    assert all(by_features)
    with write(catalogue.engine) as session:
        session.delete(session.get_one(Features, (wide.product_ids[0], wide.model_id)))
    assess(catalogue)
    assert not any(scores(catalogue)[wrong].looks_wrong for wrong in wide.wrong_ids)


def test_a_label_that_somebody_gave_is_not_doubted_again_unless_the_photo_changes(
    catalogue: Catalogue, wide: Seeded
) -> None:
    wrong = wide.wrong_ids[0]
    with write(catalogue.engine) as session:  # look-alikes that are not quite sure
        for row in session.scalars(select(Features)):
            noise = np.random.default_rng(row.product_id).normal(size=DIMENSION)
            numbers = np.frombuffer(row.numbers, "<f2") + 0.12 * noise
            row.numbers = halves(numbers.astype(np.float16))
    assess(catalogue)
    assert scores(catalogue)[wrong].looks_wrong
    item = product_item(catalogue, wrong)
    assert item is not None
    decide(
        catalogue,
        wrong,
        "keep",
        reviewer="Ana",
        request_key="k",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    assess(catalogue)
    assert not scores(catalogue)[wrong].looks_wrong
    with write(catalogue.engine) as session:
        other = "f" * 64
        session.get_one(Product, wrong).image_sha256 = other
        for table in (Features, Embedding, Prediction):
            session.get_one(table, (wrong, wide.model_id)).image_sha256 = other
    assess(catalogue)
    assert scores(catalogue)[wrong].looks_wrong
