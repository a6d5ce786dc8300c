"""From photos to vectors and probabilities: the article's functions, and the model as served."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.data.dataset import CatalogDataset
from catalog_ai.data.loaders import PlainLoader
from catalog_ai.errors import CheckpointError
from catalog_ai.images import Pixels, decode, read_photo
from catalog_ai.inference.runner import Runner, TorchRunner, runner
from catalog_ai.models.siamese import TwoHeads
from catalog_ai.models.summary import ModelStatistics, summarize

_BATCH = 64  # at 224 pixels 38 MB of input, and ONNX Runtime is no faster with more


@dataclass(frozen=True)
class Outputs:
    """What a model says of N photos: `probabilities` (N, C) float32, `vectors` (N, D) float32.

    Rows of probabilities sum to one; vectors have unit length.
    """

    probabilities: NDArray[np.float32]
    vectors: NDArray[np.float32]


class CatalogModel:
    """A checkpoint as the catalogue uses it: pixels in, probabilities and unit vectors out."""

    def __init__(self, checkpoint: Checkpoint, compute: Runner | None = None) -> None:
        self.meta = checkpoint.meta
        self.version = str(checkpoint.meta["version"])
        self.classes = tuple(checkpoint.meta["classes"])
        self.dimension = checkpoint.architecture.dimension
        self.preprocessing = checkpoint.preprocessing
        self.temperature = checkpoint.temperature
        self._checkpoint = checkpoint
        self._compute = compute or TorchRunner(checkpoint)

    @classmethod
    def load(cls, folder: Path, *, runtime: str = "auto", provider: str = "cpu") -> "CatalogModel":
        """Return the model in `folder`; `runtime` and `provider` as in `inference.runner`.

        Raises `CheckpointError`, `UsageError`.
        """
        checkpoint = load_checkpoint(folder)
        return cls(checkpoint, runner(checkpoint, folder, runtime=runtime, provider=provider))

    @property
    def input_size(self) -> int:
        """Width and height, in pixels, of what is kept of a photo for the networks."""
        return self.preprocessing.square

    @cached_property
    def statistics(self) -> ModelStatistics:
        """Layers, parameters and mult-adds of both heads for one photo."""
        network = TwoHeads(self._checkpoint.classifier, self._checkpoint.encoder)
        size = self.preprocessing.size
        return summarize(network, (1, 3, size, size))

    def predict(self, photos: Sequence[Pixels]) -> Outputs:
        """Return what the model says of photos of any size, each (H, W, 3) uint8.

        Raises `CheckpointError` where its weights give numbers that are none.
        """
        parts = [self._predict_batch(batch) for batch in self._batches(photos)]
        if not parts:
            return Outputs(
                np.empty((0, len(self.classes)), np.float32),
                np.empty((0, self.dimension), np.float32),
            )
        probabilities, vectors = (np.concatenate(part) for part in zip(*parts, strict=True))
        if not (np.isfinite(probabilities).all() and np.isfinite(vectors).all()):
            raise CheckpointError(f"the weights of {self.version!r} are damaged: train it again")
        return Outputs(probabilities, vectors)

    def _batches(self, photos: Sequence[Pixels]) -> Iterator[list[Tensor]]:
        for start in range(0, len(photos), _BATCH):
            squares = [self.preprocessing.resize(one) for one in photos[start : start + _BATCH]]
            yield self.preprocessing.views(
                torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2))
            )

    def _predict_batch(
        self, views: list[Tensor]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        answers = [self._compute(images.numpy()) for images in views]
        probabilities = np.stack([self._probabilities(logits) for logits, _ in answers])
        vectors = torch.from_numpy(np.sum([vectors for _, vectors in answers], axis=0))
        return (
            probabilities.mean(0, dtype=np.float32),
            functional.normalize(vectors, dim=1).numpy(),
        )

    def _probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        probabilities: NDArray[np.float32] = (
            torch.from_numpy(logits / self.temperature).softmax(1).numpy()
        )
        return probabilities


def get_query_img_embedding(
    encoder: nn.Module,
    transform: Callable[[Image.Image], Tensor],
    img: Any,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Return the (1, D) embedding of one photo: a PIL image, a path, or (H, W, 3) uint8."""
    encoder.eval()
    with torch.inference_mode():
        tensor = transform(_as_image(img)).unsqueeze(0).to(device)
        embedding: NDArray[np.float32] = encoder(tensor).cpu().numpy()
    return embedding


def get_embeddings(
    encoder: nn.Module, catalog: CatalogDataset, device: torch.device | str = "cpu"
) -> NDArray[np.float32]:
    """Return the (N, D) embeddings of all photos of `catalog`, in its order."""
    encoder.eval()
    with torch.inference_mode():
        parts = [encoder(images.to(device)).cpu() for images, _ in PlainLoader(catalog.photos)]
    embeddings: NDArray[np.float32] = torch.cat(parts).numpy()
    return embeddings


def _as_image(photo: Any) -> Image.Image:
    if isinstance(photo, str | Path):
        return Image.fromarray(decode(read_photo(Path(photo))))
    return Image.fromarray(photo) if isinstance(photo, np.ndarray) else photo
