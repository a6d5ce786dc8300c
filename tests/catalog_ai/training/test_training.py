"""Training: the article's quick start runs as printed, and recipes leave whole checkpoints."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.data.dataset import CatalogDataset, TripletDataset
from catalog_ai.data.loaders import PlainLoader, train_loader, validation_loader
from catalog_ai.data.sources import Source, read_source
from catalog_ai.data.transforms import train_transform, validation_transform
from catalog_ai.errors import CheckpointError, TrainingDataError, UsageError
from catalog_ai.inference.search import visual_search
from catalog_ai.model_folder import load_training_photos
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.registry import Architecture, build_backbone
from catalog_ai.models.siamese import SiameseEncoder, SiameseNetwork
from catalog_ai.training import recipes
from catalog_ai.training.classifier_train import ClassifierEpoch, evaluate, train_classifier
from catalog_ai.training.metric_losses import metric_loss
from catalog_ai.training.recipes import train_recipe
from catalog_ai.training.siamese_train import SiameseEpoch, train_jointly, train_siamese
from tests.helpers import CLASSES, photo_arrays, write_photo

COLORS = ("#c03030", "#3030c0")


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(
        torch.equal(some[name], others[name]) for name in some
    )


# --- the article's quick start -------------------------------------------------------------------


def test_the_quick_start_of_the_article_runs_as_printed() -> None:
    torch.manual_seed(0)
    photos = photo_arrays()
    dataset = CatalogDataset(photos, train_transform())
    train = train_loader(dataset, batch_size=8)
    val_loader = validation_loader(CatalogDataset(photos, validation_transform()))
    siamese_dataloader = train_loader(TripletDataset(dataset), batch_size=8)
    catalog_dataset = CatalogDataset(photos, validation_transform())
    query_image = Image.fromarray(photos.pixels[5])

    classifier = train_classifier(
        model=MobileNetLikeClassifier(num_classes=7),
        train_loader=train,
        val_loader=val_loader,
        epochs=2,
    )
    assert not classifier.training
    before = weights(classifier.backbone)
    encoder = SiameseEncoder(backbone=classifier.backbone)
    siamese = train_siamese(
        model=SiameseNetwork(embedding_network=encoder),
        train_loader=siamese_dataloader,
        epochs=1,
    )
    assert not siamese.training
    assert not same(before, weights(encoder.backbone))
    similar = visual_search(
        query=query_image, catalog=catalog_dataset, encoder=siamese.embedding_network, k=5
    )
    assert len(similar) == 5
    assert similar[0].index == 5
    assert similar[0].label == CLASSES[photos.targets[5]]
    assert similar[0].distance < 1e-4
    assert [found.distance for found in similar] == sorted(found.distance for found in similar)


# --- the classifier's loop -----------------------------------------------------------------------


def test_training_learns_and_reports_each_epoch() -> None:
    torch.manual_seed(0)
    photos = photo_arrays(16, ("dark", "bright"), 32)
    told: list[ClassifierEpoch] = []
    model = train_classifier(
        MobileNetLikeClassifier(2),
        train_loader(CatalogDataset(photos, validation_transform(32)), batch_size=8),
        PlainLoader(photos),
        epochs=16,  # batch norm's running means take some steps to arrive
        on_epoch=told.append,
    )
    assert [epoch.epoch for epoch in told] == list(range(1, 17))
    assert told[-1].train_loss < told[0].train_loss / 2
    assert all(0 <= epoch.train_accuracy <= 1 and epoch.seconds > 0 for epoch in told)
    loss, accuracy = evaluate(model, PlainLoader(photos), nn.CrossEntropyLoss())
    assert accuracy == told[-1].val_accuracy == 1.0
    assert loss == pytest.approx(told[-1].val_loss, rel=1e-4)


def test_an_evaluation_is_the_mean_over_photos_whatever_the_batches() -> None:
    torch.manual_seed(0)
    photos = photo_arrays(3, size=32)
    model = MobileNetLikeClassifier(7).eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for image, target in CatalogDataset(photos, validation_transform(32)):
            logits = model(image[None])[0]
            total -= float(logits.log_softmax(0)[target])
            right += int(logits.argmax() == target)
    for size in (1, 4, 100):
        loss, accuracy = evaluate(model, PlainLoader(photos, size), nn.CrossEntropyLoss())
        assert loss == pytest.approx(total / 21, rel=1e-4)
        assert accuracy == right / 21
    assert evaluate(model, [], nn.CrossEntropyLoss()) == (0.0, 0.0)  # type: ignore[arg-type]


def test_a_moving_average_returns_the_average_not_the_last_weights() -> None:
    photos = photo_arrays(4, ("a", "b"), 32)
    loader = PlainLoader(photos, batch_size=8)
    started = MobileNetLikeClassifier(2)
    state = weights(started)
    kept: list[dict[str, Tensor]] = []
    for decay in (None, 0.75):
        model = MobileNetLikeClassifier(2)
        model.load_state_dict(state)
        kept.append(weights(train_classifier(model, loader, loader, 2, average_decay=decay)))
    # The average of a run that moves ends nearer to where it started.
    name = "head.2.weight"
    last, averaged = ((run[name] - state[name]).abs().mean() for run in kept)
    assert 0 < averaged < last


def test_a_class_without_a_photo_is_named_before_training_starts() -> None:
    photos = replace(photo_arrays(3, ("a", "b"), 32), classes=("a", "b", "c"))
    with pytest.raises(TrainingDataError, match="labelled c:"):
        train_classifier(MobileNetLikeClassifier(3), PlainLoader(photos), PlainLoader(photos), 1)


class Interrupted:
    """A loader during whose nth pass somebody presses Ctrl-C, after the first batch."""

    def __init__(self, loader: Any, on_pass: int) -> None:
        self.loader = loader
        self.dataset = loader.dataset
        self.left = on_pass

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Any:
        self.left -= 1
        for batch in self.loader:
            yield batch
            if not self.left:
                raise KeyboardInterrupt


def test_ctrl_c_keeps_the_weights_of_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of three epochs is made the best one; the fourth is interrupted."""
    from catalog_ai.training import classifier_train

    accuracies = iter([0.2, 0.9, 0.5])
    monkeypatch.setattr(classifier_train, "evaluate", lambda *_: (1.0, next(accuracies)))
    model = MobileNetLikeClassifier(2)
    photos = photo_arrays(4, ("a", "b"), 32)
    after: list[dict[str, Tensor]] = []
    loader = Interrupted(PlainLoader(photos, batch_size=4), on_pass=4)
    trained = train_classifier(
        model, loader, PlainLoader(photos), 9, on_epoch=lambda _: after.append(weights(model))
    )
    assert len(after) == 3
    assert same(weights(trained), after[1])
    assert not same(after[1], after[2])
    assert not trained.training


