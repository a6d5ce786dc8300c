"""Honest probabilities: one temperature, fitted on photos that the model has not learnt from."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.preprocessing import Preprocessing

_LOWEST, _HIGHEST = 0.25, 4.0
_AT_ONCE = 64  # photos


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return T > 0 that makes softmax(logits / T) likeliest (Guo et al. 2017, section 4.2).

    `logits` [V, N, C] float of V views of each photo, `targets` [N] int64. What is judged is what
    is served, the mean of the views' probabilities. T is searched for between 1/4 and 4, since a
    handful of photos, all of them right, would ask for no doubt at all; without a photo, it is 1.
    """
    if not len(targets):
        return 1.0
    from scipy.optimize import minimize_scalar

    wide = logits.double()

    def loss(log_temperature: float) -> float:
        scaled = wide / float(np.exp(log_temperature))
        served = scaled.log_softmax(2).logsumexp(0)  # of V views: V times too much, whatever T
        return float(functional.nll_loss(served, targets))

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


def rehearsed_temperature(
    photos: PhotoArrays,
    rehearse: Callable[[PhotoArrays, NDArray[np.int64], int], nn.Module],
    preprocessing: Preprocessing,
    epochs: int,
    seed: int,
) -> dict[str, Any]:
    """Return the temperature that a fifth of the training photos asks for, held out of a rehearsal.

    `rehearse` trains for `epochs` on (photos, their rows among all photos, epochs) and returns
    [B, 3, S, S] → [B, C] logits. Nothing is returned where there is nothing to fit on.
    """
    learnt, held_out = fold(photos.targets, seed)
    if not epochs or not len(held_out):
        return {}
    model = rehearse(photos.take(learnt), learnt, epochs).cpu().eval()
    return {**held_out_temperature(model, photos.take(held_out), preprocessing), "epochs": epochs}


def fold(
    targets: NDArray[np.int64], seed: int, folds: int = 5
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows (of all folds but one, of that one), each category split alike.

    A category with fewer photos than folds stays whole in the first part.
    """
    random = np.random.default_rng(seed)
    held_out = [np.empty(0, np.int64)]
    for label in np.unique(targets):
        found = random.permutation(np.flatnonzero(targets == label))
        held_out.append(found[: len(found) // folds])
    rows = np.sort(np.concatenate(held_out))
    return np.setdiff1d(np.arange(len(targets)), rows), rows


def _logits(
    model: nn.Module, photos: PhotoArrays, preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """Return ([V, N, C] logits of each photo's views, [N] targets)."""
    squares = photos.resized(preprocessing.square).pixels
    parts: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(photos), _AT_ONCE):
            views = preprocessing.views(squares[start : start + _AT_ONCE])
            last = [
                torch.from_numpy(view).contiguous(memory_format=torch.channels_last)
                for view in views
            ]
            parts.append(torch.stack([model(view) for view in last]))
    return torch.cat(parts, 1), torch.from_numpy(photos.targets)
