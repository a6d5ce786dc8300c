"""The re-shot test: is the same garment, shot again, found first?

The article measures visual search by "is it the same category?", and training for that alone wipes
style out of the vector. Here each photo is shot again by a fixed chain of distortions, and its
original must come first among all photos.
"""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from catalog_ai.images import Pixels, resize_square

SIDE = 240
QUALITY = 40


def shoot_again(photos: Sequence[Pixels], *, seed: int = 0, first: int = 0) -> list[Pixels]:
    """Return another shot of each photo, (240, 240, 3) uint8.

    In this order, on the photo squeezed to a square: perspective 0.15, rotation ±12°, a crop of 60
    to 100 % of the area, a flip, colour jitter 0.25/0.2/0.15/0.02, JPEG of quality 40. What photo
    number `first` + i goes through depends on `seed` and that number alone.
    """
    import torch

    from catalog_ai import vision

    distort = vision.transforms.Compose(
        [
            vision.transforms.RandomPerspective(0.15, p=1),
            vision.transforms.RandomRotation(12),
            vision.transforms.RandomResizedCrop(SIDE, scale=(0.6, 1), ratio=(0.85, 1.18)),
            vision.transforms.RandomHorizontalFlip(),
            vision.transforms.ColorJitter(0.25, 0.2, 0.15, 0.02),
        ]
    )
    shots = []
    for number, pixels in enumerate(photos, first):
        with torch.random.fork_rng(devices=()):  # torchvision draws from torch's global generator
            torch.manual_seed(seed * 1_000_003 + number)
            shots.append(_compressed(distort(Image.fromarray(resize_square(pixels, SIDE)))))
    return shots


def _compressed(image: Image.Image) -> Pixels:
    file = BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    with Image.open(file) as compressed:
        return np.asarray(compressed, dtype=np.uint8)
