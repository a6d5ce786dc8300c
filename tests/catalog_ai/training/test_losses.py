"""Losses beside slow twins made of plain loops."""

import math

import numpy as np
import pytest
import torch

from catalog_ai.errors import TrainingDataError
from catalog_ai.training.losses import batch_triplet_loss, class_weights, weighted_cross_entropy


def slow_triplets(vectors: list[list[float]], targets: list[int], margin: float) -> float:
    """Every anchor with every positive and negative, averaged where the margin is violated."""
    losses = []
    for anchor, label in enumerate(targets):
        for positive, same in enumerate(targets):
            for negative, other in enumerate(targets):
                if positive != anchor and same == label and other != label:
                    near = math.dist(vectors[anchor], vectors[positive])
                    far = math.dist(vectors[anchor], vectors[negative])
                    losses.append(max(0.0, near - far + margin))
    violated = [loss for loss in losses if loss > 0]
    return sum(violated) / len(violated) if violated else 0.0


@pytest.mark.parametrize("margin", [0.1, 0.5, 2.0])
def test_triplets_are_what_the_loops_say(margin: float) -> None:
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(9, 4, generator=generator)
    targets = torch.tensor([0, 0, 1, 1, 1, 2, 2, 0, 3])
    expected = slow_triplets(vectors.tolist(), targets.tolist(), margin)
    assert float(batch_triplet_loss(vectors, targets, margin)) == pytest.approx(expected, rel=1e-4)


def test_a_batch_without_a_triplet_costs_nothing() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = batch_triplet_loss(vectors, torch.tensor([0, 1, 2]), 1.0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_identical_photos_give_finite_gradients() -> None:
    vectors = torch.ones(4, 3, requires_grad=True)
    batch_triplet_loss(vectors, torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_class_weights_are_the_articles() -> None:
    weights = class_weights(np.array([0, 0, 0, 1]), ("hat", "shoes"))
    assert weights.tolist() == pytest.approx([4 / 3, 4 / 1])
    assert class_weights(np.array([0, 0, 0, 1]), ("hat", "shoes"), power=0.5).tolist() == (
        pytest.approx([math.sqrt(4 / 3), 2])
    )


def test_weighted_cross_entropy_is_what_the_loop_says() -> None:
    targets = np.array([0, 0, 1, 0])
    logits = torch.randn(4, 2, generator=torch.Generator().manual_seed(0))
    weights = [4 / 3, 4.0]
    total = scale = 0.0
    for row, label in zip(logits.tolist(), targets.tolist(), strict=True):
        share = math.exp(row[label]) / sum(math.exp(value) for value in row)
        total -= weights[label] * math.log(share)
        scale += weights[label]
    found = weighted_cross_entropy(targets, ("a", "b"))(logits, torch.from_numpy(targets))
    assert float(found) == pytest.approx(total / scale, rel=1e-5)


def test_a_class_without_photos_is_named() -> None:
    with pytest.raises(TrainingDataError, match="labelled skirt"):
        class_weights(np.array([0, 0]), ("hat", "skirt"))
