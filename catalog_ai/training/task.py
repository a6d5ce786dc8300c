"""What a recipe is asked for, and what it hands back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.registry import Architecture
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.siamese_train import SiameseEpoch


@dataclass(frozen=True)
class Task:
    """One training: the photos, how long, and whom to tell.

    Photos are held at the recipe's own size. `on_step` is called with what is being done where no
    epoch is, `on_batch` after each batch where an epoch takes minutes.
    """

    training: PhotoArrays
    validation: PhotoArrays
    epochs: int
    siamese_epochs: int
    seed: int
    settings: Any  # the recipe's own dataclass
    teacher: Checkpoint | None = None
    on_classifier: Callable[[ClassifierEpoch], None] = lambda epoch: None
    on_siamese: Callable[[SiameseEpoch], None] = lambda epoch: None
    on_step: Callable[[str], None] = lambda words: None
    on_batch: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Trained:
    """What came of it, both networks in evaluation mode on the CPU.

    `calibration` holds the `temperature` that logits are divided by, and how it was found.
    """

    classifier: MobileNetLikeClassifier
    encoder: SiameseEncoder
    architecture: Architecture
    preprocessing: Preprocessing
    calibration: dict[str, Any] = field(default_factory=dict)
