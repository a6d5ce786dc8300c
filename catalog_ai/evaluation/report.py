"""What a trained model's birth certificate says of its quality, measured as it will be served."""

from dataclasses import asdict
from typing import Any

import numpy as np

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.transforms import SIZE
from catalog_ai.evaluation import metrics
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.models.backbone import FEATURES
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.models.summary import summarize


def evaluation(
    classifier: MobileNetLikeClassifier,
    encoder: SiameseEncoder,
    photos: PhotoArrays,
    *,
    flip_average: bool,
) -> dict[str, Any]:
    """Return `metrics`, `per_class` and `confusion` on photos that the model has not seen.

    They are measured on exactly what the catalogue will use: probabilities and unit vectors, with
    `flip_average` the mean over each photo and its mirror image.
    """
    meta = {
        "version": "just trained",
        "classes": list(photos.classes),
        "architecture": {"dimension": FEATURES},
        "preprocessing": {"size": SIZE, "flip_average": flip_average},
    }
    outputs = CatalogModel(Checkpoint(classifier, encoder, meta)).predict(list(photos.pixels))
    predicted = outputs.probabilities.argmax(1)
    confusion = metrics.confusion_matrix(predicted, photos.targets, len(photos.classes))
    per_class = metrics.per_class_accuracy(confusion).tolist()
    statistics = summarize(classifier)
    return {
        "metrics": {
            "accuracy": metrics.accuracy(predicted, photos.targets),
            **_finite(asdict(metrics.retrieval_metrics(outputs.vectors, photos.targets))),
            "parameters": statistics.parameters,
            "mult_adds": statistics.mult_adds,
        },
        "per_class": _finite(dict(zip(photos.classes, per_class, strict=True))),
        "confusion": confusion.tolist(),
    }


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no nan: a figure that does not exist is null."""
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
