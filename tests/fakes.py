"""A photo, a model's birth certificate, an untrained model: small, and the same every time."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from torch import Tensor

    from catalog_ai.data.dataset import PhotoArrays

CLASSES = ("dress", "hat", "longsleeve", "pants", "shoes", "shorts", "t-shirt")
DIMENSION = 64


def photo_bytes(
    color: Any = "#8c3b4a",
    size: tuple[int, int] = (60, 80),
    format: str = "JPEG",
    **options: Any,
) -> bytes:
    """Return a photo of a plain garment of `color` on light grey, `size` is (width, height)."""
    image = Image.new("RGB", size, "#ece9e4")
    width, height = size
    ImageDraw.Draw(image).rectangle(
        (width // 4, height // 5, width - width // 4, height - height // 5), fill=color
    )
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def write_photo(path: Path, color: Any = "#8c3b4a", size: tuple[int, int] = (60, 80)) -> Path:
    """Write `photo_bytes` to `path`, in the format that its ending names, and return `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    formats = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    path.write_bytes(photo_bytes(color, size, formats[path.suffix.lower()]))
    return path


def photo_arrays(
    per_class: int = 4, classes: tuple[str, ...] = CLASSES, size: int = 64
) -> "PhotoArrays":
    """Return photos in memory whose class is their brightness, with some noise."""
    import numpy as np

    from catalog_ai.data.dataset import PhotoArrays

    random = np.random.default_rng(0)
    targets = np.repeat(np.arange(len(classes)), per_class).astype(np.int64)
    levels = 30 + 190 * targets // max(1, len(classes) - 1)
    noise = random.integers(0, 30, (len(targets), size, size, 3))
    pixels = (levels[:, None, None, None] + noise).astype(np.uint8)
    names = tuple(f"sku-{number}" for number in range(len(targets)))
    return PhotoArrays(pixels, targets, classes, sha256=names, skus=names)


def model_meta(version: str, classes: Sequence[str] = CLASSES) -> dict[str, Any]:
    """Return the birth certificate of a model that trained for five epochs and learnt well."""
    epochs = range(1, 6)
    count = len(classes)
    confusion = [
        [18 if row == col else (row + col) % 3 for col in range(count)] for row in range(count)
    ]
    return {
        "format": 1,
        "version": version,
        "recipe": "small",
        "created_at": "2026-11-20T21:14:03+00:00",
        "architecture": {
            "backbone": "mobilenet",
            "depthwise": True,
            "dimension": DIMENSION,
            "shared_backbone": True,
        },
        "classes": list(classes),
        "preprocessing": {"version": 1, "size": 64, "mean": [0.5] * 3, "std": [0.5] * 3},
        "unit_vectors": True,
        "seed": 0,
        "data": {
            "fingerprint": hashlib.sha256(version.encode()).hexdigest(),
            "source": "photos",
            "train": 90 * count,
            "validation": 10 * count,
            "counts": dict.fromkeys(classes, 90),
        },
        "hyperparameters": {"epochs": 5, "batch_size": 32, "learning_rate": 0.004},
        "history": {
            "classifier": [
                {
                    "epoch": epoch,
                    "train_loss": 2.0 / epoch,
                    "train_accuracy": 1 - 0.7 / epoch,
                    "val_loss": 2.1 / epoch,
                    "val_accuracy": 0.9 - 0.5 / epoch,
                    "seconds": 1.5,
                }
                for epoch in epochs
            ],
            "siamese": [
                {"epoch": epoch, "loss": 0.9 / epoch, "seconds": 1.2} for epoch in range(1, 4)
            ],
        },
        "metrics": {
            "accuracy": 0.8,
            "top1": 0.72,
            "top5": 0.91,
            "map_at_r": 0.55,
            "reshot_recall_at_1": 0.83,
            "calibration_error": 0.041,
            "accuracy_all": 0.8,
            "same_class_distance": 0.61,
            "different_class_distance": 1.12,
            "parameters": 33_039,
            "mult_adds": 2_021_376,
            "train_seconds": 11.1,
            "images": 10 * count,
            "train_images": 90 * count,
        },
        "per_class": {name: 0.70 + 0.02 * number for number, name in enumerate(classes)},
        "confusion": confusion,
        "libraries": {"torch": "2.13.0", "numpy": "2.4.0"},
        "commit": "",
    }


def fake_model(folder: Path, version: str, classes: Sequence[str] = CLASSES) -> Path:
    """Write a real, untrained checkpoint to `folder`/`version` and return that folder."""
    from catalog_ai.checkpoint import save_checkpoint

    save_checkpoint(folder / version, _untrained(len(classes)), model_meta(version, classes), [])
    return folder / version


@lru_cache
def _untrained(classes: int) -> "dict[str, Tensor]":
    """Return a classifier's weights before it has learnt anything, the same every time."""
    import torch

    from catalog_ai.models.classifier import MobileNetLikeClassifier

    torch.manual_seed(0)
    return MobileNetLikeClassifier(classes).state_dict()
