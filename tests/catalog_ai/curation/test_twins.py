"""Twins are copies under another label; the closest other garment is none."""

import numpy as np
import pytest

from catalog_ai.curation import rivals as module
from catalog_ai.curation.rivals import NONE
from catalog_ai.curation.twins import twins as twins_and_rivals

Arrays = tuple[np.ndarray, np.ndarray]


def garments(count: int = 120, kinds: int = 4, seed: int = 2) -> Arrays:
    """Return unit vectors of different garments, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % kinds
    vectors = 0.7 * random.normal(size=(kinds, 24))[labels] + random.normal(size=(count, 24))
    return units(vectors), labels


def units(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def with_copies(vectors: np.ndarray, labels: np.ndarray, rows: list[int]) -> Arrays:
    """Add a slightly altered copy of each of `rows`, with another label."""
    noise = 0.02 * np.random.default_rng(0).normal(size=(len(rows), vectors.shape[1]))
    return (
        units(np.concatenate([vectors, vectors[rows] + noise])),
        np.concatenate([labels, (labels[rows] + 1) % 4]),
    )


def twins(*args: np.ndarray, **options: np.ndarray) -> np.ndarray:
    return twins_and_rivals(*args, **options)[0]


def slowly(vectors: np.ndarray, labels: np.ndarray) -> list[int]:
    """Look at every pair."""
    scaled = units((vectors - vectors.mean(0)) / vectors.std(0))
    closest, cosines = [], []
    for row in range(len(vectors)):
        others = [other for other in range(len(vectors)) if labels[other] != labels[row]]
        closest.append(max(others, key=lambda other, row=row: float(vectors[row] @ vectors[other])))
        cosines.append(float(scaled[row] @ scaled[closest[-1]]))
    least = min(max(0.9, 1 - 0.15 * (1 - float(np.median(cosines)))), 0.998)
    return [
        other if cosine >= least else -1 for other, cosine in zip(closest, cosines, strict=True)
    ]


def test_copies_under_another_label_find_each_other_and_nothing_else_does() -> None:
    vectors, labels = with_copies(*garments(), [3, 50, 77])
    found = twins(vectors, labels, np.arange(len(labels)))
    expected = dict(zip([3, 50, 77], range(120, 123), strict=True))
    assert {row: twin for row, twin in enumerate(found.tolist()) if twin != NONE} == {
        **expected,
        **{copy: row for row, copy in expected.items()},
    }
    assert found.tolist() == slowly(vectors, labels)


def test_a_copy_of_the_same_label_is_no_twin() -> None:
    vectors, labels = with_copies(*garments(), [3])
    labels[-1] = labels[3]
    assert (twins(vectors, labels, np.arange(len(labels))) == NONE).all()


def test_one_file_under_two_labels_is_a_twin_however_unlike_the_vectors() -> None:
    vectors, labels = garments()
    photos = np.arange(len(labels))
    photos[[40, 81, 82]] = 7  # labels 3, 0, 1, 2
    found = twins(vectors, labels, photos)
    assert found[[7, 40, 81, 82]].tolist() == [40, 7, 7, 7]
    assert (np.delete(found, [7, 40, 81, 82]) == NONE).all()


def test_what_carries_no_label_has_no_twin_and_is_none() -> None:
    vectors, labels = with_copies(*garments(), [3])
    labels[-1] = NONE
    photos = np.arange(len(labels))
    photos[-1] = photos[3]
    assert (twins(vectors, labels, photos) == NONE).all()


def test_copies_of_a_twin_have_the_twin_as_well() -> None:
    vectors, labels = with_copies(*garments(), [3])
    vectors, labels = np.concatenate([vectors, vectors[[3]]]), np.append(labels, labels[3])
    photos = np.append(np.arange(121), 3)
    assert twins(vectors, labels, photos)[[3, 120, 121]].tolist() == [120, 3, 120]


def test_features_decide_where_there_are_any() -> None:
    vectors, labels = with_copies(*garments(), [3])
    apart = garments(len(labels), seed=9)[0] * 100
    everyone = np.arange(len(labels))
    assert (twins(vectors, labels, everyone, features=apart) == NONE).all()
    alike = apart.copy()
    alike[-1] = alike[3]
    assert twins(vectors, labels, everyone, features=alike)[[3, 120]].tolist() == [120, 3]


def test_many_products_are_compared_around_landmarks_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, labels = with_copies(*garments(600), [3, 50, 77, 400, 512])
    whole = twins(vectors, labels, np.arange(len(labels)))
    monkeypatch.setattr(module, "_PER_LANDMARK", 40)
    monkeypatch.setattr(module, "_AT_ONCE", 64)
    assert (whole != NONE).sum() == 10
    assert (twins(vectors, labels, np.arange(len(labels))) == whole).all()


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_tiny_catalogues_are_no_problem(count: int) -> None:
    vectors, labels = garments()
    found = twins(vectors[:count], labels[:count], np.arange(count))
    assert (found == NONE).all() and len(found) == count


def test_vectors_without_any_difference_are_no_error() -> None:
    same = units(np.ones((30, 8)))
    assert (twins(same, np.arange(30) % 3, np.arange(30)) == NONE).all()
