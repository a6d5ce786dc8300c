"""The `default` recipe: a backbone that has seen ImageNet, fine-tuned until it knows the shop.

`finetune` teaches the backbone both goals at once. The vector's projection is then fitted on the
finished features, against all photos at once; its category part is the classifier's own opinion.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.loaders import BatchLoader, PlainLoader
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.device import device_of, placed
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import SplitEmbedding
from catalog_ai.models.pretrained import preprocessing_of, pretrained_backbone
from catalog_ai.models.registry import Architecture
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.calibration import held_out_temperature
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.finetune import FineTuning, fine_tune
from catalog_ai.training.losses import class_weights, instance_contrast
from catalog_ai.training.task import Task, Trained

EPOCHS = 7
MARGIN = 1.2  # photos are held this much larger than the network sees them: crops are cut from them


@dataclass(frozen=True)
class Projection:
    """How `fit_projection` finds the identity part of the vector."""

    shots: int = 4
    steps: int = 600
    photos: int = 512
    learning_rate: float = 3e-3
    temperature: float = 0.15


@dataclass(frozen=True)
class Settings:
    """What the recipe is made of; recorded in the checkpoint.

    `backbone` is any of timm's names, `weights` a safetensors file of them where no package has
    them. The first `frozen_stages` stay as ImageNet left them. A batch is two shots of `photos`
    photos. `rehearsal_share` of the epochs are spent beforehand on four fifths of the photos, for
    the temperature. `category_share` and `category_sharpness` weigh the vector's two parts.
    """

    backbone: str = "tf_efficientnet_lite0"
    weights: str = ""
    frozen_stages: int = 3
    size: int = 224
    photos: int = 16
    label_smoothing: float = 0.1
    class_weight_power: float = 0.5
    rehearsal_share: float = 0.4
    category_share: float = 0.7
    category_sharpness: float = 2.0
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    projection: Projection = field(default_factory=Projection)
    augmentation: BatchAugmentation = field(
        default_factory=lambda: BatchAugmentation(
            scale=0.5, degrees=12.0, perspective=0.075, black_edges=0.5
        )
    )

    @property
    def stored_size(self) -> int:
        """The side that photos are held at, in pixels."""
        return round(MARGIN * self.size)


def train(task: Task) -> Trained:
    """Return both heads on one fine-tuned backbone."""
    settings: Settings = task.settings
    preprocessing = preprocessing_of(settings.backbone, settings.size)
    calibration = _rehearse(task, preprocessing)
    task.on_step("Fine-tuning")
    classifier = _fine_tune(task, preprocessing, task.training, task.epochs, validated=True)
    task.on_step("Fitting the vector")
    architecture = Architecture(
        backbone=settings.backbone, embedding="split", category_share=settings.category_share
    )
    embedding = _embedding(task, preprocessing, classifier)
    encoder = SiameseEncoder(classifier.backbone, embedding).eval()
    return Trained(classifier, encoder, architecture, preprocessing, calibration)


def fit_projection(shots: Tensor, start: nn.Linear, how: Projection, *, seed: int = 0) -> nn.Linear:
    """Return the linear map under which shots of one garment are nearest each other.

    `shots` [V, N, features] float: V shots of N garments. `start` gives the shape; its weights
    become the leading principal directions of the garments' mean features, its bias centres them.
    """
    torch.manual_seed(seed)
    centre = shots.mean((0, 1))
    _, _, directions = torch.linalg.svd(shots.mean(0) - centre, full_matrices=False)
    projection = nn.Linear(start.in_features, start.out_features)
    with torch.no_grad():
        found = directions[: start.out_features]
        projection.weight[: len(found)] = found
        projection.bias.zero_()
    centred = shots - centre
    optimizer = optim.AdamW(projection.parameters(), lr=how.learning_rate, weight_decay=1e-4)
    schedule = OneCycleLR(optimizer, how.learning_rate, total_steps=max(1, how.steps))
    count = min(how.photos, shots.shape[1])
    for _ in range(how.steps):
        garments = torch.randperm(shots.shape[1])[:count]
        pair = torch.randperm(len(shots))[:2]
        features = centred[pair][:, garments].flatten(0, 1)
        vectors = functional.normalize(projection(features), dim=1)
        loss = instance_contrast(vectors, garments.repeat(2), temperature=how.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        projection.bias.sub_(projection.weight @ centre)
    return projection


def _rehearse(task: Task, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the temperature that photos held out of a shorter training ask for."""

    def rehearsal(photos: PhotoArrays, _rows: NDArray[np.int64], epochs: int) -> nn.Module:
        return _fine_tune(task, preprocessing, photos, epochs, validated=False)

    epochs = round(task.settings.rehearsal_share * task.epochs)
    task.on_step("Rehearsing, to learn how sure to be")
    return held_out_temperature(task.training, rehearsal, preprocessing, epochs, task.seed)


