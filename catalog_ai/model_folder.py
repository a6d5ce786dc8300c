"""The folder of a trained model, without torch: its files, and all of them but the weights.

<version>/weights.safetensors    tensors only, never pickled code
<version>/meta.json              recipe, classes, preprocessing, seed, data, metrics, versions
<version>/training_photos.txt    sha256 of each photo it was trained on, one a line
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from catalog_ai.errors import CheckpointError

FORMAT = 1
META = "meta.json"
WEIGHTS = "weights.safetensors"
TRAINING_PHOTOS = "training_photos.txt"


def temperature_of(meta: Mapping[str, Any]) -> float:
    """Return the temperature in a birth certificate, 1 where none was ever fitted."""
    return float(meta.get("calibration", {}).get("temperature", 1.0))


def load_meta(folder: Path) -> dict[str, Any]:
    """Return `meta.json`. Raises `CheckpointError` where it is missing, damaged or too new."""
    try:
        meta = json.loads((folder / META).read_text())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"there is no model in {str(folder)!r}: train one with python -m catalog_ai.train"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{META} of the model {folder.name!r} cannot be read") from error
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise CheckpointError(f"the model {folder.name!r} was written by another version")
    return meta


def amend_meta(folder: Path, **more: Any) -> None:
    """Write more into a birth certificate, whole or not at all. Raises `CheckpointError`."""
    meta = load_meta(folder) | more
    building = folder / f".{META}-{os.getpid()}"
    try:
        building.write_text(json.dumps(meta, indent=2) + "\n")
        building.replace(folder / META)
    except OSError as error:
        building.unlink(missing_ok=True)
        raise CheckpointError(
            f"{META} of the model {folder.name!r} cannot be written: {error.strerror}; check who "
            "owns its folder"
        ) from error


def load_training_photos(folder: Path) -> frozenset[str]:
    """Return the sha256 of every photo that the model was trained on."""
    path = folder / TRAINING_PHOTOS
    return frozenset(path.read_text().split()) if path.is_file() else frozenset()
