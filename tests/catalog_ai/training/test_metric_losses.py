"""Losses on the vector beside slow twins, miners, and the curriculum."""

import math
from itertools import product

import pytest
import torch
from pytorch_metric_learning.losses import TripletMarginLoss
from torch import Tensor
from torch.nn import functional

from catalog_ai.errors import UsageError
from catalog_ai.training.losses import batch_triplet_loss, instance_contrast
from catalog_ai.training.metric_losses import metric_loss
from catalog_ai.training.miners import Curriculum, miner
from catalog_ai.training.names import LOSSES, MINING


def drawn(count: int = 12, classes: int = 3, dimension: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    vectors = functional.normalize(torch.randn(count, dimension, generator=generator), dim=1)
    return vectors, torch.arange(count) % classes


def distance(vectors: Tensor, one: int, other: int) -> float:
    return math.dist(vectors[one].tolist(), vectors[other].tolist())


def test_all_triplets_are_what_the_library_makes_of_them() -> None:
    vectors, targets = drawn()
    library = TripletMarginLoss(margin=0.3)(vectors, targets)
    torch.testing.assert_close(batch_triplet_loss(vectors, targets, 0.3), library)


def test_batch_hard_takes_the_farthest_positive_and_the_nearest_negative() -> None:
    vectors, targets = drawn()
    mined = miner("batch-hard", 0.3)(vectors, targets)
    found = zip(*(part.tolist() for part in mined), strict=True)
    for anchor, positive, negative in found:
        far = {i: distance(vectors, anchor, i) for i in range(12) if i != anchor}
        same = {i: d for i, d in far.items() if targets[i] == targets[anchor]}
        others = {i: d for i, d in far.items() if targets[i] != targets[anchor]}
        assert positive == max(same, key=same.__getitem__)
        assert negative == min(others, key=others.__getitem__)


def test_semi_hard_negatives_lie_beyond_the_positive_but_within_the_margin() -> None:
    vectors, targets = drawn()
    mined = miner("semi-hard", 0.3)(vectors, targets)
    found = set(zip(*(part.tolist() for part in mined), strict=True))
    expected = {
        (a, p, n)
        for a, p, n in product(range(12), repeat=3)
        if a != p
        and targets[a] == targets[p] != targets[n]
        and 0 < distance(vectors, a, n) - distance(vectors, a, p) < 0.3
    }
    assert found == expected
    assert expected


def test_random_triplets_are_triplets_and_one_for_each_anchor() -> None:
    vectors, targets = drawn()
    anchors, positives, negatives = miner("random", 0.3)(vectors, targets)
    assert sorted(anchors.tolist()) == list(range(12))
    assert (targets[anchors] == targets[positives]).all()
    assert (anchors != positives).all()
    assert (targets[anchors] != targets[negatives]).all()


def test_the_curriculum_hardens() -> None:
    curriculum = Curriculum(0.3)
    stages = []
    for epoch in range(6):
        curriculum.progress = epoch / 6
        stages.append(curriculum.stage)
    assert stages == ["random"] * 2 + ["semi-hard"] * 2 + ["batch-hard"] * 2


def test_the_triplet_loss_follows_the_curriculum() -> None:
    vectors, targets = drawn()
    loss = metric_loss("triplet", classes=3, dimension=6, margin=0.3, mining="curriculum")
    hard = metric_loss("triplet", classes=3, dimension=6, margin=0.3, mining="batch-hard")
    loss.set_progress(0.99)
    assert loss(vectors, targets) == hard(vectors, targets)
    loss.set_progress(0.4)
    assert loss(vectors, targets) < hard(vectors, targets)


def test_supervised_contrast_is_its_equation() -> None:
    vectors, targets = drawn()
    terms = []
    for anchor in range(12):
        others = [i for i in range(12) if i != anchor]
        similar = {i: math.exp(float(vectors[anchor] @ vectors[i]) / 0.1) for i in others}
        same = [i for i in others if targets[i] == targets[anchor]]
        shares = [math.log(similar[i] / sum(similar.values())) for i in same]
        terms.append(-sum(shares) / len(same))
    found = metric_loss("supcon", classes=3, dimension=6)(vectors, targets)
    assert float(found) == pytest.approx(sum(terms) / 12, rel=1e-5)


def test_arcface_adds_the_margin_to_the_angle() -> None:
    vectors, targets = drawn()
    loss = metric_loss("arcface", classes=3, dimension=6, margin=0.5)
    centres = functional.normalize(next(iter(loss.parameters())).detach(), dim=0)
    terms = []
    for vector, target in zip(vectors, targets.tolist(), strict=True):
        angles = [math.acos(float(vector @ centres[:, c])) for c in range(3)]
        cosines = [math.cos(angle) for angle in angles]
        own = angles[target]  # beyond π - 0.5 the library keeps the cosine falling
        cosines[target] = (
            math.cos(own + 0.5) if own <= math.pi - 0.5 else cosines[target] - 0.5 * math.sin(0.5)
        )
        logits = 16 * torch.tensor(cosines)
        terms.append(float(functional.cross_entropy(logits, torch.tensor(target))))
    assert float(loss(vectors, targets).detach()) == pytest.approx(sum(terms) / 12, rel=1e-4)


def test_center_loss_pulls_to_the_categorys_centre() -> None:
    vectors, targets = drawn()
    loss = metric_loss("center", classes=3, dimension=6)
    assert float(loss(vectors, targets).detach()) == pytest.approx(0.5)  # the centres start at zero
    optimizer = torch.optim.SGD(loss.parameters(), lr=1.0)
    for _ in range(200):
        optimizer.zero_grad()
        loss(vectors, targets).backward()
        optimizer.step()
    means = torch.stack([vectors[targets == c].mean(0) for c in range(3)])
    torch.testing.assert_close(next(iter(loss.parameters())).detach(), means, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("mining", MINING)
def test_every_loss_has_finite_gradients_where_vectors_coincide(name: str, mining: str) -> None:
    vectors = functional.normalize(torch.ones(6, 4), dim=1).requires_grad_()
    targets = torch.tensor([0, 0, 0, 1, 1, 1])
    metric_loss(name, classes=2, dimension=4, mining=mining)(vectors, targets).backward()
    assert vectors.grad is None or torch.isfinite(vectors.grad).all()


def test_what_is_no_loss_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no loss 'huge': choose from triplet, supcon"):
        metric_loss("huge", classes=2, dimension=4)
    with pytest.raises(UsageError, match="no mining 'deep': choose from all, random"):
        metric_loss("triplet", classes=2, dimension=4, mining="deep")
    with pytest.raises(UsageError, match="no mining"):
        miner("all", 0.3)


# --- the contrast between two shots of one garment -----------------------------------------------


def slow_contrast(
    vectors: Tensor, numbers: list[int], temperature: float, others: list[tuple[Tensor, int]]
) -> float:
    terms = []
    for row, number in enumerate(numbers):
        candidates = [
            (float(vectors[row] @ vectors[other]) / temperature, numbers[other] == number)
            for other in range(len(numbers))
            if other != row
        ]
        candidates += [
            (float(vectors[row] @ vector) / temperature, False)
            for vector, theirs in others
            if theirs != number
        ]
        whole = sum(math.exp(score) for score, _ in candidates)
        terms += [-math.log(math.exp(score) / whole) for score, sought in candidates if sought]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("remembered", [0, 5])
def test_the_contrast_is_what_the_loops_say(remembered: int) -> None:
    vectors, _ = drawn(8)
    numbers = [4, 7, 9, 2, 4, 7, 9, 2]
    memory, _ = drawn(5, dimension=6)
    known = [1, 4, 30, 2, 50][:remembered]
    others = (memory[:remembered], torch.tensor(known)) if remembered else None
    found = instance_contrast(vectors, torch.tensor(numbers), temperature=0.2, others=others)
    twin = slow_contrast(
        *(vectors, numbers, 0.2), list(zip(memory[:remembered], known, strict=True))
    )
    assert float(found) == pytest.approx(twin, rel=1e-5)


def test_two_shots_that_agree_beside_nothing_like_them_cost_nothing() -> None:
    vectors = torch.eye(4).repeat(2, 1)
    loss = instance_contrast(vectors, torch.arange(4).repeat(2), temperature=0.02)
    assert float(loss) == pytest.approx(0, abs=1e-6)
