"""What happens to a photo between decoder and backbone: stated once, recorded with the model.

A model's `meta.json` carries its `Preprocessing`, so training, ingest, search and evaluation
cannot disagree on it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
        return resize_square(pixels, self.square)

    def views(self, squares: "Tensor") -> "list[Tensor]":
        """[B, 3, square, square] uint8 → one or more [B, 3, size, size] float32, normalised."""
        from torch.nn import functional

        kept = [squares]
        if self.zoom_average:
            shape = (self.size, self.size)
            margin = (self.square - self.size) // 2
            middle = slice(margin, margin + self.size)
            whole = functional.interpolate(squares.float(), shape, mode="bilinear", antialias=True)
            kept = [whole, squares[:, :, middle, middle]]
        if self.flip_average:
            kept += [view.flip(3) for view in kept]
        return [self.normalize(view) for view in kept]

    def normalize(self, pixels: "Tensor") -> "Tensor":
        """[..., 3, H, W] 0..255 → float32, what ToTensor and Normalize do to one image."""
        import torch

        scale = 1 / (255 * torch.tensor(self.std, device=pixels.device)).view(3, 1, 1)
        shift = (torch.tensor(self.mean) / torch.tensor(self.std)).to(pixels.device)
        return pixels.float().mul_(scale).sub_(shift.view(3, 1, 1))

    def of_symmetric(self, images: "Tensor") -> "Tensor":
        """[..., 3, H, W] float, -1..1 → what `normalize` makes of the same pixels."""
        import torch

        if self.mean == self.std == (0.5, 0.5, 0.5):
            return images
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (images * 0.5 + 0.5 - mean) / std


def three(values: Any) -> tuple[float, float, float]:
    """Return a value for each of red, green and blue. Raises `ValueError` for another number."""
    red, green, blue = (float(value) for value in values)
    return red, green, blue
