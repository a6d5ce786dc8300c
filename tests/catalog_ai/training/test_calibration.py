"""Temperatures beside a search by hand, and folds."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from catalog_ai.preprocessing import Preprocessing
from catalog_ai.training.calibration import (
    fit_temperature,
    fold,
    held_out_temperature,
    rehearsed_temperature,
)
from tests.helpers import photo_arrays


def drawn(sureness: float, count: int = 4000) -> tuple[Tensor, Tensor]:
    """Logits `sureness` times as sure as the labels that are drawn from them deserve."""
    generator = torch.Generator().manual_seed(0)
    honest = torch.randn(count, 4, generator=generator) * 2
    targets = torch.multinomial(honest.softmax(1), 1, generator=generator)[:, 0]
    return honest * sureness, targets


@pytest.mark.parametrize("sureness", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_what_is_too_sure_or_too_shy(sureness: float) -> None:
    logits, targets = drawn(sureness)
    found = fit_temperature(logits[None], targets)
    assert found == pytest.approx(sureness, rel=0.1)
    losses = {
        t: float(functional.cross_entropy(logits / t, targets))
        for t in np.geomspace(found / 2, found * 2, 41)
    }
    assert min(losses, key=losses.__getitem__) == pytest.approx(found, rel=0.04)


def test_a_temperature_never_changes_the_answer() -> None:
    logits, targets = drawn(3.0, 100)
    temperature = fit_temperature(logits[None], targets)
    assert ((logits / temperature).argmax(1) == logits.argmax(1)).all()


def test_the_temperature_is_that_of_the_mean_of_all_views() -> None:
    logits, targets = drawn(2.0)
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)) * 3
    views = torch.stack([logits + noise, logits - noise])
    found = fit_temperature(views, targets)
    alone = fit_temperature(views.flatten(0, 1)[None], targets.repeat(2))
    assert found < alone  # two that disagree are unsure together already

    def loss(temperature: float) -> float:
        served = (views / temperature).softmax(2).mean(0)
        return float(functional.nll_loss(served.log(), targets))

    assert loss(found) < min(loss(found * 0.9), loss(found * 1.1), loss(alone))


def test_without_photos_the_temperature_is_one() -> None:
    assert fit_temperature(torch.empty(1, 0, 3), torch.empty(0, dtype=torch.int64)) == 1.0


def test_a_fold_holds_a_fifth_of_each_category_and_nothing_twice() -> None:
    targets = np.array([0] * 20 + [1] * 11 + [2] * 3)
    learnt, held_out = fold(targets, seed=1)
    assert sorted([*learnt, *held_out]) == list(range(34))
    assert np.bincount(targets[held_out], minlength=3).tolist() == [4, 2, 0]
    assert (fold(targets, seed=1)[1] == held_out).all()
    assert (fold(targets, seed=2)[1] != held_out).any()


def test_a_handful_of_photos_all_right_does_not_make_the_model_sure_of_everything() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0]]).repeat(10, 1)[None]
    found = fit_temperature(logits, torch.zeros(10, dtype=torch.int64))
    assert 0.25 <= found < 1


@pytest.mark.parametrize("views", [1, 4])
def test_a_model_is_asked_about_photos_as_they_are_served(views: int) -> None:
    preprocessing = Preprocessing(size=8, flip_average=views > 1, zoom_average=views > 1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2)).eval()
    photos = photo_arrays(10, ("dress", "hat"), 8)
    found = held_out_temperature(model, photos, preprocessing)
    assert found["held_out_photos"] == 20
    assert 0 < found["temperature"] < 20
    assert held_out_temperature(model, photos.take(np.arange(0)), preprocessing) == {}


def test_the_rehearsal_never_sees_what_is_held_out() -> None:
    whole = photo_arrays(10, ("dress", "hat"), 8)
    seen: list[np.ndarray] = []

    def rehearse(learnt, rows, epochs):  # type: ignore[no-untyped-def]
        assert epochs == 3
        assert (whole.pixels[rows] == learnt.pixels).all()
        seen.append(rows)
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))

    found = rehearsed_temperature(whole, rehearse, Preprocessing(size=8), 3, seed=0)
    assert (found["held_out_photos"], found["epochs"], len(seen[0])) == (4, 3, 16)
    assert rehearsed_temperature(whole, rehearse, Preprocessing(size=8), 0, seed=0) == {}
