from datetime import UTC, datetime

import numpy as np
import pytest

from catalog_ai.curation.fair_order import by_chance, fair_order
from catalog_ai.services.map import MapView
from catalog_ai.services.map_sample import Sample, Wanted, part, sample

LABELS = np.repeat([0, 1, 2], [600, 300, 100]).astype(np.int32)
NAMES = ("dress", "hat", "")


def view(wrong: int) -> MapView:
    """A map of a thousand products, of which `wrong` look wrong."""
    count = len(LABELS)
    suspects = np.random.default_rng(0).permutation(count)[:wrong]
    shuffled = by_chance(np.arange(count))
    return MapView(
        *(np.arange(1, count + 1), np.zeros(count, np.float32), np.zeros(count, np.float32)),
        *(LABELS, NAMES),
        suspects=suspects,
        others=fair_order(LABELS, shuffled[~np.isin(shuffled, suspects)]),
        created_at=datetime(2026, 11, 26, tzinfo=UTC),
        not_drawn=0,
        version="v",
    )


def all_samples(shown: MapView, wanted: Wanted, live: int) -> list[Sample]:
    count = sample(shown, wanted, live=live).count
    return [sample(shown, wanted, number, live) for number in range(1, count + 1)]


def test_a_small_map_is_one_sample_of_everything() -> None:
    found = sample(view(30), Wanted(), live=1_000)
    assert sorted(found.rows.tolist()) == list(range(1_000))
    assert (found.suspects, found.wrong, found.products, found.count) == (30, 30, 1_000, 1)


@pytest.mark.parametrize("wrong", [0, 40, 49, 50, 51, 700, 1_000])
@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted("hat"), Wanted(""), Wanted("dress", True), Wanted(None, True)]
)
def test_the_samples_hold_every_product_once(wanted: Wanted, wrong: int) -> None:
    shown = view(wrong)
    rows = [row for found in all_samples(shown, wanted, 100) for row in found.rows.tolist()]
    assert len(rows) == len(set(rows))
    assert set(rows) == {
        row
        for row in range(1_000)
        if wanted.category in (None, NAMES[LABELS[row]])
        and (not wanted.only_wrong or row in shown.suspects)
    }
    assert all(len(found.rows) <= 100 for found in all_samples(shown, wanted, 100))


def test_everything_that_looks_wrong_is_in_the_first_sample() -> None:
    shown = view(50)
    first = sample(shown, Wanted(), live=100)
    assert set(shown.suspects.tolist()) <= set(first.rows.tolist())
    assert (first.suspects, len(first.rows)) == (50, 100)


def test_too_many_that_look_wrong_leave_half_to_the_others() -> None:
    shown = view(300)
    first = sample(shown, Wanted(), live=100)
    assert first.rows[50:].tolist() == shown.suspects[:50][::-1].tolist(), "the most suspicious"
    assert not np.isin(first.rows[:50], shown.suspects).any()
    only = sample(shown, Wanted(only_wrong=True), live=100)
    assert only.rows.tolist() == shown.suspects[:100][::-1].tolist()
    assert (only.products, only.count) == (300, 3)


def test_the_others_are_a_fair_sample_of_each_category() -> None:
    first = sample(view(0), Wanted(), live=400)
    assert np.bincount(LABELS[first.rows]).tolist() == pytest.approx([240, 120, 40], abs=15)
    assert first.rows.tolist() == sample(view(0), Wanted(), live=400).rows.tolist()


@pytest.mark.parametrize("number", [-3, 0, 11, 999])
def test_a_sample_that_does_not_exist_is_the_nearest(number: int) -> None:
    found = sample(view(0), Wanted(), number, 100)
    assert found.number == (10 if number > 0 else 1)
    assert len(found.rows) == 100


def test_a_category_that_is_gone_has_nothing() -> None:
    assert [len(rows) for rows in part(view(10), Wanted("Polo"))] == [0, 0]
    found = sample(view(10), Wanted("Polo"))
    assert (found.products, found.count, found.number, found.rows.tolist()) == (0, 1, 1, [])
