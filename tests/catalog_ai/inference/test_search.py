"""Search beside a slow twin made of plain loops."""

import math

import numpy as np
import pytest

from catalog_ai.inference.search import ExactIndex, find_closest

RANDOM = np.random.default_rng(5)
VECTORS = RANDOM.normal(size=(40, 6)).astype(np.float32)
IDS = RANDOM.permutation(1000)[:40].astype(np.int64)


def slow(query: np.ndarray, k: int, rows: list[int]) -> list[tuple[int, float]]:
    """Compare with one vector after the other; ties by id."""
    found = [(math.dist(VECTORS[row].tolist(), query.tolist()), int(IDS[row])) for row in rows]
    return [(number, distance) for distance, number in sorted(found)[:k]]


@pytest.mark.parametrize("k", [1, 5, 40, 100])
def test_search_finds_what_the_loop_finds(k: int) -> None:
    query = RANDOM.normal(size=6).astype(np.float32)
    ids, distances = ExactIndex(VECTORS, IDS).search(query, k)
    expected = slow(query, k, list(range(40)))
    assert ids.tolist() == [number for number, _ in expected]
    assert distances.tolist() == pytest.approx([distance for _, distance in expected], rel=1e-5)


def test_filter_and_exclusion_still_give_k_results() -> None:
    allowed = np.arange(40) % 3 == 0
    excluded = int(IDS[3])
    query = VECTORS[3]
    ids, _ = ExactIndex(VECTORS, IDS).search(query, 6, allowed=allowed, exclude=excluded)
    rows = [row for row in range(40) if allowed[row] and IDS[row] != excluded]
    assert ids.tolist() == [number for number, _ in slow(query, 6, rows)]


def test_the_same_photo_is_at_distance_zero() -> None:
    ids, distances = ExactIndex(VECTORS, IDS).search(VECTORS[7], 1)
    assert (ids[0], distances[0]) == (IDS[7], 0)


def test_equal_distances_go_by_id() -> None:
    index = ExactIndex(np.ones((12, 2), np.float32), np.arange(12)[::-1].copy())
    assert index.search(np.zeros(2, np.float32), 4)[0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("copies", [50, 1000])
def test_many_copies_of_one_photo_go_by_id_too(copies: int) -> None:
    vector = RANDOM.normal(size=64).astype(np.float32)
    vectors = np.concatenate([np.tile(vector, (copies, 1)), RANDOM.normal(size=(20, 64))])
    ids = RANDOM.permutation(len(vectors)).astype(np.int64)
    found, distances = ExactIndex(vectors.astype(np.float32), ids).search(vector, 5)
    assert found.tolist() == sorted(ids[:copies])[:5]
    assert not distances.any()


def test_far_from_the_origin_the_order_is_still_the_exact_one() -> None:
    """There the product of the vectors rounds more than they differ."""
    vectors = (1000 + RANDOM.normal(size=(300, 8))).astype(np.float32)
    query = vectors[0] + np.float32(0.1)
    found, _ = ExactIndex(vectors, np.arange(300)).search(query, 10)
    exact = np.linalg.norm(vectors.astype(np.float64) - query, axis=1)
    assert found.tolist() == np.argsort(exact)[:10].tolist()


def test_an_empty_catalogue_has_no_neighbours() -> None:
    index = ExactIndex(np.empty((0, 4), np.float32), np.empty(0, np.int64))
    assert len(index.search(np.zeros(4, np.float32), 5)[0]) == 0


def test_vectors_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match="query of"):
        ExactIndex(VECTORS, IDS).search(np.zeros(5, np.float32), 3)
    with pytest.raises(ValueError, match="do not go with"):
        ExactIndex(VECTORS, IDS[:-1])


def test_the_articles_function_agrees() -> None:
    closest = find_closest(VECTORS, VECTORS[11][None], k=5)
    assert IDS[closest].tolist() == [number for number, _ in slow(VECTORS[11], 5, list(range(40)))]
