"""Vectors as blobs: little-endian float32 (`"<f4"`), the dimension checked at every crossing.

Features are half as long a number (`"<f2"`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Dialect, LargeBinary, TypeDecorator, func
from sqlalchemy.types import TypeEngine

from db.errors import VectorError

FORMAT = "<f4"
HALF = "<f2"
_SENT_HEADER = 4  # bytes before the numbers in what PostgreSQL's vector_send returns
_SENT_FORMAT = ">f4"


class Vector(TypeDecorator[bytes]):
    """A "<f4" blob to the program; on PostgreSQL a pgvector `vector` of `dimension` numbers.

    It is read through `vector_send`: quicker than digits, and exact to the bit.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(LargeBinary())
        from pgvector.sqlalchemy import VECTOR

        return dialect.type_descriptor(VECTOR(self.dimension))

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "postgresql":
            return value
        return np.frombuffer(value, dtype=FORMAT).tolist()

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        if isinstance(self.impl_instance, LargeBinary):
            return column
        return func.vector_send(column, type_=self)

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], bytes | None] | None:
        if dialect.name == "postgresql":
            return _from_sent
        return super().result_processor(dialect, coltype)


def _from_sent(sent: bytes | None) -> bytes | None:
    if sent is None:
        return None
    return np.frombuffer(sent, dtype=_SENT_FORMAT, offset=_SENT_HEADER).astype(FORMAT).tobytes()


def to_blob(vector: NDArray[np.float32]) -> bytes:
    """Return `vector`, (D,) of finite numbers, as 4·D bytes. Raises `VectorError`."""
    numbers = np.asarray(vector, dtype=FORMAT)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise VectorError(f"a vector of shape {numbers.shape} with finite numbers only is needed")
    return numbers.tobytes()


def halves(features: NDArray[np.float16]) -> bytes:
    """Return `features`, (F,) of finite numbers, as 2·F bytes. Raises `VectorError`."""
    numbers = np.asarray(features, dtype=HALF)
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise VectorError(f"features of shape {numbers.shape} with finite numbers only are needed")
    return numbers.tobytes()


def half_matrix(blobs: Sequence[bytes]) -> NDArray[np.float32]:
    """Return N blobs of `halves` as one (N, F) float32 array. Raises `VectorError`."""
    if len({len(blob) for blob in blobs}) > 1:
        raise VectorError("features of one model have different lengths: embed the catalogue anew")
    joined = np.frombuffer(b"".join(blobs), dtype=HALF).astype(np.float32)
    return joined.reshape(len(blobs), -1) if blobs else joined.reshape(0, 0)


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
