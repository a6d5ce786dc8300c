"""What happens to a photo between decoder and backbone: stated once, recorded with the model.

A model's `meta.json` carries its `Preprocessing`, so training, ingest, search and evaluation
cannot disagree on it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.images import Pixels, resize_square

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # raised when the same settings come to give other numbers
_ZOOM = 1.125


@dataclass(frozen=True)
class Preprocessing:
    """Squeeze to `size` × `size` pixels, scale to 0..1, subtract `mean`, divide by `std`.

    A model's answer is the mean of its answers for all `views` of a photo: with `flip_average` its
    mirror image counts as well, with `zoom_average` its middle, which shows the garment as large as
    the crops that the model learnt from. The defaults are the article's.
    """

    size: int = 64
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.5, 0.5, 0.5)
    flip_average: bool = False
    zoom_average: bool = False
    version: int = VERSION

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "Preprocessing":
        """Return what `to_meta` recorded. Raises `KeyError`, `TypeError`, `ValueError`."""
        return cls(
            size=int(meta["size"]),
            mean=three(meta["mean"]),
            std=three(meta["std"]),
            flip_average=bool(meta.get("flip_average", False)),
            zoom_average=bool(meta.get("zoom_average", False)),
            version=int(meta["version"]),
        )

    def to_meta(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @property
    def square(self) -> int:
        """Side in pixels of the square that all views are made from."""
        return round(_ZOOM * self.size) if self.zoom_average else self.size

    def resize(self, pixels: Pixels) -> Pixels:
        """(H, W, 3) uint8 → (square, square, 3) uint8."""
        ready = pixels.shape[:2] == (self.square, self.square)
        return pixels if ready else resize_square(pixels, self.square)

    def views(self, squares: Pixels) -> "list[NDArray[np.float32]]":
        """[B, square, square, 3] uint8 → one or more [B, 3, size, size] float32, normalised."""
        channels = np.ascontiguousarray(squares.transpose(0, 3, 1, 2))
        kept: list[NDArray[Any]] = [channels]
        if self.zoom_average:
            margin = (self.square - self.size) // 2
            middle = slice(margin, margin + self.size)
            shrink = _shrinking(self.square, self.size)
            kept = [shrink @ channels.astype(np.float32) @ shrink.T, channels[:, :, middle, middle]]
        scale, shift = (values.reshape(3, 1, 1) for values in self._scale_and_shift())
        views = [view * scale - shift for view in kept]
        if self.flip_average:
            views += [np.ascontiguousarray(view[..., ::-1]) for view in views]
        return views

    def normalize(self, pixels: "Tensor") -> "Tensor":
        """[..., 3, H, W] 0..255 → float32, what ToTensor and Normalize do to one image."""
        import torch

        scale, shift = (
            torch.from_numpy(values).to(pixels.device).view(3, 1, 1)
            for values in self._scale_and_shift()
        )
        return pixels.float().mul_(scale).sub_(shift)

    def of_symmetric(self, images: "Tensor") -> "Tensor":
        """[..., 3, H, W] float, -1..1 → what `normalize` makes of the same pixels."""
        import torch

        if self.mean == self.std == (0.5, 0.5, 0.5):
            return images
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images * 0.5 + 0.5 - mean) / std

    def _scale_and_shift(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What 0..255 is multiplied by, and what is then subtracted, for each colour."""
        mean, std = np.array(self.mean), np.array(self.std)
        return (1 / (255 * std)).astype(np.float32), (mean / std).astype(np.float32)


@cache
def _shrinking(before: int, after: int) -> NDArray[np.float32]:
    """Return the (after, before) matrix that shrinks a line of pixels as Pillow's BILINEAR does.

    Each pixel is the mean of those below a triangle twice as wide as itself: torch and torchvision
    call it bilinear with `antialias`.
    """
    width = before / after
    centres = (np.arange(after)[:, None] + 0.5) * width
    weights = np.clip(1 - np.abs(np.arange(before) + 0.5 - centres) / width, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def three(values: Any) -> tuple[float, float, float]:
    """Return a value for each of red, green and blue. Raises `ValueError` for another number."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue
