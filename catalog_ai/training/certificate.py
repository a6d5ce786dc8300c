"""A birth certificate's parts that every training has: what was seen, measured, and used."""

import platform
from hashlib import sha256
from importlib.metadata import version as library_version
from typing import Any

import numpy as np
from torch import Tensor

from catalog_ai.checkpoint import Checkpoint, compact, fill, joined_state
from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.sources import SourceItem
from catalog_ai.evaluation.report import evaluate_model
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.training.task import Trained

LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn")


def stored(trained: Trained) -> dict[str, Tensor]:
    """Return the weights as they are stored, and leave them so in the networks to be measured."""
    weights = compact(joined_state(trained.classifier, trained.encoder))
    fill(trained.classifier, trained.encoder, weights, "just trained")
    return weights


def evaluation(
    trained: Trained,
    classes: tuple[str, ...],
    held_out: list[SourceItem],
    learnt_from: list[SourceItem],
) -> dict[str, Any]:
    """Return `metrics`, `per_class` and `confusion` on the validation photos.

    They are searched among themselves and every second training photo.
    """
    meta = {
        "version": "just trained",
        "classes": list(classes),
        "architecture": trained.architecture.to_meta(),
        "preprocessing": trained.preprocessing.to_meta(),
        "calibration": trained.calibration,
    }
    model = CatalogModel(Checkpoint(trained.classifier, trained.encoder, meta))
    evaluated = evaluate_model(model, held_out, learnt_from[::2], category_in_gallery=False)
    figures = dict(evaluated.figures)
    return {
        "per_class": figures.pop("per_class"),
        "confusion": figures.pop("confusion"),
        "metrics": {name: value for name, value in figures.items() if name != "classes"},
    }


def data_of(source: str, training: PhotoArrays, validation: PhotoArrays) -> dict[str, Any]:
    """Return how many photos of each category there were, and a fingerprint of all of them."""
    counts = np.bincount(training.targets, minlength=len(training.classes))
    seen = sha256("".join(sorted((*training.sha256, *validation.sha256))).encode())
    return {
        "fingerprint": seen.hexdigest(),
        "source": source,
        "train": len(training),
        "validation": len(validation),
        "counts": dict(zip(training.classes, counts.tolist(), strict=True)),
    }


def libraries() -> dict[str, str]:
    """Return name → version of what the weights depend upon."""
    return {"python": platform.python_version()} | {
        name: library_version(name) for name in LIBRARIES
    }
