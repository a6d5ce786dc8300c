"""From photos to vectors and probabilities: the article's functions, and the model as served."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.data.dataset import CatalogDataset
from catalog_ai.data.loaders import PlainLoader
from catalog_ai.images import Pixels, decode, read_photo
from catalog_ai.inference.predicting import Outputs, Predictor, Runner
from catalog_ai.inference.runner import TorchRunner, runner
from catalog_ai.models.siamese import TwoHeads
from catalog_ai.models.summary import ModelStatistics, summarize


class CatalogModel(Predictor):
    """A checkpoint as the catalogue uses it: pixels in, probabilities and unit vectors out."""

    def __init__(self, checkpoint: Checkpoint, compute: Runner | None = None) -> None:
        super().__init__(
            compute or TorchRunner(checkpoint),
            str(checkpoint.meta["version"]),
            checkpoint.preprocessing,
            checkpoint.temperature,
        )
        self.meta = checkpoint.meta
        self.classes = tuple(checkpoint.meta["classes"])
        self.dimension = checkpoint.architecture.dimension
        self._checkpoint = checkpoint

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
        if photos:
            return super().predict(photos)
        widths = ((len(self.classes), np.float32), (self.dimension, np.float32), (0, np.float16))
        return Outputs(*(np.empty((0, width), kind) for width, kind in widths))


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
