"""The article's recipe, exactly as printed; only the photos are decoded once instead of each epoch.

One departure where the printed code would harm: siamese training changes the backbone that it is
given, after which the classifier that shares it is broken. The encoder starts from a copy.
"""

import copy
from dataclasses import dataclass

from torch import nn, optim

from catalog_ai.data.dataset import CatalogDataset, TripletDataset
from catalog_ai.data.loaders import BATCH_SIZE, train_loader, validation_loader
from catalog_ai.data.transforms import SIZE, train_transform, validation_transform
from catalog_ai.models.registry import Architecture, build
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.classifier_train import LEARNING_RATE as CLASSIFIER_RATE
from catalog_ai.training.classifier_train import ClassifierEpoch, train_classifier
from catalog_ai.training.siamese_train import LEARNING_RATE as SIAMESE_RATE
from catalog_ai.training.siamese_train import MARGIN, train_siamese
from catalog_ai.training.task import Task, Trained

EPOCHS = 10
SIAMESE_EPOCHS = 15


@dataclass(frozen=True)
class Settings:
    """What the recipe is made of; recorded in the checkpoint."""

    size: int = SIZE
    depthwise: bool = True
    squeeze_excitation: bool = False
    learning_rate: float = CLASSIFIER_RATE
    batch_size: int = BATCH_SIZE
    siamese_learning_rate: float = SIAMESE_RATE
    margin: float = MARGIN

    @property
    def stored_size(self) -> int:
        """The side that photos are held at, in pixels."""
        return self.size


def train(task: Task) -> Trained:
    """Return both networks trained as the article prints it; they share no weights."""
    settings: Settings = task.settings
    done: list[ClassifierEpoch] = []

    def after_epoch(epoch: ClassifierEpoch) -> None:
        done.append(epoch)
        task.on_classifier(epoch)

    architecture = Architecture(
        depthwise=settings.depthwise,
        squeeze_excitation=settings.squeeze_excitation,
        shared_backbone=False,
    )
    classifier, _ = build(architecture, len(task.training.classes))
    dataset = CatalogDataset(task.training, train_transform(settings.size))
    validation = CatalogDataset(task.validation, validation_transform(settings.size))
    train_classifier(
        classifier,
        train_loader(dataset, batch_size=settings.batch_size, seed=task.seed),
        validation_loader(validation),
        task.epochs,
        optimizer=optim.Adam(classifier.parameters(), lr=settings.learning_rate),
        on_epoch=after_epoch,
    )
    encoder = SiameseEncoder(copy.deepcopy(classifier.backbone))
    stopped_by_hand = len(done) < task.epochs
    if task.siamese_epochs and not stopped_by_hand:
        triplets = TripletDataset(dataset, task.seed)
        train_siamese(
            SiameseNetwork(encoder),
            train_loader(triplets, batch_size=settings.batch_size, seed=task.seed),
            task.siamese_epochs,
            criterion=nn.TripletMarginLoss(margin=settings.margin),
            optimizer=optim.Adam(encoder.parameters(), lr=settings.siamese_learning_rate),
            on_epoch=task.on_siamese,
        )
    return Trained(classifier, encoder, architecture, Preprocessing(size=settings.size))
