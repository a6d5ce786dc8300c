"""The catalogue as a map: vectors in two dimensions (UMAP: McInnes, Healy and Melville 2018)."""

import numpy as np
from numpy.typing import NDArray

METHOD = "umap"
FEW = 10


def project(vectors: NDArray[np.float32], *, seed: int = 0) -> NDArray[np.float32]:
    """Return (N, 2) float32 positions for (N, D) unit vectors, the same for the same seed.

    Below ten products neighbourhoods mean nothing: those are laid out by their principal
    components. Only the worker calls this: numba's thread layer aborts when two threads run UMAP.
    """
    if len(vectors) < FEW:
        return _principal(vectors)
    from umap import UMAP

    # Euclidean orders unit vectors as the cosine does, and is what search measures.
    layout = UMAP(
        n_neighbors=min(15, len(vectors) - 1),
        min_dist=0.4,  # roomy: on a map one clicks single products
        metric="euclidean",
        init="spectral" if len(vectors) > 100 else "random",
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(layout.fit_transform(vectors), dtype=np.float32)


def _principal(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    positions = np.zeros((len(vectors), 2), np.float32)
    if len(vectors) > 1:
        centred = vectors - vectors.mean(0)
        left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
        axes = min(2, len(strengths))
        positions[:, :axes] = left[:, :axes] * strengths[:axes]
    return positions
