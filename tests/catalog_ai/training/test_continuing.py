"""Training goes on from what a model knows, and the model itself stays as it is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.models.registry import Architecture, build
from catalog_ai.training import continuing
from catalog_ai.training.continuing import (
    continue_training,
    fit_head,
    grown,
    settings_of,
)
from catalog_ai.training.task import Task
from tests.helpers import model_meta, photo_arrays

KNOWN = ("Dress", "Hat", "Shoes")
WANTED = ("bag", "hat", "dress")  # one new, one gone, another order and spelling


def parent(embedding: str) -> Checkpoint:
    torch.manual_seed(0)
    architecture = Architecture(embedding=embedding)
    classifier, encoder = build(architecture, len(KNOWN))
    nn.init.normal_(classifier.top.bias)
    meta = model_meta("parent", KNOWN) | {"architecture": architecture.to_meta()}
    return Checkpoint(classifier.eval(), encoder.eval(), meta)


def task(model: Checkpoint, photos: PhotoArrays, epochs: int = 1) -> Task:
    return Task(
        training=photos,
        validation=photos.take(np.arange(0)),
        epochs=epochs,
        siamese_epochs=0,
        seed=0,
        settings=settings_of(model),
    )


def weights(model: Checkpoint) -> dict[str, Tensor]:
    both = model.classifier.state_dict() | model.encoder.state_dict()
    return {name: value.clone() for name, value in both.items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def features_of(model: Checkpoint, photos: PhotoArrays) -> np.ndarray:
    return CatalogModel(model).predict(list(photos.pixels)).features.astype(np.float32)


@pytest.mark.parametrize("embedding", ["pooled", "split"])
def test_a_known_category_keeps_its_row_and_a_new_one_has_no_opinion(embedding: str) -> None:
    model = parent(embedding)
    before, top = model.classifier.top, grown(model, WANTED)[0].top
    assert torch.equal(top.weight[1], before.weight[1])
    assert torch.equal(top.weight[2], before.weight[0])
    assert torch.equal(top.bias[1:], before.bias[[1, 0]])
    assert not top.weight[0].any()
    assert float(top.bias[0].detach()) == pytest.approx(float(before.bias.mean().detach()))


def test_what_says_which_garment_it_is_is_taken_over() -> None:
    model = parent("split")
    garment = grown(model, ("bag", "dress", "hat", "shoes"))[1]
    assert garment is not None
    before = model.encoder.representation[-1].identity.weight
    assert len(garment.identity.weight) == len(before) - 1, "four categories take four numbers"
    assert torch.equal(garment.identity.weight, before[:-1])


def fitted(photos: PhotoArrays) -> tuple[nn.Linear, Tensor, np.ndarray]:
    """Return the head that has learnt from `photos`, the weights it began with, and its inputs."""
    model = parent("pooled")
    top, inputs = grown(model, WANTED)[0].top, features_of(model, photos)
    before = top.weight.detach().clone()
    fit_head(top, inputs, task(model, photos))
    return top, before, inputs


def test_the_head_learns_a_new_category_from_a_handful_of_photos() -> None:
    photos = photo_arrays(6, WANTED)
    top, _, inputs = fitted(photos)
    said = top(torch.from_numpy(inputs)).argmax(1).numpy()
    assert (said == photos.targets).mean() > 0.9


def test_the_head_is_the_same_each_time() -> None:
    (one, *_), (other, *_) = (fitted(photo_arrays(6, WANTED)) for _ in range(2))
    assert torch.equal(one.weight, other.weight)


def test_what_it_knew_holds_it_back(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = []
    for hold in (continuing._HOLD, 0.0):
        monkeypatch.setattr(continuing, "_HOLD", hold)
        top, before, _ = fitted(photo_arrays(6, WANTED))
        moved.append(float((top.weight.detach() - before).norm()))
    assert moved[0] < 0.9 * moved[1]


@pytest.mark.parametrize("embedding", ["pooled", "split"])
def test_both_kinds_are_trained_on_and_the_parent_stays(embedding: str) -> None:
    model, photos = parent(embedding), photo_arrays(8, WANTED, 80)
    before, told = weights(model), list[str]()
    wanted = replace(task(model, photos, epochs=2), on_step=told.append, validation=photos)
    trained = continue_training(wanted, model, features_of(model, photos))
    assert same(before, weights(model))
    old, new = (each.backbone.state_dict() for each in (model.classifier, trained.classifier))
    assert not same(old, new)
    assert trained.classifier.top.out_features == len(WANTED)
    assert trained.encoder.backbone is trained.classifier.backbone
    assert not trained.classifier.training
    assert trained.preprocessing == model.preprocessing
    assert trained.calibration["held_out_photos"] == len(photos)
    assert told[0] == "Teaching the categories"
    vectors = trained.encoder(torch.zeros(2, 3, 64, 64))
    assert vectors.shape == (2, 64)
