"""What is far from every category's mean is odd, also in crowds; people's marks are believed."""

import numpy as np
import pytest

from catalog_ai.curation.oddity import FEWEST, ODD, oddity


def photos(count: int = 300, kinds: int = 3, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return features that share most of what they are, and category numbers."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % kinds
    centres = 3 + 0.5 * random.normal(size=(kinds, 40))
    return (centres[labels] + random.normal(size=(count, 40))).astype(np.float32), labels


def crowd(count: int, seed: int = 5) -> np.ndarray:
    """Return features of what is something else altogether, alike among themselves."""
    random = np.random.default_rng(seed)
    centre = 4 * random.normal(size=40)
    return (centre + 0.2 * random.normal(size=(count, 40))).astype(np.float32)


def test_a_crowd_of_logos_is_odd_and_no_photo_is() -> None:
    features, labels = photos()
    found = oddity(np.concatenate([features, crowd(12)]), np.append(labels, np.arange(12) % 3))
    assert (found[300:] > ODD).all()
    assert not (found[:300] > ODD).any()
    assert ((found >= 0) & (found <= 1)).all()


def test_the_scale_of_a_photos_features_says_nothing() -> None:
    features, labels = photos()
    found = oddity(features, labels)
    scaled = features * np.linspace(0.5, 20, 300, dtype=np.float32)[:, None]
    np.testing.assert_allclose(oddity(scaled, labels), found, atol=1e-4)


def test_a_small_category_of_its_own_is_not_odd() -> None:
    features, labels = photos()
    both = np.concatenate([features, crowd(12)])
    assert not (oddity(both, np.append(labels, np.full(12, 3))) > ODD).any()
    assert (oddity(both, np.append(labels, np.full(12, -1)))[300:] > ODD).all()


def test_what_resembles_a_photo_that_people_marked_is_odd() -> None:
    features, labels = photos()
    middle = features.mean(0) + 1.5 * np.random.default_rng(3).normal(size=40)
    person = (middle + 0.1 * np.random.default_rng(4).normal(size=(6, 40))).astype(np.float32)
    both, numbers = np.concatenate([features, person]), np.append(labels, np.arange(6) % 3)
    assert not (oddity(both, numbers) > ODD).any()
    marked = oddity(both, numbers, marked=person[:1] + np.float32(0.02))
    assert (marked[300:] > ODD).all()
    assert not (marked[:300] > ODD).any()


def test_nobody_marked_is_as_if_nobody_had_been_asked() -> None:
    features, labels = photos()
    none = np.empty((0, 40), np.float32)
    assert (oddity(features, labels, none) == oddity(features, labels)).all()


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_of_few_products_nothing_is_known(count: int) -> None:
    features, labels = photos()
    found = oddity(features[:count], labels[:count])
    assert len(found) == count and np.isnan(found).all()


def test_photos_without_any_difference_are_not_odd() -> None:
    found = oddity(np.ones((80, 5), np.float32), np.full(80, -1))
    assert np.isfinite(found).all() and not (found > ODD).any()
