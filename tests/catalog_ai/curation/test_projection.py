"""The map: neighbours stay together, the same seed gives the same map, few products are no case."""

import numpy as np
import pytest

from catalog_ai.curation.projection import FEW, project

# umap warns on import that one of its classes, which is not used here, needs TensorFlow.
pytestmark = pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")


def unit_vectors(count: int, dimension: int = 8, *, clusters: int = 1) -> np.ndarray:
    random = np.random.default_rng(5)
    centres = random.normal(size=(clusters, dimension))
    vectors = centres[np.arange(count) % clusters] + 0.2 * random.normal(size=(count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("dimension", [1, 2, 8])
@pytest.mark.parametrize("count", range(FEW))
def test_few_products_are_laid_out_all_the_same(count: int, dimension: int) -> None:
    positions = project(unit_vectors(count, dimension))
    assert positions.shape == (count, 2)
    assert positions.dtype == np.float32
    assert np.isfinite(positions).all()


def test_few_products_keep_their_distances_where_two_dimensions_suffice() -> None:
    vectors = np.zeros((6, 5), np.float32)
    vectors[:, [1, 3]] = np.random.default_rng(0).normal(size=(6, 2))
    positions = project(vectors)
    for one in range(6):
        for other in range(6):
            expected = np.linalg.norm(vectors[one] - vectors[other])
            distance = np.linalg.norm(positions[one] - positions[other])
            assert distance == pytest.approx(expected, abs=1e-5)


def test_identical_products_lie_on_one_point() -> None:
    positions = project(np.ones((4, 8), np.float32))
    assert np.ptp(positions, axis=0).max() < 1e-5


def test_umap_keeps_clusters_together_and_the_seed_decides() -> None:
    vectors = unit_vectors(60, clusters=3)
    positions = project(vectors, seed=1)
    assert positions.shape == (60, 2)
    assert positions.dtype == np.float32
    assert np.isfinite(positions).all()
    kinds = np.arange(60) % 3
    alike = 0
    for row in range(60):
        distances = np.linalg.norm(positions - positions[row], axis=1)
        distances[row] = np.inf
        alike += kinds[distances.argmin()] == kinds[row]
    assert alike >= 57
    assert (project(vectors, seed=1) == positions).all()
    assert not (project(vectors, seed=2) == positions).all()


def test_the_smallest_catalogue_for_umap_is_laid_out() -> None:
    positions = project(unit_vectors(FEW))
    assert positions.shape == (FEW, 2)
    assert np.isfinite(positions).all()
