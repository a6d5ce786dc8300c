"""Honest probabilities: one temperature, fitted on photos that the model has not learnt from."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.preprocessing import Preprocessing

_LOWEST, _HIGHEST = 0.05, 20.0
_AT_ONCE = 64  # photos
_SPLIT_FROM = 5  # photos of a category


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return T > 0 that makes softmax(logits / T) likeliest (Guo et al. 2017, section 4.2).

    `logits` [V, N, C] float of V views of each photo, `targets` [N] int64. What is judged is what
    is served, the mean of the views' probabilities. log T is expected within 1 of 0 (a normal
    prior): a handful of photos, all of them right, would ask for no doubt at all. T is searched for
    between 0.05 and 20; without a photo, it is 1.
    """
    if not len(targets):
        return 1.0
    from scipy.optimize import minimize_scalar

    wide = logits.double()

    def loss(log_temperature: float) -> float:
        scaled = wide / float(np.exp(log_temperature))
        served = scaled.log_softmax(2).logsumexp(0)  # of V views: V times too much, whatever T
        unlikely = float(functional.nll_loss(served, targets, reduction="sum"))
        return unlikely + log_temperature**2 / 2

    found = minimize_scalar(loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return float(np.exp(found.x))


def held_out_temperature(
    model: nn.Module, held_out: PhotoArrays, preprocessing: Preprocessing
) -> dict[str, Any]:
    """Return the temperature that photos ask for which `model` has not learnt from.

    `model` is on the CPU, in evaluation mode, [B, 3, S, S] → [B, C] logits. Without a photo nothing
    is returned.
    """
    if not len(held_out):
        return {}
    logits, targets = _logits(model, held_out, preprocessing)
    return {
        "temperature": fit_temperature(logits, targets),
        "held_out_photos": len(targets),
        "held_out_accuracy": float((logits.softmax(2).mean(0).argmax(1) == targets).float().mean()),
    }


def fold(
    targets: NDArray[np.int64], seed: int, share: float = 0.2
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows (all but a share, that share), each category split alike.

    A share of more than nothing holds one photo out of any category of five or more; smaller ones
    stay whole in the first part.
    """
    random = np.random.default_rng(seed)
    held_out = [np.empty(0, np.int64)]
    for label in np.unique(targets) if share else ():
        found = random.permutation(np.flatnonzero(targets == label))
        held_out.append(found[: max(int(share * len(found)), len(found) >= _SPLIT_FROM)])
    rows = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(targets)), rows), rows


def _logits(
    model: nn.Module, photos: PhotoArrays, preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """Return ([V, N, C] logits of each photo's views, [N] targets)."""
    squares = photos.resized(preprocessing.square).pixels.transpose(0, 3, 1, 2)
    parts: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(photos), _AT_ONCE):
            views = preprocessing.views(torch.from_numpy(squares[start : start + _AT_ONCE]))
            last = [view.contiguous(memory_format=torch.channels_last) for view in views]
            parts.append(torch.stack([model(view) for view in last]))
    return torch.cat(parts, 1), torch.from_numpy(photos.targets)
