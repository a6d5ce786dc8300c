"""Wrong labels are found out of fold; scores beside slow twins."""

import numpy as np
import pytest

from catalog_ai.curation.label_issues import (
    UNKNOWN,
    assess_labels,
    nearest,
    normalized_margin,
)


def clusters(per_class: int = 30, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return unit vectors around one centre per class, and their labels."""
    random = np.random.default_rng(1)
    labels = np.repeat(np.arange(classes), per_class)
    centres = random.normal(size=(classes, 8))
    vectors = centres[labels] + 0.3 * random.normal(size=(len(labels), 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def test_planted_errors_come_first() -> None:
    vectors, labels = clusters()
    wrong = [3, 40, 77]
    labels[wrong] = (labels[wrong] + 1) % 3
    found = assess_labels(vectors, labels, 3)
    assert set(np.argsort(-found.score)[:3]) == set(wrong)
    assert found.looks_wrong[wrong].all()
    assert found.looks_wrong.sum() == 3
    assert (found.suggestion[wrong] == (labels[wrong] - 1) % 3).all()


def test_scores_are_shares_and_probabilities_sum_to_one() -> None:
    vectors, labels = clusters()
    found = assess_labels(vectors, labels, 3)
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-5)
    assert (found.confidence == found.probabilities.max(1)).all()


def test_a_label_does_not_vouch_for_itself() -> None:
    vectors, labels = clusters()
    before = assess_labels(vectors, labels, 3)
    changed = labels.copy()
    changed[5] = 2
    after = assess_labels(vectors, changed, 3)
    assert after.probabilities[5].argmax() == before.probabilities[5].argmax() == labels[5]


def test_copies_of_a_photo_never_vouch_for_each_other() -> None:
    vectors, labels = clusters()
    vectors[1:10], labels[:10] = vectors[0], 2  # ten copies, all with the same wrong label
    groups = np.arange(len(labels))
    groups[:10] = 0
    apart = assess_labels(vectors, labels, 3)
    together = assess_labels(vectors, labels, 3, groups=groups)
    assert together.probabilities[0, 2] < apart.probabilities[0, 2]


def test_unknown_labels_get_a_suggestion_but_no_score() -> None:
    vectors, labels = clusters()
    true = labels[4]
    labels[4] = UNKNOWN
    found = assess_labels(vectors, labels, 3)
    assert np.isnan(found.score[4])
    assert np.isnan(found.agreement[4])
    assert found.suggestion[4] == true
    assert not found.looks_wrong[4]


def test_the_same_seed_gives_the_same_result() -> None:
    vectors, labels = clusters()
    one, two = (assess_labels(vectors, labels, 3, seed=4) for _ in range(2))
    assert (one.probabilities == two.probabilities).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_tiny_catalogues_are_no_problem(count: int) -> None:
    vectors, labels = clusters()
    found = assess_labels(vectors[:count], labels[:count], 3)
    assert found.probabilities.shape == (count, 3)
    assert len(found.suggestion) == count


def test_the_margin_is_what_the_loop_says() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(5), size=20).astype(np.float32)
    labels = random.integers(5, size=20)
    expected = [
        (row[label] - max(value for place, value in enumerate(row) if place != label) + 1) / 2
        for row, label in zip(shares.tolist(), labels.tolist(), strict=True)
    ]
    assert normalized_margin(shares, labels).tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [1, 4, 50])
def test_neighbours_are_what_the_loop_says(k: int) -> None:
    vectors, _ = clusters(per_class=7)
    for row, found in enumerate(nearest(vectors, k).tolist()):
        others = [other for other in range(len(vectors)) if other != row]
        others.sort(key=lambda other: float(np.linalg.norm(vectors[other] - vectors[row])))
        assert found == others[:k]
