"""What turns the backbone's pooled features into the vector that the catalogue stores."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIMENSION = 64
MOST_CATEGORY_NUMBERS = 16  # of the 64; the others say which garment it is
_LEAST_VARIANCE = 1e-4


class SplitEmbedding(nn.Module):
    """One unit vector in two parts: which kind of garment, and which garment.

    [B, features + style] float → [B, 64] float, unit length. The first part is the square root of
    the category's probabilities, so that its Euclidean distance is Hellinger's between two
    garments' categories; with more than 16 categories each has one of as many directions in 16
    dimensions. The second is a linear projection, trained to find the same garment in another shot,
    of the style, or of the features where there is no style. Each part has a fixed length,
    √`category_share` and √(1 - `category_share`), so a squared distance is the mean of both parts',
    weighed by the share: one training goal cannot wipe out the other, as it does where both share
    all numbers.
    """

    def __init__(
        self, features: int, categories: int, *, category_share: float, style: int = 0
    ) -> None:
        super().__init__()
        numbers = min(categories, MOST_CATEGORY_NUMBERS)
        self.features = features
        self.style = style
        self.category = nn.Linear(features, categories)
        # The statistics of different layers are of different sizes.
        self.scale = nn.BatchNorm1d(style or features, affine=False)
        self.identity = nn.Linear(style or features, DIMENSION - numbers)
        self.register_buffer("directions", _directions(categories, numbers))
        self.directions: Tensor
        self.category_share = category_share

    def forward(self, pooled: Tensor) -> Tensor:
        """[B, features + style] float → [B, 64] float, unit length."""
        roots = self.category(pooled[:, : self.features]).softmax(1).sqrt()
        category = functional.normalize(roots @ self.directions, dim=1)
        share = self.category_share
        return torch.cat(
            [math.sqrt(share) * category, math.sqrt(1 - share) * self.garment(pooled)], 1
        )

    @torch.no_grad()
    def whiten(self, photos: Tensor, shots: Tensor) -> None:
        """Make what two shots of one garment differ in count less, and what they share count more.

        `photos` and `shots` [N, features + style] float are pooled features of the same garments,
        row by row. The projection is multiplied by W^-½, W the covariance within garments
        (Mikolajczyk and Matas 2007, "Improving descriptors for fast tree matching by optimal linear
        projection", section 3).
        """
        first, second = (self.identity(self.scale(self._described(x))) for x in (photos, shots))
        difference = (first - second).double()
        within = difference.T @ difference / (2 * len(difference))
        values, directions = torch.linalg.eigh(within)
        # What hardly ever differs in so few garments must not rule the others.
        scale = values.clamp(min=_LEAST_VARIANCE * float(values.max())).rsqrt()
        root = (directions @ torch.diag(scale) @ directions.T).float()
        centre = first.mean(0)
        self.identity.weight.copy_(root @ self.identity.weight)
        self.identity.bias.copy_(root @ (self.identity.bias - centre))

    def _described(self, pooled: Tensor) -> Tensor:
        return pooled[:, self.features :] if self.style else pooled

    def garment(self, pooled: Tensor) -> Tensor:
        """[B, features + style] float → [B, 48 or more] float, unit length: the second part."""
        return functional.normalize(self.identity(self.scale(self._described(pooled))), dim=1)


class FixedProjection(nn.Module):
    """[B, features + style] float → [B, dimension] float: centre, then project the features.

    Nothing is trained; the style takes no part.
    """

    def __init__(self, features: int, dimension: int = DIMENSION) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("projection", torch.zeros(dimension, features))
        self.centre: Tensor
        self.projection: Tensor

    def forward(self, pooled: Tensor) -> Tensor:
        """[B, features + style] float → [B, dimension] float, not normalised."""
        return (pooled[:, : len(self.centre)] - self.centre) @ self.projection.T


def _directions(categories: int, numbers: int) -> Tensor:
    """Return [categories, numbers]: orthogonal where there is room, else far apart by chance."""
    if categories <= numbers:
        return torch.eye(categories)
    drawn = torch.randn((categories, numbers), generator=torch.Generator().manual_seed(0))
    return functional.normalize(drawn, dim=1)
