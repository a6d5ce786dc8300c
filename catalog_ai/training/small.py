"""The `small` recipe: the article's backbone, trained until it is good, alone or by a teacher.

Photos are decoded once and augmented a batch at a time; the first epochs run on smaller crops,
which cost about half. AdamW under a one-cycle rate (Smith and Topin 2018), label smoothing, class
weights by the fourth root of the article's, and the moving average of the weights. A teacher's
opinion of each crop takes the place of the labels (`distillation`). Then a short joint stage trains
the vector for search without losing the classifier.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn, optim
from torch.optim.lr_scheduler import OneCycleLR

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.loaders import BatchLoader, PlainLoader
from catalog_ai.data.transforms import SIZE, BatchAugmentation
from catalog_ai.device import placed
from catalog_ai.models.backbone import FEATURES
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.registry import Architecture, build
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.calibration import rehearsed_temperature
from catalog_ai.training.classifier_train import ClassifierEpoch, train_classifier
from catalog_ai.training.distillation import Lessons, TaughtLoader, ask_teacher
from catalog_ai.training.losses import class_weights
from catalog_ai.training.metric_losses import metric_loss
from catalog_ai.training.siamese_train import train_jointly
from catalog_ai.training.task import Task, Trained

EPOCHS = 34
TAUGHT_EPOCHS = 200
SIAMESE_EPOCHS = 6
_STORED = 1.25


@dataclass(frozen=True)
class Settings:
    """What the recipe is made of; recorded in the checkpoint.

    `first_share` of the epochs run on crops of three quarters of `size`. `rehearsal_share` of them
    are spent beforehand on four fifths of the photos, for the temperature. `loss`, `mining` and
    `margin` are the joint stage's (`metric_losses`). With a teacher, each photo has `crops` that it
    is asked about.
    """

    size: int = SIZE
    depthwise: bool = True
    squeeze_excitation: bool = False
    batch_size: int = 32
    learning_rate: float = 8e-3
    weight_decay: float = 0.12
    label_smoothing: float = 0.1
    average_decay: float = 0.995
    class_weight_power: float = 0.25
    first_share: float = 0.4
    rehearsal_share: float = 0.15
    siamese_learning_rate: float = 1e-3
    loss: str = "triplet"
    mining: str = "all"
    margin: float = 0.3
    loss_weight: float = 1.0
    crops: int = 8
    augmentation: BatchAugmentation = field(
        default_factory=lambda: BatchAugmentation(scale=0.7, degrees=5.0, cutout=0.0)
    )

    @property
    def stored_size(self) -> int:
        """The side that photos are held at, in pixels: crops are cut from them."""
        return round(_STORED * self.size)


# A teacher's opinions keep the network from memorising already, and there is time for hard crops.
TAUGHT = Settings(
    weight_decay=0.02, first_share=0.6, augmentation=BatchAugmentation(scale=0.6, cutout=0.0)
)


def train(task: Task) -> Trained:
    """Return both heads on one shared backbone."""
    settings: Settings = task.settings
    lessons = _lessons(task)
    calibration = _rehearse(task, lessons)
    task.on_step("Training the classifier")
    classifier, finished = train_first(task, lessons)
    # Stopped by hand: what is good is kept, nothing more is begun.
    encoder = train_second(task, classifier, task.siamese_epochs if finished else 0, lessons)
    return Trained(
        *(classifier.cpu(), encoder.cpu(), architecture(settings), served(settings), calibration)
    )


def train_first(task: Task, lessons: Lessons | None = None) -> tuple[MobileNetLikeClassifier, bool]:
    """Return the classifier before the joint stage, and whether it was trained to the end."""
    return _classifier(task, task.training, lessons, task.epochs, task.on_classifier)


def train_second(
    task: Task, classifier: MobileNetLikeClassifier, epochs: int, lessons: Lessons | None = None
) -> SiameseEncoder:
    """Train both heads of `classifier` in place for `epochs` and return the encoder."""
    settings: Settings = task.settings
    loader = _loader(task, task.training, lessons)
    loader.augmentation = _augmentation(task, small=False)
    extra = metric_loss(
        settings.loss,
        classes=len(task.training.classes),
        dimension=FEATURES,
        margin=settings.margin,
        mining=settings.mining,
    )
    optimizer, schedule = _one_cycle(
        *([*classifier.parameters(), *extra.parameters()], settings.siamese_learning_rate),
        *(settings.weight_decay, epochs * len(loader)),
    )
    return train_jointly(
        *(classifier, loader, epochs),
        criterion=_criterion(task, task.training),
        extra=extra,
        extra_weight=settings.loss_weight,
        optimizer=optimizer,
        scheduler=schedule,
        on_epoch=task.on_siamese,
    )


def architecture(settings: Settings) -> Architecture:
    """Return the network that `settings` ask for."""
    return Architecture(
        depthwise=settings.depthwise, squeeze_excitation=settings.squeeze_excitation
    )


def served(settings: Settings) -> Preprocessing:
    """Return how the model meets photos once it is trained."""
    return Preprocessing(size=settings.size, flip_average=True, zoom_average=True)


def _lessons(task: Task) -> Lessons | None:
    if task.teacher is None:
        return None
    settings: Settings = task.settings
    task.on_step("Asking the teacher")
    return ask_teacher(
        *(task.teacher, task.training),
        crops=settings.crops,
        size=settings.size,
        augmentation=replace(settings.augmentation, colour=0.0),
        seed=task.seed,
    )


def _rehearse(task: Task, lessons: Lessons | None) -> dict[str, Any]:
    """Return the temperature that photos held out of a shorter training ask for."""

    def rehearsal(photos: PhotoArrays, rows: NDArray[np.int64], epochs: int) -> nn.Module:
        taught = None if lessons is None else lessons.take(rows)
        return _classifier(task, photos, taught, epochs, None)[0]

    epochs = round(task.settings.rehearsal_share * task.epochs)
    task.on_step("Rehearsing, to learn how sure to be")
    return rehearsed_temperature(
        *(task.training, rehearsal, served(task.settings), epochs, task.seed)
    )


def _classifier(
    task: Task,
    photos: PhotoArrays,
    lessons: Lessons | None,
    epochs: int,
    on_epoch: Callable[[ClassifierEpoch], None] | None,
) -> tuple[MobileNetLikeClassifier, bool]:
    """Return the classifier, and whether it was trained to the end."""
    settings: Settings = task.settings
    torch.manual_seed(task.seed)
    classifier, _ = build(architecture(settings), len(photos.classes))
    placed(classifier)
    loader = _loader(task, photos, lessons)
    first_epochs = round(settings.first_share * epochs)
    done = 0

    def after_epoch(epoch: ClassifierEpoch) -> None:
        nonlocal done
        done = epoch.epoch
        loader.augmentation = _augmentation(task, small=done < first_epochs)
        if on_epoch is not None:
            on_epoch(epoch)

    loader.augmentation = _augmentation(task, small=first_epochs > 0)
    optimizer, schedule = _one_cycle(
        *(list(classifier.parameters()), settings.learning_rate),
        *(settings.weight_decay, epochs * len(loader)),
    )
    validation = task.validation if on_epoch is not None else photos.take(np.arange(0))
    train_classifier(
        *(classifier, loader, PlainLoader(validation), epochs),
        criterion=_criterion(task, photos),
        optimizer=optimizer,
        scheduler=schedule,
        average_decay=settings.average_decay,
        on_epoch=after_epoch,
    )
    return classifier, done == epochs


def _loader(task: Task, photos: PhotoArrays, lessons: Lessons | None) -> BatchLoader | TaughtLoader:
    settings: Settings = task.settings
    shown = photos, settings.augmentation, settings.batch_size, task.seed
    return BatchLoader(*shown) if lessons is None else TaughtLoader(*shown, lessons=lessons)


def _augmentation(task: Task, *, small: bool) -> BatchAugmentation:
    """Return how crops are made; a teacher's are cut already and only vary a little more."""
    settings: Settings = task.settings
    size = settings.size * 3 // 4 if small else settings.size
    if task.teacher is None:
        return replace(settings.augmentation, size=size)
    return replace(settings.augmentation, size=size, scale=0.9, ratio=1.02, degrees=2.0)


def _criterion(task: Task, photos: PhotoArrays) -> nn.Module:
    """Return the cross-entropy with the labels, or with the teacher's opinion as it is."""
    settings: Settings = task.settings
    if task.teacher is not None:
        return nn.CrossEntropyLoss()
    weights = class_weights(photos.targets, photos.classes, power=settings.class_weight_power)
    return nn.CrossEntropyLoss(
        weight=weights / weights.mean(), label_smoothing=settings.label_smoothing
    )


def _one_cycle(
    parameters: list[nn.Parameter], rate: float, weight_decay: float, steps: int
) -> tuple[optim.Optimizer, OneCycleLR]:
    optimizer = optim.AdamW(parameters, lr=rate, weight_decay=weight_decay, fused=True)
    return optimizer, OneCycleLR(optimizer, rate, total_steps=max(1, steps))
