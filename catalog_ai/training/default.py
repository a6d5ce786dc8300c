"""The `default` recipe: a backbone that has seen ImageNet, fine-tuned until it knows the shop.

`finetune` teaches the backbone and the vector's second part, which garment it is. The first part,
which kind of garment, is the classifier's own opinion, as sure of itself as it may be.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.loaders import BatchLoader, PlainLoader
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.device import device_of, placed
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import SplitEmbedding
from catalog_ai.models.pretrained import preprocessing_of, pretrained_backbone
from catalog_ai.models.registry import Architecture, build_embedding
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.calibration import rehearsed_temperature
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.finetune import FineTuning, fine_tune
from catalog_ai.training.losses import class_weights
from catalog_ai.training.task import Task, Trained

EPOCHS = 6
_CROP = 0.86
_STORED = 1.25
_AT_ONCE = 32  # photos
_STRIDE = 32  # pixels of a photo to one of the last feature map


@dataclass(frozen=True)
class Settings:
    """What the recipe is made of; recorded in the checkpoint.

    `backbone` is any of timm's names, `weights` a safetensors file of them where no package has
    them. The first `frozen_stages` stay as ImageNet left them. The model is served photos of `size`
    pixels. A batch is two shots of `photos` photos. `rehearsal_share` of the epochs are spent
    beforehand on four fifths of the photos, for the temperature. `category_share` weighs the
    vector's two parts, `category_sharpness` multiplies the logits that make the first. The second
    is whitened by at most `whitening_photos`.
    """

    backbone: str = "tf_efficientnet_lite0"
    weights: str = ""
    frozen_stages: int = 3
    size: int = 224
    photos: int = 16
    label_smoothing: float = 0.1
    class_weight_power: float = 0.5
    rehearsal_share: float = 0.34
    category_share: float = 0.7
    category_sharpness: float = 1.25
    whitening_photos: int = 1024
    style: bool = True
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    augmentation: BatchAugmentation = field(
        default_factory=lambda: BatchAugmentation(
            scale=0.5, degrees=12.0, perspective=0.075, black_edges=0.5, softness=0.5
        )
    )

    @property
    def stored_size(self) -> int:
        """The side that photos are held at, in pixels: crops are cut from them."""
        return round(_STORED * self.crop_size)

    @property
    def crop_size(self) -> int:
        """The side of what the network is trained on, in pixels.

        A garment fills more of a crop than of a photo. With smaller crops the network meets it as
        large as it will be served (Touvron et al. 2019, "Fixing the train-test resolution
        discrepancy", section 3), and an epoch costs less.
        """
        return _STRIDE * max(1, round(_CROP * self.size / _STRIDE))


def train(task: Task) -> Trained:
    """Return both heads on one fine-tuned backbone."""
    settings: Settings = task.settings
    preprocessing = preprocessing_of(settings.backbone, settings.size)
    calibration = _rehearse(task, preprocessing)
    task.on_step("Fine-tuning")
    classifier, embedding = _fine_tune(
        task, preprocessing, task.training, task.epochs, validated=True
    )
    encoder = fit_vector(task, preprocessing, classifier, embedding)
    return Trained(classifier, encoder, _architecture(settings), preprocessing, calibration)


def fit_vector(
    task: Task,
    preprocessing: Preprocessing,
    classifier: MobileNetLikeClassifier,
    embedding: SplitEmbedding,
) -> SiameseEncoder:
    """Return the encoder: its first part is the classifier's opinion, its second is whitened."""
    sharpness = task.settings.category_sharpness
    task.on_step("Fitting the vector")
    with torch.no_grad():
        embedding.category.weight.copy_(classifier.top.weight * sharpness)
        embedding.category.bias.copy_(classifier.top.bias * sharpness)
    embedding.whiten(*_pairs(task, preprocessing, classifier))
    return SiameseEncoder(classifier.backbone, embedding).eval()


def _architecture(settings: Settings) -> Architecture:
    return Architecture(
        backbone=settings.backbone,
        style=settings.style,
        embedding="split",
        category_share=settings.category_share,
    )


def _rehearse(task: Task, preprocessing: Preprocessing) -> dict[str, Any]:
    """Return the temperature that photos held out of a shorter training ask for."""

    def rehearsal(photos: PhotoArrays, _rows: NDArray[np.int64], epochs: int) -> nn.Module:
        return _fine_tune(task, preprocessing, photos, epochs, validated=False)[0]

    epochs = round(task.settings.rehearsal_share * task.epochs)
    task.on_step("Rehearsing, to learn how sure to be")
    return rehearsed_temperature(task.training, rehearsal, preprocessing, epochs, task.seed)


def _fine_tune(
    task: Task, preprocessing: Preprocessing, photos: PhotoArrays, epochs: int, *, validated: bool
) -> tuple[MobileNetLikeClassifier, SplitEmbedding]:
    settings: Settings = task.settings
    torch.manual_seed(task.seed)
    file = Path(settings.weights) if settings.weights else None
    backbone = pretrained_backbone(settings.backbone, file, style=settings.style)
    backbone.freeze(settings.frozen_stages)
    classifier = MobileNetLikeClassifier(len(photos.classes), backbone=backbone)
    nn.init.zeros_(classifier.top.weight)
    embedding = build_embedding(_architecture(settings), backbone, len(photos.classes))
    assert isinstance(embedding, SplitEmbedding)
    tune(task, preprocessing, photos, epochs, classifier, embedding, validated=validated)
    return classifier, embedding


def tune(
    task: Task,
    preprocessing: Preprocessing,
    photos: PhotoArrays,
    epochs: int,
    classifier: MobileNetLikeClassifier,
    embedding: SplitEmbedding,
    *,
    validated: bool,
) -> None:
    """Fine-tune both in place on `photos`; with `validated` each epoch is measured and told."""
    settings: Settings = task.settings
    weights = class_weights(photos.targets, photos.classes, power=settings.class_weight_power)
    criterion = nn.CrossEntropyLoss(
        weight=weights / weights.mean(), label_smoothing=settings.label_smoothing
    )
    augmentation = replace(settings.augmentation, size=settings.crop_size)
    loader = BatchLoader(
        *(photos, augmentation, settings.photos, task.seed),
        views=2,
        preprocessing=preprocessing,
    )
    fine_tune(
        *(classifier, embedding, loader),
        PlainLoader(task.validation, 64, preprocessing) if validated else None,
        epochs,
        criterion=criterion,
        how=settings.fine_tuning,
        on_epoch=task.on_classifier if validated else _say_nothing,
        on_batch=task.on_batch,
    )


def _pairs(
    task: Task, preprocessing: Preprocessing, classifier: MobileNetLikeClassifier
) -> tuple[Tensor, Tensor]:
    """Return the pooled features [N, F] of training photos as they are, and of a shot of each."""
    settings: Settings = task.settings
    generator = torch.Generator().manual_seed(task.seed)
    rows = torch.randperm(len(task.training), generator=generator)[: settings.whitening_photos]
    photos = task.training.take(rows.numpy())
    augmentation = replace(settings.augmentation, size=settings.size, cutout=0.0)
    network = placed(nn.Sequential(classifier.backbone, classifier.embedder)).eval()
    device = device_of(network)
    plain = PlainLoader(photos.resized(settings.size), _AT_ONCE, preprocessing)
    parts: list[tuple[Tensor, Tensor]] = []
    with torch.no_grad():
        for number, (images, _) in enumerate(plain):
            place = slice(number * _AT_ONCE, (number + 1) * _AT_ONCE)
            pixels = torch.from_numpy(photos.pixels[place].transpose(0, 3, 1, 2))
            shots = preprocessing.of_symmetric(augmentation(pixels, generator))
            shots = shots.contiguous(memory_format=torch.channels_last)
            both = network(torch.cat([images, shots]).to(device)).cpu()
            parts.append((both[: len(images)], both[len(images) :]))
    network.cpu()
    first, second = zip(*parts, strict=True)
    return torch.cat(first), torch.cat(second)


def _say_nothing(_epoch: ClassifierEpoch) -> None:
    pass
