"""Train a model further: from its weights, on better labels, and for categories new to it.

First the head alone, on features that stay as they are, so that new categories find their place
before anything below them moves; then the whole network, at a fifth of the recipe's rate or
less. What is learnt from is `Task.training`; `Task.validation` gives the figure after each epoch.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn, optim

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.labels import normal_label
from catalog_ai.device import placed
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import SplitEmbedding
from catalog_ai.models.registry import build
from catalog_ai.training import default, small
from catalog_ai.training.calibration import held_out_temperature
from catalog_ai.training.finetune import FineTuning
from catalog_ai.training.losses import class_weights
from catalog_ai.training.task import Task, Trained

EPOCHS = {"pooled": 6, "split": 2}  # by what makes the vector: of `small`, of `default`
_HOLD = 0.02  # measured: benchmarks.retraining
_MOST_STEPS = 300
_SMALL_RATE = 3e-4
_DEFAULT_RATES = FineTuning(learning_rate=2e-4, head_learning_rate=6e-4)
_FEWEST_TO_CALIBRATE = 20  # photos


def settings_of(parent: Checkpoint) -> Any:
    """Return the settings of the parent's recipe, at the rates of a training that goes on."""
    architecture, size = parent.architecture, parent.preprocessing.size
    if architecture.embedding == "split":
        return default.Settings(
            backbone=architecture.backbone,
            size=size,
            style=architecture.style,
            category_share=architecture.category_share,
            fine_tuning=_DEFAULT_RATES,
        )
    return small.Settings(
        size=size,
        depthwise=architecture.depthwise,
        squeeze_excitation=architecture.squeeze_excitation,
        siamese_learning_rate=_SMALL_RATE,
    )


def continue_training(task: Task, parent: Checkpoint, features: NDArray[np.float32]) -> Trained:
    """Return both heads for `task.training.classes`, trained on from the weights of `parent`.

    `features` (N, F) are the parent's of the training photos. `parent` stays as it is.
    """
    classifier, embedding = grown(parent, task.training.classes)
    task.on_step("Teaching the categories")
    fit_head(classifier.top, features, task)
    task.on_step("Teaching the whole network")
    if embedding is None:
        encoder = small.train_second(task, placed(classifier), task.epochs)
    else:
        classifier.backbone.freeze(task.settings.frozen_stages)
        tuned = replace(task, settings=_averaged(task))
        preprocessing = parent.preprocessing
        default.tune(
            *(tuned, preprocessing, task.training, task.epochs, classifier, embedding),
            validated=True,
        )
        encoder = default.fit_vector(tuned, preprocessing, classifier, embedding)
    calibration = dict(parent.meta.get("calibration", {}))
    classifier, encoder = classifier.cpu().eval(), encoder.cpu().eval()
    if len(task.validation) >= _FEWEST_TO_CALIBRATE:
        task.on_step("Learning how sure to be")
        calibration = held_out_temperature(classifier, task.validation, parent.preprocessing)
    return Trained(classifier, encoder, parent.architecture, parent.preprocessing, calibration)


def grown(
    parent: Checkpoint, classes: tuple[str, ...]
) -> tuple[MobileNetLikeClassifier, SplitEmbedding | None]:
    """Return copies of the parent's networks for `classes`: a known category keeps what it has.

    A new one begins with no opinion of any photo. None where the features are the vector.
    """
    classifier, encoder = build(parent.architecture, len(classes))
    classifier.backbone.load_state_dict(parent.classifier.backbone.state_dict())
    known = {normal_label(name): row for row, name in enumerate(parent.meta["classes"])}
    top, before = classifier.top, parent.classifier.top
    with torch.no_grad():
        top.weight.zero_()
        top.bias.fill_(float(before.bias.mean()))
        for row, name in enumerate(classes):
            place = known.get(normal_label(name))
            if place is not None:
                top.weight[row] = before.weight[place]
                top.bias[row] = before.bias[place]
    embedding = encoder.representation[-1]
    if not isinstance(embedding, SplitEmbedding):
        return classifier, None
    _take_over(embedding, parent.encoder.representation[-1])
    return classifier, embedding


def fit_head(top: nn.Linear, features: NDArray[np.float32], task: Task) -> None:
    """Train `top` in place on `features` (N, F), of which it looks at its first inputs.

    Logistic regression to its minimum, however few photos there are, held back by its distance from
    the weights that `top` has (L2-SP: Li, Grandvalet and Davoine 2018, "Explicit inductive bias for
    transfer learning with convolutional networks", eq. 2). The more photos, the less it is.
    """
    inputs = torch.from_numpy(features[:, : top.in_features])
    targets = torch.from_numpy(task.training.targets)
    criterion = _criterion(task)
    start = top.weight.detach().clone()
    hold = _HOLD / len(targets) * inputs.square().sum(1).mean()
    optimizer = optim.LBFGS(top.parameters(), max_iter=_MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        found: Tensor = criterion(top(inputs), targets)
        found = found + hold * (top.weight - start).square().sum()
        found.backward()
        return found

    optimizer.step(loss)


def _take_over(embedding: SplitEmbedding, before: nn.Module) -> None:
    """Copy what says which garment it is; with other categories there is another number of rows."""
    assert isinstance(before, SplitEmbedding)
    embedding.scale.load_state_dict(before.scale.state_dict())
    rows = min(embedding.identity.out_features, before.identity.out_features)
    with torch.no_grad():
        embedding.identity.weight[:rows] = before.identity.weight[:rows]
        embedding.identity.bias[:rows] = before.identity.bias[:rows]


def _criterion(task: Task) -> nn.Module:
    photos, settings = task.training, task.settings
    weights = class_weights(photos.targets, photos.classes, power=settings.class_weight_power)
    return nn.CrossEntropyLoss(
        weight=weights / weights.mean(), label_smoothing=settings.label_smoothing
    )


def _averaged(task: Task) -> default.Settings:
    """Return the settings with an average over the last fifth of so few steps, or it would lag."""
    settings: default.Settings = task.settings
    steps = max(10, task.epochs * len(task.training) // settings.photos)
    decay = min(settings.fine_tuning.average_decay, 1 - 5 / steps)
    return replace(settings, fine_tuning=replace(settings.fine_tuning, average_decay=decay))
