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

from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork
from catalog_ai.training.losses import batch_triplet_loss

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

    def batch_losses() -> Iterable[Tensor]:
        for anchor, positive, negative in train_loader:
            yield criterion(*model(anchor, positive, negative))

    set_epoch = getattr(getattr(train_loader, "dataset", None), "set_epoch", None)
    _train(model, batch_losses, optimizer, None, epochs, on_epoch, set_epoch)
    return model


def train_jointly(
    model: MobileNetLikeClassifier,
    train_loader: Iterable[tuple[Tensor, Tensor]],
    epochs: int,
    *,
    criterion: nn.Module,
    optimizer: optim.Optimizer,
    scheduler: LRScheduler | None = None,
    margin: float,
    triplet_weight: float,
    on_epoch: Callable[[SiameseEpoch], None] | None = None,
) -> SiameseEncoder:
    """Train one backbone for both heads: triplets on its unit vectors, cross-entropy on its logits.

    The article fine-tunes the backbone for similarity alone, after which the classifier that shares
    it no longer works. Here each batch of ([B, 3, S, S], [B]) passes the backbone once and both
    losses are summed, so a single forward pass still serves both heads. Returns the encoder, whose
    backbone is the classifier's. Ctrl-C ends it with the weights of the last whole epoch.
    """
    encoder = SiameseEncoder(model.backbone)

    def batch_losses() -> Iterable[Tensor]:
        for images, targets in train_loader:
            features = model.backbone(images)
            vectors = functional.normalize(encoder.representation(features), dim=1)
            triplets = batch_triplet_loss(vectors, targets, margin)
            yield criterion(model.head(features), targets) + triplet_weight * triplets

    _train(model, batch_losses, optimizer, scheduler, epochs, on_epoch, None)
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
