import pytest
from scipy.stats import binomtest

from catalog_ai.evaluation.side_by_side import Answers, Tally, interval


def test_a_tally_counts_who_is_right() -> None:
    answers = [
        *[Answers("hat", "hat", "hat")] * 5,
        *[Answers("hat", "dress", "hat")] * 3,
        *[Answers("hat", "hat", "shoes")] * 2,
        Answers("hat", "dress", "shoes"),
    ]
    tally = Tally.of(answers)
    assert tally == Tally(photos=11, old_right=7, new_right=8, better=3, worse=2)
    assert Tally.from_meta(tally.to_meta()) == tally
    assert Tally.of([]) == Tally()


@pytest.mark.parametrize(("right", "photos"), [(0, 7), (7, 7), (63, 65), (480, 1000)])
def test_bounds_are_wilsons(right: int, photos: int) -> None:
    found = binomtest(right, photos).proportion_ci(0.95, method="wilson")
    assert interval(right, photos) == pytest.approx((found.low, found.high), abs=1e-6)


def test_without_a_photo_nothing_is_known() -> None:
    assert interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (1, 3), (12, 3), (0, 9), (2500, 2300)])
def test_chance_is_that_of_as_many_coins(better: int, worse: int) -> None:
    expected = binomtest(better, better + worse).pvalue if better + worse else 1.0
    assert Tally(9000, 0, 0, better, worse).chance == pytest.approx(expected, rel=1e-6)
