"""Fine-tuning teaches both goals, keeps what is frozen, and ends well when it is stopped."""

import pytest
import torch
from torch import Tensor, nn

from catalog_ai.data.loaders import BatchLoader, PlainLoader
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.embedding import SplitEmbedding
from catalog_ai.training.classifier_train import ClassifierEpoch
from catalog_ai.training.default import Settings
from catalog_ai.training.finetune import FineTuning, fine_tune
from tests.helpers import photo_arrays

HOW = FineTuning(learning_rate=1e-2, head_learning_rate=1e-2, average_decay=0.8, memory=8)


def heads(frozen: int = 0) -> tuple[MobileNetLikeClassifier, SplitEmbedding]:
    torch.manual_seed(0)
    backbone = MobileNetBackbone()
    backbone.freeze(frozen)
    embedding = SplitEmbedding(backbone.features, 2, category_share=0.5)
    return MobileNetLikeClassifier(2, backbone=backbone), embedding


def tuned(
    classifier: MobileNetLikeClassifier,
    embedding: SplitEmbedding,
    epochs: int,
    told: list[ClassifierEpoch],
) -> None:
    photos = photo_arrays(8, ("dark", "bright"), 32)
    loader = BatchLoader(photos, BatchAugmentation(size=32), batch_size=8, views=2)
    fine_tune(
        *(classifier, embedding, loader, PlainLoader(photos), epochs),
        criterion=nn.CrossEntropyLoss(),
        how=HOW,
        on_epoch=told.append,
    )


def kept(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_both_goals_are_learnt_and_the_category_part_is_left_alone() -> None:
    classifier, embedding = heads()
    before, told = kept(embedding), list[ClassifierEpoch]()
    tuned(classifier, embedding, 12, told)
    assert [epoch.epoch for epoch in told] == list(range(1, 13))
    assert told[-1].train_loss < told[0].train_loss
    assert told[-1].val_accuracy == 1.0
    assert not classifier.training
    assert not embedding.training
    after = kept(embedding)
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {"identity.weight", "scale.running_mean"} <= changed
    assert not changed & {"category.weight", "category.bias", "directions"}


def test_frozen_stages_stay() -> None:
    classifier, embedding = heads(frozen=2)
    stages = nn.ModuleList(m for stage in classifier.backbone.stages()[:2] for m in stage)
    before = kept(stages)
    tuned(classifier, embedding, 1, [])
    assert all(torch.equal(before[name], value) for name, value in kept(stages).items())


def test_without_an_epoch_nothing_changes() -> None:
    classifier, embedding = heads()
    before = kept(classifier)
    tuned(classifier, embedding, 0, [])
    assert all(torch.equal(before[name], value) for name, value in kept(classifier).items())


@pytest.mark.parametrize("after", [0, 1])
def test_ctrl_c_keeps_the_average_after_an_epoch_and_is_passed_on_before(
    after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, embedding = heads()
    before = kept(classifier)
    usual = BatchLoader.numbered

    def numbered(self: BatchLoader) -> object:
        if self.epoch == after:
            raise KeyboardInterrupt
        return usual(self)

    monkeypatch.setattr(BatchLoader, "numbered", numbered)
    if not after:
        with pytest.raises(KeyboardInterrupt):
            tuned(classifier, embedding, 3, [])
        return
    tuned(classifier, embedding, 3, [])
    name = "backbone.stem.0.weight"
    assert not torch.equal(kept(classifier)[name], before[name])


def test_crops_are_smaller_than_what_is_served_and_larger_than_what_is_cut() -> None:
    settings = Settings()
    assert (settings.size, settings.crop_size, settings.stored_size) == (224, 192, 240)
    assert Settings(size=32).crop_size == 32
