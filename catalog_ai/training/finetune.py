"""Fine-tuning a backbone for both heads at once: cross-entropy and an instance contrast.

Each batch holds two shots of every photo. Cross-entropy on the logits teaches the category; the
contrast between the two shots (Chen et al. 2020, "SimCLR", with the memory of Wang et al. 2020,
"Cross-Batch Memory") keeps in the features what tells one garment from the next.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from catalog_ai.data.loaders import BatchLoader, LabelledLoader
from catalog_ai.device import autocast, device_of, placed
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import SplitEmbedding
from catalog_ai.training.classifier_train import ClassifierEpoch, evaluate
from catalog_ai.training.losses import instance_contrast

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FineTuning:
    """How `fine_tune` goes about it. Rates are those of a one-cycle schedule's top."""

    learning_rate: float = 1e-3
    head_learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warm_up: float = 0.2
    clip_norm: float = 5.0
    average_decay: float = 0.995
    instance_weight: float = 1.0
    instance_temperature: float = 0.05
    memory: int = 1024


def fine_tune(
    classifier: MobileNetLikeClassifier,
    embedding: SplitEmbedding,
    loader: BatchLoader,
    val_loader: LabelledLoader | None,
    epochs: int,
    *,
    criterion: nn.Module,
    how: FineTuning,
    on_epoch: Callable[[ClassifierEpoch], None] = lambda epoch: None,
    on_batch: Callable[[], None] = lambda: None,
) -> None:
    """Train `classifier` and the second part of `embedding` in place.

    Both are left on the CPU, in evaluation mode, `embedding.category` as it was. `loader` yields
    two views of each photo. The weights are an exponential moving average of the trained ones.
    Ctrl-C ends it with the average so far; before the first epoch is done it is passed on.
    """
    network = placed(_BothParts(classifier, embedding))
    device = device_of(network)
    criterion = criterion.to(device)
    averaged = AveragedModel(
        network, multi_avg_fn=get_ema_multi_avg_fn(how.average_decay), use_buffers=True
    )
    optimizer, schedule = _optimizer(network, how, epochs * len(loader))
    memory = _Memory(how.memory)
    done = 0
    try:
        for epoch in range(1, epochs + 1):
            start = time.perf_counter()
            network.train()
            loss, accuracy = 0.0, 0.0
            for images, targets, numbers in loader.numbered():
                batch = images.to(device), targets.to(device), numbers.to(device)
                step = _step(network, batch, criterion, how, memory)
                optimizer.zero_grad()
                step.loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), how.clip_norm)
                optimizer.step()
                schedule.step()
                averaged.update_parameters(network)
                loss += float(step.loss.detach()) / len(loader)
                accuracy += step.accuracy / len(loader)
                on_batch()
            done = epoch
            shown = _both(averaged).classifier
            val_loss, val_accuracy = (0.0, 0.0)
            if val_loader is not None:
                val_loss, val_accuracy = evaluate(shown, val_loader, nn.CrossEntropyLoss())
            seconds = time.perf_counter() - start
            on_epoch(ClassifierEpoch(epoch, loss, accuracy, val_loss, val_accuracy, seconds))
    except KeyboardInterrupt:
        if not done:
            raise
        log.warning("stopped by hand: keeping the average of the weights so far")
    if epochs:
        network.load_state_dict(averaged.module.state_dict())
    network.cpu().eval()


class _BothParts(nn.Module):
    """The classifier, and what the instance contrast compares."""

    def __init__(self, classifier: MobileNetLikeClassifier, embedding: SplitEmbedding) -> None:
        super().__init__()
        self.classifier = classifier
        self.embedding = embedding

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, S, S] → ([B, C] logits, [B, 48 or more] unit vectors)."""
        features = self.classifier.backbone(images)
        garments = self.embedding.garment(self.classifier.embedder(features))
        return self.classifier.head(features), garments


class _Memory:
    """The latest garments' vectors from earlier batches, for the contrast to tell apart from."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._vectors: Tensor | None = None
        self._numbers: Tensor | None = None

    def recall(self) -> tuple[Tensor, Tensor] | None:
        """Return ([M, D] vectors, [M] photo numbers), None while there are none."""
        if self._vectors is None or self._numbers is None:
            return None
        return self._vectors, self._numbers

    def add(self, vectors: Tensor, numbers: Tensor) -> None:
        """Put a batch in front and forget what is beyond the most."""
        if self._vectors is not None and self._numbers is not None:
            vectors = torch.cat([vectors, self._vectors])
            numbers = torch.cat([numbers, self._numbers])
        self._vectors, self._numbers = vectors[: self._most], numbers[: self._most]


@dataclass(frozen=True)
class _Step:
    loss: Tensor
    accuracy: float


def _step(
    network: _BothParts,
    batch: tuple[Tensor, Tensor, Tensor],
    criterion: nn.Module,
    how: FineTuning,
    memory: _Memory,
) -> _Step:
    images, targets, numbers = batch
    with autocast(images.device):
        logits, vectors = network(images)
    logits, vectors = logits.float(), vectors.float()
    loss = criterion(logits, targets)
    if how.instance_weight:
        contrast = instance_contrast(
            vectors, numbers, temperature=how.instance_temperature, others=memory.recall()
        )
        loss = loss + how.instance_weight * contrast
        garments = len(vectors) // 2  # one shot of each is enough to be remembered
        memory.add(vectors.detach()[:garments], numbers[:garments])
    accuracy = float((logits.detach().argmax(1) == targets).float().mean())
    return _Step(loss, accuracy)


def _both(averaged: AveragedModel) -> _BothParts:
    network = averaged.module
    assert isinstance(network, _BothParts)
    return network


def _optimizer(
    network: _BothParts, how: FineTuning, steps: int
) -> tuple[optim.Optimizer, LRScheduler]:
    backbone = [p for p in network.classifier.backbone.parameters() if p.requires_grad]
    heads = [
        *network.classifier.head.parameters(),
        *network.embedding.identity.parameters(),
    ]
    parts = [(backbone, how.learning_rate), (heads, how.head_learning_rate)]
    parts = [(weights, rate) for weights, rate in parts if weights]  # all may be frozen
    optimizer = optim.AdamW(
        [{"params": weights, "lr": rate} for weights, rate in parts],
        weight_decay=how.weight_decay,
        fused=True,
    )
    schedule = OneCycleLR(
        optimizer,
        [rate for _, rate in parts],
        total_steps=max(1, steps),
        pct_start=how.warm_up,
    )
    return optimizer, schedule
