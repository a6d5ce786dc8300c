"""Training the siamese encoder (article, part 2), and both heads on one backbone at once."""

import copy
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn, optim
from torch.nn import functional
from torch.optim.lr_scheduler import LRScheduler

from catalog_ai.device import autocast, device_of
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork
from catalog_ai.training.metric_losses import MetricLoss

EPOCHS = 15
LEARNING_RATE = 1e-4
MARGIN = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SiameseEpoch:
    """What one epoch brought; the loss is the mean per batch."""

    epoch: int
    loss: float
    seconds: float


def train_siamese(
    model: SiameseNetwork,
    train_loader: Any,
    epochs: int = EPOCHS,
    *,
    criterion: nn.Module | None = None,
    optimizer: optim.Optimizer | None = None,
    on_epoch: Callable[[SiameseEpoch], None] | None = None,
) -> SiameseNetwork:
    """Train `model` in place on (anchor, positive, negative) batches; return it for evaluation.

    By default the triplet margin loss with margin 1.0 and Adam at 1e-4. The encoder's backbone is
    trained where it stands: hand over a copy where a classifier still needs it. Ctrl-C ends the
    training with the weights of the last whole epoch.
    """
    criterion = criterion or nn.TripletMarginLoss(margin=MARGIN)
    optimizer = optimizer or optim.Adam(model.parameters(), lr=LEARNING_RATE)
    device = device_of(model)

    def batch_losses() -> Iterable[Tensor]:
        for triplet in train_loader:
            yield criterion(*model(*(photos.to(device) for photos in triplet)))

    set_epoch = getattr(getattr(train_loader, "dataset", None), "set_epoch", None)
    _train(model, batch_losses, optimizer, None, epochs, on_epoch, set_epoch)
    return model


def train_jointly(
    model: MobileNetLikeClassifier,
    train_loader: Iterable[tuple[Tensor, Tensor]],
    epochs: int,
    *,
    criterion: nn.Module,
    extra: MetricLoss,
    extra_weight: float,
    optimizer: optim.Optimizer,
    scheduler: LRScheduler | None = None,
    on_epoch: Callable[[SiameseEpoch], None] | None = None,
) -> SiameseEncoder:
    """Train one backbone for both heads: `extra` on its unit vectors, `criterion` on its logits.

    The article fine-tunes the backbone for similarity alone, after which the classifier that shares
    it no longer works. Here each batch of ([B, 3, S, S], targets) passes the backbone once and both
    losses are summed, so a single forward pass still serves both heads. Targets are [B] int64, or
    [B, C] probabilities, of which `extra` is told the likeliest. Returns the encoder, whose
    backbone is the classifier's. Ctrl-C ends it with the weights of the last whole epoch.
    """
    encoder = SiameseEncoder(model.backbone)
    device = device_of(model)
    criterion, extra = criterion.to(device), extra.to(device)

    def batch_losses() -> Iterable[Tensor]:
        for images, targets in train_loader:
            targets = targets.to(device)
            with autocast(device):
                features = model.backbone(images.to(device))
                logits, vectors = model.head(features), encoder.representation(features)
            likeliest = targets.argmax(1) if targets.ndim == 2 else targets
            told_apart = extra(functional.normalize(vectors.float(), dim=1), likeliest)
            yield criterion(logits.float(), targets) + extra_weight * told_apart

    def before_epoch(epoch: int) -> None:
        extra.set_progress((epoch - 1) / epochs)

    _train(model, batch_losses, optimizer, scheduler, epochs, on_epoch, before_epoch)
    return encoder.eval()


def _train(
    model: nn.Module,
    batch_losses: Callable[[], Iterable[Tensor]],
    optimizer: optim.Optimizer,
    scheduler: LRScheduler | None,
    epochs: int,
    on_epoch: Callable[[SiameseEpoch], None] | None,
    set_epoch: Callable[[int], None] | None,
) -> None:
    kept = copy.deepcopy(model.state_dict())
    try:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            if set_epoch is not None:
                set_epoch(epoch)
            model.train()
            losses: list[float] = []
            for loss in batch_losses():
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                losses.append(float(loss.detach()))
            kept = copy.deepcopy(model.state_dict())
            if on_epoch is not None:
                mean = sum(losses) / max(1, len(losses))
                on_epoch(SiameseEpoch(epoch, mean, time.perf_counter() - start))
    except KeyboardInterrupt:
        log.warning("stopped by hand: keeping the encoder of the last whole epoch")
        model.load_state_dict(kept)
    model.eval()
