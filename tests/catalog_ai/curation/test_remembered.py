"""What is remembered saves work and changes nothing: beside each result, one from the beginning."""

import numpy as np
import pytest

from catalog_ai.curation import kernel_ridge, label_issues, look_alikes, ridge_fit, rivals
from catalog_ai.curation.label_issues import UNKNOWN, LabelAssessment, assess_labels
from catalog_ai.curation.look_alikes import nearest
from catalog_ai.curation.marks import drawn, marks, mixed, places, steady
from catalog_ai.curation.remembered import Remembered
from catalog_ai.curation.twins import twins

CLASSES, DIMENSION = 4, 12
CENTRES = np.random.default_rng(9).normal(size=(CLASSES, DIMENSION))


class Shop:
    """Products that come, go and change by chance."""

    def __init__(self, seed: int, count: int = 700) -> None:
        self.random = np.random.default_rng(seed)
        self.keys = np.zeros(0, np.int64)
        self.vectors = np.zeros((0, DIMENSION), np.float32)
        self.labels = np.zeros(0, np.int64)
        self.confirmed = np.zeros(0, np.bool_)
        self.photos = np.zeros(0, np.int64)
        self.add(count)
        self.photos[5:8] = self.photos[3]  # one file four times
        self.vectors[5:8] = self.vectors[3]

    def add(self, count: int) -> None:
        first = self.keys.max(initial=0) + 1
        labels = self.random.integers(CLASSES, size=count)
        self.keys = np.append(self.keys, np.arange(first, first + count))
        self.vectors = np.concatenate([self.vectors, self.photographed(labels)])
        self.labels = np.append(self.labels, labels)
        self.confirmed = np.append(self.confirmed, np.zeros(count, np.bool_))
        self.photos = np.append(self.photos, np.arange(first, first + count))

    def photographed(self, labels: np.ndarray) -> np.ndarray:
        vectors = CENTRES[labels] + self.random.normal(size=(len(labels), DIMENSION))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        found: np.ndarray = vectors.astype(np.float32)
        return found

    def some(self, count: int) -> np.ndarray:
        found: np.ndarray = self.random.choice(len(self.keys), count, replace=False)
        return found

    def decide(self) -> None:
        rows = self.some(12)
        self.labels[rows] = self.random.integers(-1, CLASSES, size=12)
        self.confirmed[rows[:6]] = self.labels[rows[:6]] != UNKNOWN

    def remove(self) -> None:
        stays = np.ones(len(self.keys), np.bool_)
        stays[self.some(5)] = False
        for name in ("keys", "vectors", "labels", "confirmed", "photos"):
            setattr(self, name, getattr(self, name)[stays])

    def photograph(self) -> None:
        rows = self.some(8)
        self.vectors[rows] = self.photographed(np.maximum(self.labels[rows], 0))
        self.photos[rows] = self.photos.max() + 1 + np.arange(8)
        copy, original = self.some(2)
        self.vectors[copy] = self.vectors[original]

    def nothing(self) -> None:
        pass

    def judged(self, before: Remembered) -> tuple[LabelAssessment, np.ndarray, Remembered]:
        found = assess_labels(
            *(self.vectors, self.labels, CLASSES),
            groups=self.photos,
            confirmed=self.confirmed,
            keys=self.keys,
            before=before,
        )
        lots = marks(self.vectors, self.keys)
        twin, closest = twins(
            self.vectors, self.labels, self.photos, lots=lots, before=before.rivals
        )
        kept = Remembered(found.remembered.fit, found.remembered.look_alikes, closest)
        return found, np.append(twin, closest.rows), kept


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few products be many: landmarks, parts, and look-alikes of some only."""
    monkeypatch.setattr(kernel_ridge, "_FEWEST_LANDMARKS", 40)
    monkeypatch.setattr(kernel_ridge, "_MOST_NUMBERS", 40 * 640)
    monkeypatch.setattr(rivals, "_PER_LANDMARK", 80)
    monkeypatch.setattr(label_issues, "_ALL_SHOWN", 100)
    for module in (kernel_ridge, rivals, ridge_fit):
        monkeypatch.setattr(module, "_AT_ONCE", 64)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_changed_the_result_is_that_of_a_beginning(small: None, seed: int) -> None:
    shop, kept = Shop(seed), Remembered()
    steps = [shop.decide, shop.remove, shop.photograph, lambda: shop.add(9), shop.nothing]
    for _ in range(5):
        for step in shop.random.choice(len(steps), 2):
            steps[step]()
        again, twins_again, kept = shop.judged(kept)
        whole, twins_whole, _ = shop.judged(Remembered())
        np.testing.assert_allclose(again.probabilities, whole.probabilities, atol=2e-5)
        np.testing.assert_allclose(again.score, whole.score, atol=2e-5)
        for name in ("suggestion", "looks_wrong", "neighbours"):
            np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), name)
        np.testing.assert_array_equal(twins_again, twins_whole)


def test_what_holds_is_not_computed_again(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(0)
    _, _, kept = shop.judged(Remembered())
    asked: list[int] = []
    monkeypatch.setattr(ridge_fit, "_roots", None)
    monkeypatch.setattr(ridge_fit, "_leverage", None)
    compare = rivals._Search.compare

    def counted(self: rivals._Search, one: np.ndarray, other: np.ndarray) -> None:
        asked.append(len(one) * len(other))
        compare(self, one, other)

    def looked_for(vectors: np.ndarray, k: int, rows: np.ndarray | None = None) -> np.ndarray:
        assert rows is not None
        asked.append(len(rows) * len(vectors))
        return nearest(vectors, k, rows)

    monkeypatch.setattr(rivals._Search, "compare", counted)
    monkeypatch.setattr(look_alikes, "nearest", looked_for)
    shop.labels[10:13] = (shop.labels[10:13] + 1) % CLASSES
    shop.judged(kept)
    assert 0 < sum(asked) < 0.1 * len(shop.keys) ** 2


def test_what_is_new_is_added_to_what_was_and_no_root_taken(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(1, count=720)
    _, _, kept = shop.judged(Remembered())
    looked: list[int] = []
    gram = ridge_fit._gram

    def counted(closeness: np.ndarray, rows: np.ndarray) -> np.ndarray:
        looked.append(len(rows))
        return gram(closeness, rows)

    monkeypatch.setattr(ridge_fit, "_gram", counted)
    monkeypatch.setattr(ridge_fit, "_roots", None)
    shop.add(9)
    shop.judged(kept)
    assert looked == [9, 0]


def test_a_mark_changes_with_any_number_and_with_the_key() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 5)).astype(np.float32)
    keys = np.arange(300)
    lots = marks(rows, keys)
    assert len(np.unique(lots)) == 300
    for column in range(5):
        other = rows.copy()
        other[:, column] = np.nextafter(other[:, column], np.float32(9))
        assert not (marks(other, keys) == lots).any()
    assert not (marks(rows, keys + 1) == lots).any()
    assert (marks(rows[::-1], keys[::-1]) == lots[::-1]).all()


def test_places_are_what_the_loop_says() -> None:
    among, asked = mixed(np.arange(20)), mixed(np.arange(10, 40))
    expected = [among.tolist().index(one) if one in among else -1 for one in asked]
    assert places(asked, among).tolist() == expected
    assert places(asked, among[:0]).tolist() == [-1] * 30


def test_what_is_drawn_stays_until_there_are_an_eighth_more() -> None:
    lots = mixed(np.arange(1100))
    first = drawn(lots[:960], 50)
    assert (drawn(lots[:1000], 50) == first).all() and (drawn(lots[:1023], 50) == first).all()
    assert (drawn(lots[:1024], 50) != first).any()
    assert len(first) == 50 and (np.diff(first) > 0).all()
    assert [steady(n) for n in (0, 7, 15, 16, 17, 18, 100_000)] == [0, 7, 15, 16, 16, 18, 98_304]


def test_a_label_that_is_taken_away_is_taken_out_of_what_was(
    small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(1, count=729)
    _, _, kept = shop.judged(Remembered())
    shop.labels[710:722] = UNKNOWN  # beyond those of whom some span the kernel
    whole, _, anew = shop.judged(Remembered())
    monkeypatch.setattr(ridge_fit, "_roots", None)
    again, _, kept = shop.judged(kept)
    assert kept.fit is not None and anew.fit is not None
    np.testing.assert_allclose(kept.fit.gram, anew.fit.gram, rtol=1e-9)
    np.testing.assert_allclose(again.score, whole.score, atol=2e-5)
