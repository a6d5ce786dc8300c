import numpy as np
import pytest

from catalog_ai.curation.fair_order import FIRST, by_chance, fair_order


def test_chance_is_the_same_every_time_and_of_each_number_alone() -> None:
    numbers = np.arange(1, 5_001)
    order = by_chance(numbers)
    assert sorted(order.tolist()) == list(range(5_000))
    assert order.tolist() == by_chance(numbers).tolist()
    assert abs(np.corrcoef(order, np.arange(5_000))[0, 1]) < 0.05, "that is no chance"
    fewer = numbers[numbers % 7 != 0]  # some have left the feed
    kept = [number for number in numbers[order].tolist() if number % 7]
    assert fewer[by_chance(fewer)].tolist() == kept, "the others keep their turn"


@pytest.mark.parametrize("length", [500, 2_000, 9_999])
def test_every_beginning_holds_each_groups_share(length: int) -> None:
    groups = np.repeat([0, 1, 2, 3], [7_000, 2_000, 985, 15]).astype(np.int32)
    order = fair_order(groups, by_chance(np.arange(len(groups))))
    assert sorted(order.tolist()) == list(range(len(groups)))
    drawn = np.bincount(groups[order[:length]], minlength=4)
    sizes = np.bincount(groups)
    assert drawn[3] == 15, "a small group is shown whole"
    for group in (0, 1, 2):
        share = drawn[group] / drawn[:3].sum()
        assert share == pytest.approx(sizes[group] / sizes[:3].sum(), abs=2 * FIRST / length)


def test_within_a_group_chance_decides() -> None:
    """The obvious twin: each group, taken out of the order, is as chance left it."""
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 5, 3_000).astype(np.int32)
    shuffled = by_chance(np.arange(3_000))[:2_500]  # the others are drawn elsewhere
    order = fair_order(groups, shuffled)
    for group in range(5):
        assert order[groups[order] == group].tolist() == [
            row for row in shuffled.tolist() if groups[row] == group
        ]


def test_more_groups_than_sixteen_bits_and_none_at_all() -> None:
    many = np.arange(70_000, dtype=np.int32)
    assert len(set(fair_order(many, by_chance(many.astype(np.int64))).tolist())) == 70_000
    nothing = np.empty(0, np.int64)
    assert fair_order(nothing.astype(np.int32), by_chance(nothing)).tolist() == []
