"""What turns the backbone's pooled features into the vector that the catalogue stores."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

DIMENSION = 64
MOST_CATEGORY_NUMBERS = 16  # of the 64; the others say which garment it is


class SplitEmbedding(nn.Module):
    """One unit vector in two parts: which kind of garment, and which garment.

    [B, features] float → [B, 64] float, unit length. The first part is the square root of the
    category's probabilities, so that its Euclidean distance is Hellinger's between two garments'
    categories; with more than 16 categories each has one of as many directions in 16 dimensions.
    The second is a linear projection that is trained to find the same garment in another shot.
    Each part has a fixed length, √`category_share` and √(1 - `category_share`), so a squared
    distance is the mean of both parts', weighed by the share: one training goal cannot wipe out the
    other, as it does where both share all numbers.
    """

    def __init__(self, features: int, categories: int, *, category_share: float) -> None:
        super().__init__()
        numbers = min(categories, MOST_CATEGORY_NUMBERS)
        self.category = nn.Linear(features, categories)
        self.identity = nn.Linear(features, DIMENSION - numbers)
        self.register_buffer("directions", _directions(categories, numbers))
        self.directions: Tensor
        self.category_share = category_share

    def forward(self, features: Tensor) -> Tensor:
        """[B, features] float → [B, 64] float, unit length."""
        roots = self.category(features).softmax(1).sqrt()
        category = functional.normalize(roots @ self.directions, dim=1)
        identity = functional.normalize(self.identity(features), dim=1)
        share = self.category_share
        return torch.cat([math.sqrt(share) * category, math.sqrt(1 - share) * identity], 1)


class FixedProjection(nn.Module):
    """[B, features] float → [B, dimension] float: centre, then project; nothing is trained."""

    def __init__(self, features: int, dimension: int = DIMENSION) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("projection", torch.zeros(dimension, features))
        self.centre: Tensor
        self.projection: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """[B, features] float → [B, dimension] float, not normalised."""
        return (features - self.centre) @ self.projection.T


def _directions(categories: int, numbers: int) -> Tensor:
    """Return [categories, numbers]: orthogonal where there is room, else far apart by chance."""
    if categories <= numbers:
        return torch.eye(categories)
    drawn = torch.randn((categories, numbers), generator=torch.Generator().manual_seed(0))
    return functional.normalize(drawn, dim=1)