def test_ctrl_c_before_the_first_epoch_is_passed_on() -> None:
    photos = photo_arrays(4, ("a", "b"), 32)
    loader = Interrupted(PlainLoader(photos, batch_size=4), on_pass=1)
    with pytest.raises(KeyboardInterrupt):
        train_classifier(MobileNetLikeClassifier(2), loader, PlainLoader(photos), 2)


# --- the encoder's loops -------------------------------------------------------------------------


def test_ctrl_c_keeps_the_encoder_of_the_last_whole_epoch() -> None:
    photos = photo_arrays(4, ("a", "b"), 32)
    triplets = TripletDataset(CatalogDataset(photos, validation_transform(32)))
    network = SiameseNetwork(SiameseEncoder(MobileNetLikeClassifier(2).backbone))
    after: list[dict[str, Tensor]] = []
    trained = train_siamese(
        network,
        Interrupted(train_loader(triplets, batch_size=4), on_pass=3),
        epochs=9,
        on_epoch=lambda _: after.append(weights(network)),
    )
    assert len(after) == 2
    assert same(weights(trained), after[1])
    assert not trained.training


def test_each_siamese_epoch_draws_other_triplets() -> None:
    photos = photo_arrays(4, ("a", "b"), 32)
    triplets = TripletDataset(CatalogDataset(photos, validation_transform(32)))
    epochs: list[int] = []
    told: list[SiameseEpoch] = []

    def note(epoch: SiameseEpoch) -> None:
        told.append(epoch)
        epochs.append(triplets.epoch)

    network = SiameseNetwork(SiameseEncoder(MobileNetLikeClassifier(2).backbone))
    train_siamese(network, train_loader(triplets, batch_size=4), 3, on_epoch=note)
    assert epochs == [epoch.epoch for epoch in told] == [1, 2, 3]
    assert all(np.isfinite(epoch.loss) and epoch.loss >= 0 for epoch in told)


