"""The `small` recipe: the article's backbone, trained from scratch until it is good.

Photos are decoded once and augmented a batch at a time; the first epochs run on smaller crops,
which cost about half. AdamW under a one-cycle rate (Smith and Topin 2018), label smoothing, class
weights by the square root of the article's, and the moving average of the weights. Then a short
joint stage trains the vector for search without losing the classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn, optim
from torch.optim.lr_scheduler import OneCycleLR

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.loaders import BatchLoader, PlainLoader
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.training.classifier_train import ClassifierEpoch, train_classifier
from catalog_ai.training.losses import class_weights
from catalog_ai.training.siamese_train import SiameseEpoch, train_jointly

EPOCHS = 50
SIAMESE_EPOCHS = 6
STORED_SIZE = 80


@dataclass(frozen=True)
class Settings:
    """What the recipe is made of; recorded in the checkpoint."""

    batch_size: int = 32
    learning_rate: float = 8e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    average_decay: float = 0.995
    class_weight_power: float = 0.5
    siamese_learning_rate: float = 1e-3
    margin: float = 0.3
    triplet_weight: float = 0.5


SETTINGS = Settings()
AUGMENTATION = BatchAugmentation()


def train(
    training: PhotoArrays,
    validation: PhotoArrays,
    epochs: int,
    siamese_epochs: int,
    seed: int,
    *,
    on_classifier: Callable[[ClassifierEpoch], None] | None = None,
    on_siamese: Callable[[SiameseEpoch], None] | None = None,
) -> tuple[MobileNetLikeClassifier, SiameseEncoder]:
    """Return (classifier, encoder) on one shared backbone."""
    del validation
    raise SystemExit("being tuned")
