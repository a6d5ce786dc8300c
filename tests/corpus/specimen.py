"""One file of the corpus."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Specimen:
    """A file called `name` and what `decode` must say of it: "ok" or a code of `PhotoError`.

    Where its pixels matter `picture` is what they must look like, (H, W, 3) uint8, to a mean error
    of at most `tolerance` levels.
    """

    name: str
    data: bytes = field(repr=False)
    verdict: str = "ok"
    picture: NDArray[np.uint8] | None = field(default=None, repr=False, compare=False)
    tolerance: float = 0

    def __str__(self) -> str:
        return self.name


def ok(name: str, data: bytes, picture: Any = None, tolerance: float = 0) -> Specimen:
    """Return a file that must decode; `picture` is an image, or (width, height, colour)."""
    if isinstance(picture, tuple):
        width, height, color = picture
        picture = Image.new("RGB", (width, height), color)
    pixels = None if picture is None else np.asarray(picture, dtype=np.uint8)
    return Specimen(name, data, "ok", pixels, tolerance)
