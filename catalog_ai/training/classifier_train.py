"""Training the classifier (article, part 1: "Training Strategy").

One loop for every recipe: with its defaults it is the article's, step for step.
"""

import copy
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from catalog_ai.data.loaders import LabelledLoader
from catalog_ai.device import autocast, device_of
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.training.losses import weighted_cross_entropy

EPOCHS = 10
LEARNING_RATE = 1e-3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassifierEpoch:
    """What one epoch brought; losses are means per photo, accuracies 0..1."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float


def train_classifier(
    model: MobileNetLikeClassifier,
    train_loader: LabelledLoader,
    val_loader: LabelledLoader,
    epochs: int = EPOCHS,
    *,
    criterion: nn.Module | None = None,
    optimizer: optim.Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    average_decay: float | None = None,
    on_epoch: Callable[[ClassifierEpoch], None] | None = None,
) -> MobileNetLikeClassifier:
    """Train `model` in place and return it in evaluation mode.

    The loaders yield ([B, 3, S, S] float, [B] int64); the first may yield [B, C] probabilities for
    targets. By default: cross-entropy weighted by inverse
    class frequency and Adam at 1e-3. `scheduler` steps after every batch. With `average_decay` the
    weights returned and validated are an exponential moving average of the trained ones. Ctrl-C
    ends the training with the weights of the best epoch so far, by validation accuracy; before the
    first epoch is done it is passed on. Raises `TrainingDataError` for a class without a photo.
    """
    dataset = train_loader.dataset
    device = device_of(model)
    criterion = criterion or weighted_cross_entropy(dataset.targets, dataset.classes)
    criterion = criterion.to(device)
    validation_criterion = nn.CrossEntropyLoss()
    optimizer = optimizer or optim.Adam(model.parameters(), lr=LEARNING_RATE)
    averaged = _averaged(model, average_decay)
    best: tuple[float, dict[str, Tensor]] | None = None
    try:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            loss, accuracy = _train_epoch(
                model, train_loader, criterion, optimizer, scheduler, averaged
            )
            shown = model if averaged is None else averaged.module
            val_loss, val_accuracy = evaluate(shown, val_loader, validation_criterion)
            if best is None or val_accuracy > best[0]:
                best = (val_accuracy, copy.deepcopy(shown.state_dict()))
            if on_epoch is not None:
                seconds = time.perf_counter() - start
                on_epoch(ClassifierEpoch(epoch, loss, accuracy, val_loss, val_accuracy, seconds))
        final = model.state_dict() if averaged is None else averaged.module.state_dict()
    except KeyboardInterrupt:
        if best is None:
            raise
        log.warning("stopped by hand: keeping the best weights so far (%.1f %%)", 100 * best[0])
        final = best[1]
    model.load_state_dict(final)
    return model.eval()


def evaluate(model: nn.Module, loader: LabelledLoader, criterion: nn.Module) -> tuple[float, float]:
    """Return (mean loss per photo, accuracy 0..1); (0, 0) for an empty loader."""
    model.eval()
    device = device_of(model)
    total, correct, count = 0.0, 0, 0
    with torch.inference_mode():
        for images, targets in loader:
            images, targets = images.to(device), targets.to(device)
            logits = model(images)
            total += float(criterion(logits, targets)) * len(targets)
            correct += int((logits.argmax(1) == targets).sum())
            count += len(targets)
    return (total / count, correct / count) if count else (0.0, 0.0)


def _train_epoch(
    model: nn.Module,
    loader: LabelledLoader,
    criterion: nn.Module,
    optimizer: optim.Optimizer,
    scheduler: LRScheduler | None,
    averaged: AveragedModel | None,
) -> tuple[float, float]:
    model.train()
    device = device_of(model)
    total, correct, count = 0.0, 0, 0
    for images, targets in loader:
        images, targets = images.to(device), targets.to(device)
        with autocast(device):
            logits = model(images)
        loss = criterion(logits.float(), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        if averaged is not None:
            averaged.update_parameters(model)
        total += float(loss.detach()) * len(targets)
        likeliest = targets.argmax(1) if targets.ndim == 2 else targets
        correct += int((logits.detach().argmax(1) == likeliest).sum())
        count += len(targets)
    return total / count, correct / count


def _averaged(model: nn.Module, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    # Buffers too: batch norm's running statistics belong to the weights that made them.
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
