import numpy as np
import pytest

from db.errors import VectorError
from db.vectors import from_blob, half_matrix, halves, matrix, to_blob


def test_a_vector_survives_the_database() -> None:
    vector = np.linspace(-1, 1, 64).astype(np.float32)
    blob = to_blob(vector)
    assert len(blob) == 4 * 64
    assert (from_blob(blob, 64) == vector).all()
    assert blob == vector.astype("<f4").tobytes()


def test_many_become_one_writable_matrix() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    joined = matrix([to_blob(row) for row in rows], 3)
    assert joined.dtype == np.float32
    assert (joined == rows).all()
    joined[0, 0] = 9  # a view of the bytes would refuse


def test_no_vectors_are_an_empty_matrix() -> None:
    assert matrix([], 64).shape == (0, 64)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    with pytest.raises(VectorError, match="finite"):
        to_blob(np.array([0.0, bad], np.float32))


def test_another_dimension_is_refused() -> None:
    blobs = [to_blob(np.zeros(64, np.float32)), to_blob(np.zeros(32, np.float32))]
    with pytest.raises(VectorError, match="32 numbers where the model has 64"):
        matrix(blobs, 64)
    with pytest.raises(VectorError, match="shape"):
        to_blob(np.zeros((2, 2), np.float32))


def test_features_are_half_as_long_and_all_of_one_length() -> None:
    rows = np.linspace(-3, 3, 12).astype(np.float16).reshape(4, 3)
    blobs = [halves(row) for row in rows]
    assert {len(blob) for blob in blobs} == {6}
    joined = half_matrix(blobs)
    assert joined.dtype == np.float32
    assert (joined == rows).all()
    assert half_matrix([]).shape == (0, 0)
    with pytest.raises(VectorError, match="different lengths"):
        half_matrix([*blobs, blobs[0][:4]])
    with pytest.raises(VectorError, match="finite"):
        halves(np.array([1.0, np.inf], np.float16))
