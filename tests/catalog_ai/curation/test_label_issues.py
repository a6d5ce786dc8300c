"""Wrong labels are found out of fold; scores beside slow twins."""

import numpy as np
import pytest

from catalog_ai.curation import label_issues
from catalog_ai.curation.label_issues import (
    SURE,
    UNKNOWN,
    assess_labels,
)
from catalog_ai.curation.look_alikes import nearest


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


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_a_category_of_few_examples_is_not_judged_and_misleads_nobody(count: int) -> None:
    """They lie among the others, so that each alone would look like a wrong label."""
    vectors, labels = clusters(per_class=60)
    wrong = [3, 70, 150]
    labels[wrong] = (labels[wrong] + 1) % 3
    before = assess_labels(vectors, labels, 4)
    young = np.arange(20, 20 + count)
    changed = labels.copy()
    changed[young] = 3
    found = assess_labels(vectors, changed, 4)
    assert np.isnan(found.score[young]).all()
    assert not found.looks_wrong[young].any()
    others = np.setdiff1d(np.arange(len(labels)), young)
    assert np.isfinite(found.score[others]).all()
    assert (found.looks_wrong[others] == before.looks_wrong[others]).all()
    assert found.looks_wrong[wrong].all()
    assert found.wrong_rate == pytest.approx(before.wrong_rate, abs=0.01)


def test_a_category_of_few_examples_is_suggested() -> None:
    vectors, labels = clusters(per_class=60, classes=4)
    kept = np.r_[0:180, 180:188]  # eight of the fourth
    vectors, labels = vectors[kept], labels[kept].copy()
    labels[187] = UNKNOWN
    found = assess_labels(vectors, labels, 4)
    assert found.suggestion[187] == 3
    assert np.isnan(found.score[180:]).all()


def test_where_all_categories_are_small_all_are_judged() -> None:
    vectors, labels = clusters(per_class=5)
    assert np.isfinite(assess_labels(vectors, labels, 3).score).all()


def test_the_same_labels_give_the_same_result() -> None:
    vectors, labels = clusters()
    one, two = (assess_labels(vectors, labels, 3) for _ in range(2))
    assert (one.probabilities == two.probabilities).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_tiny_catalogues_are_no_problem(count: int) -> None:
    vectors, labels = clusters()
    found = assess_labels(vectors[:count], labels[:count], 3)
    assert found.probabilities.shape == (count, 3)
    assert len(found.suggestion) == count


def cloud(count: int, classes: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of overlapping classes, and their true labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(classes, size=count)
    centres = random.normal(size=(classes, 12))
    vectors = centres[labels] + spread * random.normal(size=(count, 12))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("rate", [0.05, 0.15])
def test_a_score_is_the_chance_of_being_wrong_and_the_rate_is_estimated(rate: float) -> None:
    scores, wrong, rates = [], [], []
    for seed in range(5):
        vectors, labels = cloud(1200, 4, 1.1, seed)
        random = np.random.default_rng(100 + seed)
        planted = random.random(len(labels)) < rate
        given = np.where(planted, (labels + random.integers(1, 4, len(labels))) % 4, labels)
        found = assess_labels(vectors, given, 4)
        scores.append(found.score)
        wrong.append(planted)
        rates.append(found.wrong_rate)
    score, is_wrong = np.concatenate(scores), np.concatenate(wrong)
    assert np.mean(rates) == pytest.approx(rate, abs=0.02)
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95)):
        chosen = (score >= low) & (score < high)
        assert is_wrong[chosen].mean() == pytest.approx(score[chosen].mean(), abs=0.12)


def test_a_confirmed_label_is_right_and_only_near_certainty_doubts_it() -> None:
    vectors, labels = clusters()
    wrong = [3, 40, 77]
    labels[wrong] = (labels[wrong] + 1) % 3
    confirmed = np.zeros(len(labels), np.bool_)
    confirmed[wrong[1:]] = True
    found = assess_labels(vectors, labels, 3, confirmed=confirmed)
    assert (found.looks_wrong[wrong[1:]] == (found.confidence[wrong[1:]] >= SURE)).all()
    assert found.looks_wrong[wrong[0]]
    blurred = assess_labels(vectors, labels, 3, features=noisy(vectors), confirmed=confirmed)
    assert (blurred.suggestion[wrong] != labels[wrong]).all()
    assert (blurred.confidence[wrong[1:]] < SURE).all()
    assert not blurred.looks_wrong[wrong[1:]].any()


def noisy(vectors: np.ndarray) -> np.ndarray:
    return (vectors + 0.4 * np.random.default_rng(5).normal(size=vectors.shape)).astype(np.float32)


def test_what_people_confirmed_speaks_for_its_look_alikes() -> None:
    vectors, labels = clusters()
    labels[:12] = 2  # nearly half of the first cluster
    corrected = labels.copy()
    corrected[:6] = 0
    people = np.zeros(len(labels), np.bool_)
    people[:6] = True
    before = assess_labels(vectors, labels, 3).score[6:12].mean()
    assert assess_labels(vectors, corrected, 3, confirmed=people).score[6:12].mean() > before


@pytest.mark.parametrize("k", [0, 1, 3, 4, 50, 500])
def test_neighbours_are_what_the_loop_says(k: int) -> None:
    vectors, _ = clusters(per_class=70)
    for row, found in enumerate(nearest(vectors, k).tolist()):
        others = [other for other in range(len(vectors)) if other != row]
        others.sort(key=lambda other: float(np.linalg.norm(vectors[other] - vectors[row])))
        assert found == others[:k]


def test_of_many_products_only_those_that_are_shown_get_look_alikes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, labels = clusters()
    wrong = [3, 40, 77]
    labels[wrong] = (labels[wrong] + 1) % 3
    labels[10] = UNKNOWN
    whole = assess_labels(vectors, labels, 3)
    monkeypatch.setattr(label_issues, "_ALL_SHOWN", 50)
    few = assess_labels(vectors, labels, 3)
    shown = [*wrong, 10]
    assert (few.neighbours[shown] == whole.neighbours[shown]).all()
    assert (few.agreement[wrong] == whole.agreement[wrong]).all()
    clear = np.flatnonzero(few.score < 0.01)
    assert (few.neighbours[clear] == -1).all()
    assert np.isnan(few.agreement[clear]).all()
