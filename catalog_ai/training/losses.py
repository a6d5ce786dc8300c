"""Losses: class weights from counts, triplets and pairs of shots within a batch."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.errors import TrainingDataError


def class_weights(
    targets: NDArray[np.int64], classes: tuple[str, ...], *, power: float = 1.0
) -> Tensor:
    """Return [C] float: (total / count of each class) ** power; the article's power is 1.

    Raises `TrainingDataError` naming the classes without a single photo.
    """
    counts = np.bincount(targets, minlength=len(classes))
    absent = [name for name, count in zip(classes, counts, strict=True) if count == 0]
    if absent:
        raise TrainingDataError(
            f"no training photo is labelled {', '.join(absent)}: add some, or leave the category "
            "out with --classes"
        )
    return torch.tensor((counts.sum() / counts) ** power, dtype=torch.float32)


def weighted_cross_entropy(
    targets: NDArray[np.int64], classes: tuple[str, ...]
) -> nn.CrossEntropyLoss:
    """Return the article's loss: cross-entropy weighted by inverse class frequency."""
    return nn.CrossEntropyLoss(weight=class_weights(targets, classes))


def batch_triplet_loss(vectors: Tensor, targets: Tensor, margin: float) -> Tensor:
    """Return the mean of max(0, d(a, p) - d(a, n) + margin) over all triplets that violate it.

    `vectors` [B, D] float, `targets` [B] int; d is Euclidean. "Batch all" of Hermans et al. 2017,
    section 2: every anchor with every positive and every negative of the batch, averaged over the
    triplets that are not yet satisfied. A batch without one gives 0 with a gradient of zeros.
    """
    distances = pairwise_distances(vectors)
    same = targets[:, None] == targets[None, :]
    positive = same & ~torch.eye(len(targets), dtype=torch.bool, device=targets.device)
    valid = positive[:, :, None] & ~same[:, None, :]
    excess = functional.relu(distances[:, :, None] - distances[:, None, :] + margin) * valid
    return excess.sum() / (excess > 0).sum().clamp(min=1)


def instance_contrast(
    vectors: Tensor,
    numbers: Tensor,
    *,
    temperature: float,
    others: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Return the mean cross-entropy of finding another shot of the same photo among all vectors.

    `vectors` [B, D] float, unit length; `numbers` [B] int, which photo each is a shot of: at least
    two of each. NT-Xent (Chen et al. 2020, equation 1); `others`, ([M, D], [M]), are compared with
    as well (Wang et al. 2020, section 3.2), except those of the same photo, which are neither
    sought nor avoided.
    """
    every, theirs = vectors, numbers
    if others is not None:
        every, theirs = torch.cat([vectors, others[0]]), torch.cat([numbers, others[1]])
    same = numbers[:, None] == theirs[None, :]
    itself = torch.eye(len(vectors), len(every), dtype=torch.bool, device=vectors.device)
    sought = same & ~itself
    sought[:, len(vectors) :] = False
    ignored = itself | (same & ~sought)
    similarity = (vectors @ every.T / temperature).masked_fill(ignored, -torch.inf)
    return -similarity.log_softmax(1)[sought].mean()


def pairwise_distances(vectors: Tensor) -> Tensor:
    """Return [B, B] Euclidean distances between the rows of [B, D]; finite gradients at 0."""
    squares = vectors.pow(2).sum(1)
    squared = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    # The root's slope is infinite at 0, where every vector meets itself.
    return squared.clamp(min=1e-12).sqrt()
