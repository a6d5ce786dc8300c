"""Metrics beside slow twins made of plain loops."""

import math
from dataclasses import asdict

import numpy as np
import pytest

from catalog_ai.evaluation import metrics


def drawn(count: int = 23, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    targets = random.integers(classes, size=count).astype(np.int64)
    return random.normal(size=(count, 5)).astype(np.float32), targets


def slow_retrieval(vectors: np.ndarray, targets: np.ndarray) -> tuple[float, ...]:
    """Leave-one-out retrieval, one query, one neighbour at a time."""
    first, five, average, same, other = [], [], [], [], []
    for query in range(len(targets)):
        ranked = sorted(
            (math.dist(vectors[query].tolist(), vectors[row].tolist()), row)
            for row in range(len(targets))
            if row != query
        )
        for distance, row in ranked:
            (same if targets[row] == targets[query] else other).append(distance)
        relevant = sum(targets[row] == targets[query] for _, row in ranked)
        if not relevant:
            continue
        hits = [bool(targets[row] == targets[query]) for _, row in ranked]
        first.append(hits[0])
        five.append(any(hits[:5]))
        found = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(relevant) if hits[rank]]
        average.append(sum(found) / relevant)
    return tuple(sum(part) / len(part) for part in (first, five, average, same, other))


def test_retrieval_is_what_the_loops_say() -> None:
    vectors, targets = drawn()
    found = metrics.retrieval_metrics(vectors, targets)
    expected = slow_retrieval(vectors, targets)
    values = (found.top1, found.top5, found.map_at_r)
    distances = (found.same_class_distance, found.different_class_distance)
    assert (*values, *distances) == pytest.approx(expected, rel=1e-5)


def test_many_queries_are_worked_off_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, targets = drawn()
    whole = metrics.retrieval_metrics(vectors, targets)
    monkeypatch.setattr(metrics, "_ROWS_AT_ONCE", 4)
    parts = metrics.retrieval_metrics(vectors, targets)
    assert asdict(parts) == pytest.approx(asdict(whole))


def test_perfect_vectors_are_perfect() -> None:
    targets = np.repeat(np.arange(3), 4)
    vectors = np.eye(3, dtype=np.float32)[targets] * 10
    found = metrics.retrieval_metrics(vectors, targets)
    assert (found.top1, found.top5, found.map_at_r) == (1, 1, 1)
    assert found.same_class_distance == 0


def test_a_photo_alone_in_its_category_is_no_query() -> None:
    vectors = np.array([[0.0], [1.0], [9.0]], np.float32)
    assert metrics.retrieval_metrics(vectors, np.array([0, 0, 1])).top1 == 1.0


def test_nothing_to_ask_gives_no_figure() -> None:
    found = metrics.retrieval_metrics(np.zeros((2, 3), np.float32), np.array([0, 1]))
    assert math.isnan(found.top1)
    assert math.isnan(found.same_class_distance)


def test_confusion_rows_are_the_true_category() -> None:
    predicted, targets = np.array([1, 1, 0, 2]), np.array([0, 1, 0, 2])
    confusion = metrics.confusion_matrix(predicted, targets, 4)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    shares = metrics.per_class_accuracy(confusion)
    assert shares[:3].tolist() == [0.5, 1, 1]
    assert math.isnan(shares[3])
    assert metrics.accuracy(predicted, targets) == 0.75
    assert metrics.accuracy(predicted[:0], targets[:0]) == 0