def test_joint_training_keeps_one_backbone_and_trains_both_heads() -> None:
    torch.manual_seed(0)
    photos = photo_arrays(8, ("dark", "bright"), 32)
    model = MobileNetLikeClassifier(2)
    before = weights(model)
    told: list[SiameseEpoch] = []
    encoder = train_jointly(
        model,
        PlainLoader(photos, batch_size=16),
        8,
        criterion=nn.CrossEntropyLoss(),
        optimizer=torch.optim.Adam(model.parameters(), lr=1e-2),
        extra=metric_loss("triplet", classes=2, dimension=64, margin=0.3),
        extra_weight=1.0,
        on_epoch=told.append,
    )
    assert encoder.backbone is model.backbone
    assert not encoder.training
    assert told[-1].loss < told[0].loss / 2
    for name in ("head.2.weight", "backbone.stem.0.weight"):
        assert not torch.equal(weights(model)[name], before[name])


# --- recipes -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for split, count in (("train", 9), ("validation", 3)):
        for label, color in zip(("dress", "hat"), COLORS, strict=True):
            for number in range(count):
                write_photo(
                    root / split / label / f"{split}-{label}-{number}.jpg", color, (60 + number, 80)
                )
    return root


@pytest.fixture(scope="module")
def source(folder: Path) -> Source:
    return read_source(folder)


@pytest.mark.parametrize("recipe", ["article", "small"])
def test_a_recipe_leaves_a_whole_checkpoint(recipe: str, source: Source, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    result = train_recipe(
        recipe,
        source,
        out=tmp_path / "models",
        version="mine",
        epochs=1,
        siamese_epochs=1,
        seed=3,
        progress=lambda share, text: told.append((share, text)),
    )
    assert result.folder == tmp_path / "models" / "mine"
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"mine"}
    assert {path.name for path in result.folder.iterdir()} == {
        *("weights.safetensors", "meta.json", "training_photos.txt")
    }
    meta = json.loads((result.folder / "meta.json").read_text())
    assert meta == {"format": 1, **json.loads(json.dumps(result.meta))}
    assert {
        *("format", "version", "recipe", "created_at", "architecture", "classes", "preprocessing"),
        *("unit_vectors", "seed", "data", "hyperparameters", "history", "stopped_early"),
        *("metrics", "per_class", "confusion", "calibration", "libraries", "commit"),
        "steps",
    } == set(meta)
    assert (meta["version"], meta["recipe"], meta["seed"]) == ("mine", recipe, 3)
    assert meta["classes"] == ["dress", "hat"]
    assert meta["stopped_early"] is False
    assert meta["architecture"]["shared_backbone"] is (recipe == "small")
    assert meta["hyperparameters"]["epochs"] == meta["hyperparameters"]["siamese_epochs"] == 1
    counts = {name: len(epochs) for name, epochs in meta["history"].items()}
    assert counts == {"classifier": 1, "siamese": 1}
    assert (meta["data"]["train"], meta["data"]["validation"]) == (18, 6)
    assert meta["data"]["counts"] == {"dress": 9, "hat": 9}
    assert meta["metrics"]["train_images"] == 18
    assert np.sum(meta["confusion"]) == 6
    right = np.trace(meta["confusion"])
    assert meta["metrics"]["accuracy"] == pytest.approx(right / 6)
    trained_on = load_training_photos(result.folder)
    assert len(trained_on) == 18  # and none of the validation photos
    checkpoint = load_checkpoint(result.folder, classes=["dress", "hat"])
    shared = checkpoint.encoder.backbone is checkpoint.classifier.backbone
    assert shared is (recipe == "small")
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


QUICK: dict[str, dict[str, Any]] = {
    "article": {},
    "small": {},
    "default": {"backbone": "mobilenetv3_small_050", "size": 64, "rehearsal_share": 1.0},
}


