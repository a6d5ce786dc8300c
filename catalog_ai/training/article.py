"""The article's recipe, exactly as printed; only the photos are decoded once instead of each epoch.

One departure where the printed code would harm: siamese training changes the backbone that it is
given, after which the classifier that shares it is broken. The encoder starts from a copy.
"""

import copy
from collections.abc import Callable

from catalog_ai.data.dataset import CatalogDataset, PhotoArrays, TripletDataset
from catalog_ai.data.loaders import BATCH_SIZE, train_loader, validation_loader
from catalog_ai.data.transforms import train_transform, validation_transform
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork
from catalog_ai.training.classifier_train import LEARNING_RATE as CLASSIFIER_RATE
from catalog_ai.training.classifier_train import ClassifierEpoch, train_classifier
from catalog_ai.training.siamese_train import LEARNING_RATE as SIAMESE_RATE
from catalog_ai.training.siamese_train import MARGIN, SiameseEpoch, train_siamese

EPOCHS = 10
SIAMESE_EPOCHS = 15
HYPERPARAMETERS = {
    "optimizer": "Adam",
    "learning_rate": CLASSIFIER_RATE,
    "batch_size": BATCH_SIZE,
    "siamese_learning_rate": SIAMESE_RATE,
    "margin": MARGIN,
}


def train(
    training: PhotoArrays,
    validation: PhotoArrays,
    epochs: int,
    siamese_epochs: int,
    seed: int,
    *,
    depthwise: bool = True,
    on_classifier: Callable[[ClassifierEpoch], None] | None = None,
    on_siamese: Callable[[SiameseEpoch], None] | None = None,
) -> tuple[MobileNetLikeClassifier, SiameseEncoder]:
    """Return (classifier, encoder) trained as the article prints it; they share no weights."""
    done: list[ClassifierEpoch] = []

    def after_epoch(epoch: ClassifierEpoch) -> None:
        done.append(epoch)
        if on_classifier is not None:
            on_classifier(epoch)

    dataset = CatalogDataset(training, train_transform())
    classifier = train_classifier(
        model=MobileNetLikeClassifier(len(training.classes), depthwise=depthwise),
        train_loader=train_loader(dataset, seed=seed),
        val_loader=validation_loader(CatalogDataset(validation, validation_transform())),
        epochs=epochs,
        on_epoch=after_epoch,
    )
    encoder = SiameseEncoder(copy.deepcopy(classifier.backbone))
    stopped_by_hand = len(done) < epochs
    if siamese_epochs and not stopped_by_hand:
        train_siamese(
            model=SiameseNetwork(encoder),
            train_loader=train_loader(TripletDataset(dataset, seed), seed=seed),
            epochs=siamese_epochs,
            on_epoch=on_siamese,
        )
    return classifier, encoder
