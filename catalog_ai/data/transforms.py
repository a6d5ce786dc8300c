"""From a photo to the network's input: the article's transforms, and a batch at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from catalog_ai.preprocessing import Preprocessing
from catalog_ai.vision import transforms

SIZE, MEAN, STD = Preprocessing().size, Preprocessing().mean, Preprocessing().std

Transform = Callable[[Image.Image], Tensor]


def train_transform(size: int = SIZE) -> Transform:
    """PIL image → [3, size, size] float, -1..1, flipped and rotated at random (article, part 1)."""
    steps: Transform = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(10),
            transforms.ToTensor(),
            transforms.Normalize(mean=MEAN, std=STD),
        ]
    )
    return steps


def validation_transform(size: int = SIZE) -> Transform:
    """PIL image → [3, size, size] float, -1..1, nothing random (article, part 1)."""
    steps: Transform = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize(mean=MEAN, std=STD),
        ]
    )
    return steps


@dataclass(frozen=True)
class BatchAugmentation:
    """Random crop, flip, rotation, colour and cutout for a whole batch in a few tensor operations.

    [B, 3, S, S] uint8 → [B, 3, size, size] float, about -1..1. One call costs about what decoding
    a single photo costs, where torchvision's transforms work photo by photo. Crop: Szegedy et al.
    2015, section 6; cutout: DeVries and Taylor 2017.

    `scale`: share of the picture's area that a crop keeps, at least. `degrees`: rotation, ±.
    `perspective`: how much nearer one edge comes than the middle, at most, as a share of the
    distance. `colour`: relative strength of brightness, contrast and saturation. `cutout`: side of
    the square that is greyed out, as a share of the picture's. `black_edges`: share of the batches
    where nothing lies beyond the picture's edge; elsewhere the picture is reflected there.
    `softness`: share of the pixels' number along a side that a batch loses at most, as photos do
    that were scaled and compressed before.
    """

    size: int = SIZE
    scale: float = 0.6
    ratio: float = 1.2
    degrees: float = 10.0
    perspective: float = 0.0
    colour: float = 0.25
    cutout: float = 0.25
    black_edges: float = 0.0
    softness: float = 0.0

    def __call__(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Augment `pixels`; the same generator state gives the same result."""
        images = pixels.float().div_(127.5).sub_(1.0)
        images = self._soften(self._warp(images, generator), generator)
        images = self._recolour(images, generator)
        return self._cut(images, generator)

    def _warp(self, images: Tensor, generator: torch.Generator) -> Tensor:
        theta = self._theta(len(images), generator)
        shape = [len(images), 3, self.size, self.size]
        if self.perspective:
            grid = self._projective(theta, generator)
        else:
            grid = functional.affine_grid(theta, shape, align_corners=False)
        if self.black_edges and float(_uniform(1, 0, 1, generator)) < self.black_edges:
            # grid_sample fills with 0, and black is -1.
            return functional.grid_sample(images + 1, grid, align_corners=False) - 1
        return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)

    def _projective(self, theta: Tensor, generator: torch.Generator) -> Tensor:
        """[B, 2, 3] affine maps → [B, size, size, 2] grid, seen at an angle besides."""
        count = len(theta)
        tilt = torch.stack(
            [_uniform(count, -1, 1, generator) * self.perspective for _ in range(2)], 1
        )
        last = torch.cat([tilt, torch.ones(count, 1)], 1)[:, None]
        position = (torch.arange(self.size) + 0.5) / self.size * 2 - 1
        y, x = torch.meshgrid(position, position, indexing="ij")
        points = torch.stack([x.flatten(), y.flatten(), torch.ones(self.size**2)])
        mapped = torch.cat([theta, last], 1) @ points
        return (
            (mapped[:, :2] / mapped[:, 2:]).transpose(1, 2).reshape(count, self.size, self.size, 2)
        )

    def _theta(self, count: int, generator: torch.Generator) -> Tensor:
        """[B, 2, 3] maps from the crop to the picture: zoom, aspect, rotation, flip and shift."""
        area = _uniform(count, self.scale, 1.0, generator)
        stretch = torch.exp(_uniform(count, -1, 1, generator) * math.log(self.ratio) / 2)
        width, height = (area.sqrt() * stretch).clamp(max=1), (area.sqrt() / stretch).clamp(max=1)
        angle = torch.deg2rad(_uniform(count, -self.degrees, self.degrees, generator))
        flip = torch.where(_uniform(count, 0, 1, generator) < 0.5, -1.0, 1.0)
        shift_x = _uniform(count, -1, 1, generator) * (1 - width)
        shift_y = _uniform(count, -1, 1, generator) * (1 - height)
        cosine, sine = angle.cos(), angle.sin()
        return torch.stack(
            [
                torch.stack([flip * width * cosine, -height * sine, shift_x], 1),
                torch.stack([flip * width * sine, height * cosine, shift_y], 1),
            ],
            1,
        )

    def _soften(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if not self.softness:
            return images
        kept = float(_uniform(1, 1 - self.softness, 1, generator))
        side = max(1, round(kept * self.size))
        small = functional.interpolate(images, (side, side), mode="bilinear", antialias=True)
        return functional.interpolate(small, (self.size, self.size), mode="bilinear")

    def _recolour(self, images: Tensor, generator: torch.Generator) -> Tensor:
        count = len(images)
        low, high = -self.colour, self.colour
        brightness, contrast, saturation = (
            _uniform(count, low, high, generator).view(-1, 1, 1, 1) for _ in range(3)
        )
        mean = images.mean((1, 2, 3), keepdim=True)
        images = (images - mean) * (1 + contrast) + mean + brightness
        grey = images.mean(1, keepdim=True)
        return (images - grey) * (1 + saturation) + grey

    def _cut(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if not self.cutout:
            return images
        half = self.cutout / 2
        position = (torch.arange(self.size) + 0.5) / self.size
        centre_x, centre_y = (_uniform(len(images), 0, 1, generator)[:, None] for _ in range(2))
        inside_x = (position - centre_x).abs() < half
        inside_y = (position - centre_y).abs() < half
        return images.masked_fill((inside_y[:, :, None] & inside_x[:, None, :])[:, None], 0.0)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator) * (high - low) + low
