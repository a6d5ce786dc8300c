"""The models that come with this package, ready before anybody has trained one.

`default` and `small` are trained on clothes; their folders under `weights/` hold a model card.
`imagenet` is the pretrained backbone with a fixed projection: no categories, and vectors that know
nothing of clothes in particular. It is put together from the weights of an installed package.
"""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog_ai.errors import CheckpointError

DEFAULT, SMALL, IMAGENET = "default", "small", "imagenet"
NAMES = (DEFAULT, SMALL, IMAGENET)
WEIGHTS = Path(__file__).resolve().parent / "weights"
_BACKBONE = "tf_efficientnet_lite0"
_SIZE = 224


def install(name: str, models: Path) -> Path:
    """Put the shipped model `name` into the folder `models`, if it is not there; return its folder.

    Raises `CheckpointError` where this installation lacks it, `WeightsError` for `imagenet` without
    its package.
    """
    from catalog_ai.model_folder import META

    folder = models / name
    if (folder / META).is_file():
        return folder
    models.mkdir(parents=True, exist_ok=True)
    if name == IMAGENET:
        _build_imagenet(folder)
        return folder
    shipped = _in_the_package(name)
    building = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=models))
    try:
        shutil.copytree(shipped, building, dirs_exist_ok=True)
        building.chmod(0o755)
        building.rename(folder)
    except BaseException as error:
        shutil.rmtree(building, ignore_errors=True)
        if isinstance(error, OSError) and (folder / META).is_file():
            return folder  # another process was quicker
        raise
    return folder


def meta(name: str, models: Path) -> dict[str, Any]:
    """Return the birth certificate of the model that `install` would return the folder of.

    Nothing is written. Raises the same errors.
    """
    from catalog_ai.model_folder import META, load_meta

    if (models / name / META).is_file():
        return load_meta(models / name)
    if name != IMAGENET:
        return load_meta(_in_the_package(name))
    with tempfile.TemporaryDirectory() as folder:
        return load_meta(install(name, Path(folder)))


def _in_the_package(name: str) -> Path:
    from catalog_ai.model_folder import META

    folder = WEIGHTS / name
    if not (folder / META).is_file():
        raise CheckpointError(
            f"this installation lacks the shipped model {name!r}: install the program again, or "
            "train a model with python -m catalog_ai.train --data FOLDER"
        )
    return folder


def _build_imagenet(folder: Path) -> None:
    from catalog_ai.checkpoint import joined_state, save_checkpoint
    from catalog_ai.models.classifier import MobileNetLikeClassifier
    from catalog_ai.models.embedding import DIMENSION, FixedProjection
    from catalog_ai.models.pretrained import (
        imagenet_projection,
        preprocessing_of,
        pretrained_backbone,
    )
    from catalog_ai.models.registry import Architecture
    from catalog_ai.models.siamese import SiameseEncoder

    backbone = pretrained_backbone(_BACKBONE, style=True)
    projection = FixedProjection(backbone.features)
    centre, directions = imagenet_projection(_BACKBONE, DIMENSION)
    projection.centre.copy_(centre)
    projection.projection.copy_(directions)
    meta: dict[str, Any] = {
        "version": IMAGENET,
        "recipe": "none",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "architecture": Architecture(backbone=_BACKBONE, style=True, embedding="fixed").to_meta(),
        "classes": [],
        "preprocessing": preprocessing_of(_BACKBONE, _SIZE).to_meta(),
        "unit_vectors": True,
        "metrics": {},
    }
    encoder = SiameseEncoder(backbone, projection)
    weights = joined_state(MobileNetLikeClassifier(0, backbone=backbone), encoder)
    save_checkpoint(folder, weights, meta, [])
