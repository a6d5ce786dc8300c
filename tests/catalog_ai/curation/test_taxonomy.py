"""Categories that overlap, beside a slow twin."""

import numpy as np
import pytest

from catalog_ai.curation.taxonomy import overlapping


def said(count: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Return shares of four categories, of which 1 and 2 are mixed up, and labels; 3 is unused."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    shares = np.full((count, 4), 0.01)
    shares[np.arange(count), labels] = 1
    mixed = labels > 0
    shares[mixed, 1:3] = random.uniform(0.2, 1, (mixed.sum(), 2))
    return (shares / shares.sum(1, keepdims=True)).astype(np.float32), labels


def test_the_pair_that_is_mixed_up_is_found_with_its_share() -> None:
    shares, labels = said()
    (pair,) = overlapping(shares, labels)
    assert (pair.one, pair.other, pair.products) == (1, 2, 60)
    others = [shares[row, 3 - labels[row]] for row in range(90) if labels[row] in (1, 2)]
    assert pair.share == pytest.approx(np.mean(others), abs=1e-6)


def test_the_border_begins_with_the_most_undecided() -> None:
    shares, labels = said()
    (pair,) = overlapping(shares, labels)
    lesser = [float(min(shares[row, 1], shares[row, 2])) for row in pair.border]
    assert len(lesser) == 12
    assert lesser == sorted(lesser, reverse=True)
    assert lesser[0] == max(min(shares[row, 1], shares[row, 2]) for row in range(90))
    assert not set(pair.border) & set(np.flatnonzero(labels == 0))


def test_worst_pairs_come_first_and_no_more_than_asked_for() -> None:
    shares = np.random.default_rng(1).dirichlet(np.ones(8), 400)
    labels = np.arange(400) % 8
    found = overlapping(shares, labels, most=5)
    assert len(found) == 5
    assert [pair.share for pair in found] == sorted((p.share for p in found), reverse=True)
    assert found[0].share == max(p.share for p in overlapping(shares, labels, most=99))


def test_categories_without_products_or_labels_that_are_none_take_no_part() -> None:
    shares, labels = said()
    labels[labels == 2] = -1
    assert overlapping(shares, labels) == []


def test_a_vague_share_without_anybody_on_the_border_is_no_overlap() -> None:
    shares = np.full((40, 2), 0.05)
    labels = np.arange(40) % 2
    shares[np.arange(40), labels] = 0.95
    assert overlapping(shares, labels) == []


@pytest.mark.parametrize("classes", [0, 1, 2])
def test_nothing_is_no_problem(classes: int) -> None:
    assert overlapping(np.empty((0, classes), np.float32), np.empty(0, np.int64)) == []


def test_a_few_undecided_products_of_many_are_no_overlap() -> None:
    shares = np.tile([0.99, 0.01], (400, 1))
    shares[200:] = shares[200:, ::-1]
    shares[:5] = 0.5
    labels = np.repeat([0, 1], 200)
    assert overlapping(shares, labels) == []
    assert len(overlapping(shares, labels, least=0.01)) == 1