@pytest.fixture(scope="module")
def unseen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of weights, of an architecture that no package has weights for."""
    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    torch.manual_seed(0)
    backbone = build_backbone(Architecture(backbone="mobilenetv3_small_050"))
    save_file(backbone.net.state_dict(), file)
    return file


@pytest.mark.parametrize("recipe", QUICK)
def test_the_same_seed_gives_the_same_weights(
    recipe: str, source: Source, unseen: Path, tmp_path: Path
) -> None:
    options = QUICK[recipe] | ({"weights": str(unseen)} if recipe == "default" else {})

    def trained(version: str, seed: int) -> dict[str, Tensor]:
        result = train_recipe(
            *(recipe, source),
            out=tmp_path,
            version=version,
            epochs=1,
            siamese_epochs=0 if recipe == "default" else 1,
            seed=seed,
            options=options,
        )
        checkpoint = load_checkpoint(result.folder)
        return weights(checkpoint.classifier) | {
            f"encoder.{name}": value for name, value in weights(checkpoint.encoder).items()
        }

    first = trained("a", 0)
    torch.rand(5)  # what the global generator did before must not matter
    assert same(trained("b", 0), first)
    assert not same(trained("c", 1), first)


def test_a_source_without_validation_folder_is_split_by_the_seed(
    folder: Path, tmp_path: Path
) -> None:
    result = train_recipe(
        "small", read_source(folder / "train"), out=tmp_path, epochs=1, siamese_epochs=0
    )
    assert (result.meta["data"]["train"], result.meta["data"]["validation"]) == (16, 2)
    assert result.version.startswith("small-2")


@pytest.mark.parametrize("recipe", ["article", "small"])
def test_ctrl_c_after_an_epoch_still_leaves_a_checkpoint_that_says_so(
    recipe: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(self: recipes._Reporter, epoch: ClassifierEpoch) -> None:
        self._classifier.append(epoch)
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes._Reporter, "classifier_epoch", press)
    result = train_recipe(
        recipe, source, out=tmp_path, version="stopped", epochs=5, siamese_epochs=2
    )
    assert result.meta["stopped_early"] is True
    assert len(result.meta["history"]["classifier"]) == 1
    assert result.meta["history"]["siamese"] == []
    load_checkpoint(result.folder)


def test_an_unknown_recipe_is_refused_with_the_known_ones(source: Source, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="article, small"):
        train_recipe("large", source, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_version_that_exists_is_refused_before_any_work(source: Source, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(CheckpointError, match="'mine' exists already"):
        train_recipe("small", source, out=tmp_path, version="mine")
    assert not list((tmp_path / "mine").iterdir())


def test_absent_classes_are_named_beside_those_there_are(source: Source, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"labelled shoes: the labels are dress, hat"):
        train_recipe("small", source, out=tmp_path, classes=["dress", "shoes"])


@pytest.mark.parametrize("classes", [["dress"], ["hat", "Hat "]])
def test_one_class_is_not_enough(source: Source, tmp_path: Path, classes: list[str]) -> None:
    with pytest.raises(UsageError, match="two different"):
        train_recipe("small", source, out=tmp_path, classes=classes)


def test_too_few_photos_of_each_category_are_refused(tmp_path: Path) -> None:
    for label in ("dress", "hat"):
        for number in range(7):
            write_photo(tmp_path / label / f"{label}{number}.jpg")
    with pytest.raises(TrainingDataError, match="eight photos"):
        train_recipe("small", read_source(tmp_path), out=tmp_path / "models")


def test_a_class_that_only_validation_has_is_refused_by_name(tmp_path: Path) -> None:
    for name in ("train/dress/1", "train/hat/2", "validation/dress/3", "validation/bag/4"):
        write_photo(tmp_path / f"{name}.jpg")
    with pytest.raises(TrainingDataError, match="no training photo is labelled bag"):
        train_recipe(
            "small",
            read_source(tmp_path),
            out=tmp_path / "models",
            classes=["bag", "dress", "hat"],
            epochs=1,
        )
    assert not list((tmp_path / "models").glob("*"))


def test_one_sku_in_both_splits_is_refused(tmp_path: Path) -> None:
    feed = tmp_path / "feed"
    for name in ("train/dress/1", "train/hat/2", "validation/dress/3", "validation/hat/4"):
        write_photo(feed / f"{name}.jpg")
    source = read_source(feed)
    first, *others = source.items
    twin = type(first)("3", first.path, first.image, first.label, split="train")
    twice = Source(source.root, source.kind, (twin, *others))
    with pytest.raises(TrainingDataError, match="'3' for one"):
        train_recipe("small", twice, out=tmp_path / "models", classes=["dress", "hat"])
