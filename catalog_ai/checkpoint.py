"""A trained model on disk, written and loaded; what its folder holds is said in `model_folder`."""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from catalog_ai.errors import CheckpointError
from catalog_ai.model_folder import (
    FORMAT,
    META,
    TRAINING_PHOTOS,
    WEIGHTS,
    load_meta,
    temperature_of,
)
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.registry import Architecture, build
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing

_ENCODER = "encoder."
_BACKBONE = "backbone."


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to use, in evaluation mode on the CPU.

    Where `architecture.shared_backbone` holds, `encoder.backbone` is the classifier's own: one
    forward pass serves both.
    """

    classifier: MobileNetLikeClassifier
    encoder: SiameseEncoder
    meta: dict[str, Any]

    @property
    def architecture(self) -> Architecture:
        """Which networks these are."""
        return Architecture.from_meta(self.meta["architecture"])

    @property
    def preprocessing(self) -> Preprocessing:
        """What a photo goes through before them."""
        return Preprocessing.from_meta(self.meta["preprocessing"])

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax (Guo et al. 2017), 1 if never fitted."""
        return temperature_of(self.meta)


def save_checkpoint(
    folder: Path,
    state_dict: Mapping[str, Tensor],
    meta: Mapping[str, Any],
    training_photos: Sequence[str],
) -> None:
    """Write a whole checkpoint to `folder`, or nothing; `state_dict` as `joined_state` makes it.

    `training_photos` are sha256 digests. Raises `CheckpointError` if the folder exists.
    """
    if folder.exists():
        raise CheckpointError(
            f"the model {folder.name!r} exists already: choose another name with --version"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        tensors = {name: value.contiguous() for name, value in state_dict.items()}
        save_file(tensors, building / WEIGHTS)
        (building / META).write_text(json.dumps({"format": FORMAT, **meta}, indent=2) + "\n")
        lines = "".join(f"{digest}\n" for digest in sorted(set(training_photos)))
        (building / TRAINING_PHOTOS).write_text(lines)
        building.chmod(0o755)  # mkdtemp's 0700 would hide the model from the dashboard's user
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def joined_state(classifier: MobileNetLikeClassifier, encoder: SiameseEncoder) -> dict[str, Tensor]:
    """Return the weights of both, a shared backbone once."""
    weights = dict(classifier.state_dict())
    shared = encoder.backbone is classifier.backbone
    for name, value in encoder.state_dict().items():
        if not (shared and name.startswith(_BACKBONE)):
            weights[_ENCODER + name] = value
    return weights


def compact(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights in half precision, half as large; a tensor beyond its range stays.

    Loading widens them again. 65,504 is half precision's largest number.
    """
    small = {name: value.half() for name, value in state_dict.items() if value.is_floating_point()}
    return {
        name: small[name] if name in small and small[name].isfinite().all() else value
        for name, value in state_dict.items()
    }


def load_checkpoint(folder: Path, *, classes: Sequence[str] | None = None) -> Checkpoint:
    """Return the model in `folder`; `classes`, where given, is the list it must have.

    Raises `CheckpointError` for missing or damaged files, weights of another architecture, or
    another class list.
    """
    meta = load_meta(folder)
    try:
        names = list(meta["classes"])
        architecture = Architecture.from_meta(meta["architecture"])
        Preprocessing.from_meta(meta["preprocessing"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{META} of the model {folder.name!r} is damaged: restore it from a backup, or train "
            "the model again"
        ) from error
    if classes is not None and list(classes) != names:
        raise CheckpointError(
            f"the model {folder.name!r} knows {', '.join(names)}, not {', '.join(classes)}: "
            "train one for these categories"
        )
    classifier, encoder = build(architecture, len(names))
    fill(classifier, encoder, _weights(folder), folder.name)
    return Checkpoint(classifier.eval(), encoder.eval(), meta)


def fill(
    classifier: MobileNetLikeClassifier,
    encoder: SiameseEncoder,
    weights: Mapping[str, Tensor],
    version: str,
) -> None:
    """Put what `joined_state` returned into both; `version` is what the error names.

    Raises `CheckpointError` for weights of another architecture.
    """
    own = {name: value for name, value in weights.items() if not name.startswith(_ENCODER)}
    others = {
        name.removeprefix(_ENCODER): value
        for name, value in weights.items()
        if name.startswith(_ENCODER)
    }
    shared = {name: value for name, value in own.items() if name.startswith(_BACKBONE)}
    try:
        if encoder.backbone is classifier.backbone:
            if shared.keys() & others.keys():
                raise RuntimeError("a backbone of the encoder's own where it shares one")
            others |= shared
        classifier.load_state_dict(own)
        encoder.load_state_dict(others)
    except RuntimeError as error:
        raise CheckpointError(
            f"the weights of the model {version!r} belong to another architecture than its "
            f"{META} says: restore both from one backup, or train it again"
        ) from error


def _weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"the weights of the model {folder.name!r} are missing or damaged: train it again"
        ) from error
