"""From photos to probabilities and vectors, whatever computes the networks; torch is not needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from catalog_ai.errors import CheckpointError
from catalog_ai.images import Pixels
from catalog_ai.preprocessing import Preprocessing

Images = NDArray[np.float32]

_MOST = 6e4  # a half-precision number holds no more
_BATCH = 64  # at 224 pixels 38 MB of input, and ONNX Runtime is no faster with more


class Runner(Protocol):
    """[B, 3, S, S] float32 → ([B, C] logits, [B, D] unit vectors, [B, F] features), float32."""

    def __call__(self, images: Images) -> tuple[Images, Images, Images]: ...


class Answer(NamedTuple):
    """What a model says of one photo; a row of `Outputs`."""

    probabilities: NDArray[np.float32]
    vector: NDArray[np.float32]
    features: NDArray[np.float16]


@dataclass(frozen=True)
class Outputs:
    """What a model says of N photos: `probabilities` (N, C) and `vectors` (N, D), float32.

    Rows of probabilities sum to one; vectors have unit length. `features` (N, F) float16 are what
    the vectors are made of: too many to search, good to learn from.
    """

    probabilities: NDArray[np.float32]
    vectors: NDArray[np.float32]
    features: NDArray[np.float16]

    def answers(self) -> list[Answer]:
        """Return what it says of each photo."""
        rows = zip(self.probabilities, self.vectors, self.features, strict=True)
        return [Answer(*row) for row in rows]


class Predictor:
    """Networks behind what a model does to a photo before them, and to their answers after."""

    def __init__(
        self, compute: Runner, version: str, preprocessing: Preprocessing, temperature: float
    ) -> None:
        self.version = version
        self.preprocessing = preprocessing
        self.temperature = temperature
        self._compute = compute

    def predict(self, photos: Sequence[Pixels]) -> Outputs:
        """Return what the model says of at least one photo, each (H, W, 3) uint8 of any size.

        Raises `CheckpointError` where its weights give numbers that are none.
        """
        parts = [self._predict_batch(batch) for batch in self._batches(photos)]
        found = [np.concatenate(part) for part in zip(*parts, strict=True)]
        if not all(np.isfinite(part).all() for part in found):
            raise CheckpointError(f"the weights of {self.version!r} are damaged: train it again")
        return Outputs(*found)

    def _batches(self, photos: Sequence[Pixels]) -> Iterator[list[Images]]:
        for start in range(0, len(photos), _BATCH):
            squares = [self.preprocessing.resize(one) for one in photos[start : start + _BATCH]]
            yield self.preprocessing.views(np.stack(squares))

    def _predict_batch(self, views: Sequence[Images]) -> tuple[Images, Images, NDArray[np.float16]]:
        logits, vectors, features = zip(*(self._compute(images) for images in views), strict=True)
        shares = _softmax(np.stack(logits) / np.float32(self.temperature))
        mean = np.mean(features, axis=0)
        return (
            shares.mean(0, dtype=np.float32),
            _unit(np.sum(vectors, axis=0)),
            mean.clip(-_MOST, _MOST).astype(np.float16),  # nan stays nan
        )


def _softmax(logits: NDArray[np.floating[Any]]) -> Images:
    """Softmax of the last axis; a model without categories has none to share among."""
    powers = np.exp(logits - logits.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def _unit(vectors: Images) -> Images:
    """(N, D) → the same at unit length; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Images = vectors / np.maximum(lengths, np.float32(1e-12))
    return units
