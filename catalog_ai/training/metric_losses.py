"""Losses on the vector, by name: the article's triplets, and what it names as next steps."""

import math

import torch
from torch import Tensor, nn

from catalog_ai.errors import UsageError
from catalog_ai.training.losses import batch_triplet_loss
from catalog_ai.training.miners import Curriculum, miner
from catalog_ai.training.names import LOSSES, MINING

_SUPCON_TEMPERATURE = 0.1  # Khosla et al. 2020, section 4
_ARCFACE_SCALE = 16.0
_CENTER_WEIGHT = 0.5


class MetricLoss(nn.Module):
    """([B, D] float of unit length, [B] int64) → a scalar; some have parameters of their own.

    `set_progress` tells it how much of the training is done, which a curriculum goes by.
    """

    def set_progress(self, share: float) -> None:
        """`share` of the training is done, 0..1."""


def metric_loss(
    name: str, *, classes: int, dimension: int, margin: float = 0.3, mining: str = "all"
) -> MetricLoss:
    """Return the loss of that name.

    `triplet`: max(0, d(a, p) - d(a, n) + margin), d Euclidean, over the triplets that `mining`
    picks (`training.miners`; `all`: every one, Hermans et al. 2017, section 2). `supcon`: Khosla
    et al. 2020, equation 2. `arcface`: Deng et al. 2019, equation 3, `margin` in radians. `center`:
    the mean squared distance to the category's centre (Wen et al. 2016, equation 2), for use
    beside cross-entropy. Raises `UsageError` for another name or mining.
    """
    if mining not in MINING:
        raise UsageError(f"there is no mining {mining!r}: choose from {', '.join(MINING)}")
    if name == "triplet":
        return _Triplet(margin, mining)
    if name == "supcon":
        return _Supcon()
    if name == "arcface":
        return _ArcFace(classes, dimension, margin)
    if name == "center":
        return _Center(classes, dimension)
    raise UsageError(f"there is no loss {name!r}: choose from {', '.join(LOSSES)}")


class _Triplet(MetricLoss):
    def __init__(self, margin: float, mining: str) -> None:
        super().__init__()
        from pytorch_metric_learning.losses import TripletMarginLoss

        self._margin = margin
        self._loss = TripletMarginLoss(margin=margin)
        self._curriculum = Curriculum(margin) if mining == "curriculum" else None
        self._miner = None if mining == "all" else self._curriculum or miner(mining, margin)

    def set_progress(self, share: float) -> None:
        if self._curriculum is not None:
            self._curriculum.progress = share

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        if self._miner is None:
            return batch_triplet_loss(vectors, targets, self._margin)
        loss: Tensor = self._loss(vectors, targets, self._miner(vectors.detach(), targets))
        return loss


class _Supcon(MetricLoss):
    def __init__(self) -> None:
        super().__init__()
        from pytorch_metric_learning.losses import SupConLoss

        self._loss = SupConLoss(temperature=_SUPCON_TEMPERATURE)

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = self._loss(vectors, targets)
        return loss


class _ArcFace(MetricLoss):
    def __init__(self, classes: int, dimension: int, margin: float) -> None:
        super().__init__()
        from pytorch_metric_learning.losses import ArcFaceLoss

        self._loss = ArcFaceLoss(
            classes, dimension, margin=math.degrees(margin), scale=_ARCFACE_SCALE
        )

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = self._loss(vectors, targets)
        return loss


class _Center(MetricLoss):
    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(classes, dimension))

    def forward(self, vectors: Tensor, targets: Tensor) -> Tensor:
        return _CENTER_WEIGHT * (vectors - self.centres[targets]).square().sum(1).mean()
