"""Vectors as blobs: little-endian float32 (`"<f4"`), the dimension checked at every crossing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from db.errors import VectorError

FORMAT = "<f4"


def to_blob(vector: NDArray[np.float32]) -> bytes:
    """Return `vector`, (D,) of finite numbers, as 4·D bytes. Raises `VectorError`."""
    numbers = np.asarray(vector, dtype=FORMAT)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise VectorError(f"a vector of shape {numbers.shape} with finite numbers only is needed")
    return numbers.tobytes()


def from_blob(blob: bytes, dimension: int) -> NDArray[np.float32]:
    """Return the (dimension,) float32 vector in `blob`. Raises `VectorError`."""
    return matrix([blob], dimension).reshape(dimension)


def matrix(blobs: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Return N blobs as one (N, dimension) float32 array. Raises `VectorError`."""
    for blob in blobs:
        if len(blob) != 4 * dimension:
            raise VectorError(
                f"a stored vector has {len(blob) // 4} numbers where the model has {dimension}"
            )
    joined: NDArray[np.float32] = np.frombuffer(b"".join(blobs), dtype=FORMAT).astype(np.float32)
    return joined.reshape(len(blobs), dimension)