def _fine_tune(
    task: Task, preprocessing: Preprocessing, photos: PhotoArrays, epochs: int, *, validated: bool
) -> MobileNetLikeClassifier:
    settings: Settings = task.settings
    torch.manual_seed(task.seed)
    file = Path(settings.weights) if settings.weights else None
    backbone = pretrained_backbone(settings.backbone, file)
    backbone.freeze(settings.frozen_stages)
    classifier = MobileNetLikeClassifier(len(photos.classes), backbone=backbone)
    nn.init.zeros_(classifier.top.weight)
    weights = class_weights(photos.targets, photos.classes, power=settings.class_weight_power)
    criterion = nn.CrossEntropyLoss(
        weight=weights / weights.mean(), label_smoothing=settings.label_smoothing
    )
    return fine_tune(
        *(classifier, _shots(photos, settings, preprocessing, task.seed)),
        *(_plain(task.validation, preprocessing) if validated else None, epochs),
        criterion=criterion,
        how=settings.fine_tuning,
        on_epoch=task.on_classifier if validated else _say_nothing,
    )


def _embedding(
    task: Task, preprocessing: Preprocessing, classifier: MobileNetLikeClassifier
) -> SplitEmbedding:
    settings: Settings = task.settings
    top = classifier.top
    embedding = SplitEmbedding(
        top.in_features, top.out_features, category_share=settings.category_share
    )
    with torch.no_grad():
        embedding.category.weight.copy_(top.weight * settings.category_sharpness)
        embedding.category.bias.copy_(top.bias * settings.category_sharpness)
    shots = _shots_features(task, preprocessing, classifier)
    fitted = fit_projection(shots, embedding.identity, settings.projection, seed=task.seed)
    embedding.identity = fitted
    return embedding


def _shots_features(
    task: Task, preprocessing: Preprocessing, classifier: MobileNetLikeClassifier
) -> Tensor:
    """Return [1 + shots, N, features]: each training photo as it is, and augmented."""
    settings: Settings = task.settings
    whole = replace(settings, augmentation=replace(settings.augmentation, cutout=0.0))
    loader = _shots(task.training, whole, preprocessing, task.seed + 1)
    loader.views = 1
    network = placed(nn.Sequential(classifier.backbone, classifier.embedder)).eval()
    device = device_of(network)
    with torch.no_grad():
        plain = torch.cat(
            [network(images.to(device)).cpu() for images, _ in _plain(task.training, preprocessing)]
        )
        shots = [plain]
        for _ in range(settings.projection.shots):
            features = plain.clone()  # a last batch of one photo is left out by the loader
            for images, _, numbers in loader.numbered():
                features[numbers] = network(images.to(device)).cpu()
            shots.append(features)
    network.cpu()
    return torch.stack(shots)


def _shots(
    photos: PhotoArrays, settings: Settings, preprocessing: Preprocessing, seed: int
) -> BatchLoader:
    return BatchLoader(
        *(photos, replace(settings.augmentation, size=settings.size), settings.photos, seed),
        views=2,
        preprocessing=preprocessing,
    )


def _plain(photos: PhotoArrays, preprocessing: Preprocessing) -> PlainLoader:
    return PlainLoader(photos.resized(preprocessing.size), 64, preprocessing)


def _say_nothing(_epoch: ClassifierEpoch) -> None:
    pass
