"""From photos to vectors and probabilities: the article's functions, and the model as served."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from catalog_ai.data.transforms import normalize
from catalog_ai.errors import CheckpointError
from catalog_ai.images import Pixels, decode, read_photo, resize_square

_BATCH = 256


@dataclass(frozen=True)
class Outputs:
    """What a model says of N photos: `probabilities` (N, C) float32, `vectors` (N, D) float32.

    Rows of probabilities sum to one; vectors have unit length.
    """

    probabilities: NDArray[np.float32]
    vectors: NDArray[np.float32]


class CatalogModel:
    """A checkpoint as the catalogue uses it: pixels in, probabilities and unit vectors out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.meta = checkpoint.meta
        self.version = str(checkpoint.meta["version"])
        self.classes = tuple(checkpoint.meta["classes"])
        self.dimension = int(checkpoint.meta["architecture"]["dimension"])
        self.input_size = int(checkpoint.meta["preprocessing"]["size"])
        self._mirrored = bool(checkpoint.meta["preprocessing"].get("flip_average", False))
        self._classifier = checkpoint.classifier
        self._encoder = checkpoint.encoder

    @classmethod
    def load(cls, folder: Path) -> "CatalogModel":
        """Return the model in `folder`. Raises `CheckpointError`."""
        return cls(load_checkpoint(folder))

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

    def _batches(self, photos: Sequence[Pixels]) -> Iterator[Tensor]:
        for start in range(0, len(photos), _BATCH):
            squares = [
                resize_square(pixels, self.input_size) for pixels in photos[start : start + _BATCH]
            ]
            yield normalize(torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2)))

    def _predict_batch(self, images: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            logits, embedding = self._forward(images)
            probabilities = logits.softmax(1)
            if self._mirrored:
                mirrored_logits, mirrored = self._forward(images.flip(3))
                probabilities = (probabilities + mirrored_logits.softmax(1)) / 2
                embedding = embedding + mirrored
            vectors = functional.normalize(embedding, dim=1)
        return probabilities.numpy(), vectors.numpy()

    def _forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """One pass through a shared backbone, two through separate ones."""
        images = images.contiguous(memory_format=torch.channels_last)
        features = self._classifier.backbone(images)
        logits = self._classifier.head(features)
        if self._encoder.backbone is not self._classifier.backbone:
            features = self._encoder.backbone(images)
        embedding: Tensor = self._encoder.representation(features)
        return logits, functional.normalize(embedding, dim=1)


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
