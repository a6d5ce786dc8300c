"""A checkpoint is written whole or not at all, and read back as it was or refused with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from catalog_ai.checkpoint import joined_state, load_checkpoint, save_checkpoint
from catalog_ai.errors import CheckpointError
from catalog_ai.model_folder import (
    META,
    TRAINING_PHOTOS,
    WEIGHTS,
    amend_meta,
    load_meta,
    load_training_photos,
)
from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from tests.helpers import CLASSES, fake_model, model_meta


def seeded(seed: int, *, depthwise: bool = True) -> MobileNetLikeClassifier:
    """A model whose buffers, too, differ from their initial values."""
    torch.manual_seed(seed)
    model = MobileNetLikeClassifier(7, depthwise=depthwise)
    model.train()(torch.randn(4, 3, 32, 32))
    return model.eval()


def meta(*, shared: bool = True, depthwise: bool = True) -> dict[str, Any]:
    data = model_meta("v1")
    data["architecture"] |= {"shared_backbone": shared, "depthwise": depthwise}
    return data


def same(one: nn.Module, other: nn.Module) -> bool:
    some, others = one.state_dict(), other.state_dict()
    return some.keys() == others.keys() and all(torch.equal(some[key], others[key]) for key in some)


@pytest.mark.parametrize("depthwise", [True, False])
def test_a_shared_backbone_is_stored_once_and_shared_again(tmp_path: Path, depthwise: bool) -> None:
    classifier = seeded(1, depthwise=depthwise)
    state = joined_state(classifier, SiameseEncoder(classifier.backbone))
    assert state.keys() == classifier.state_dict().keys()
    save_checkpoint(tmp_path / "v1", state, meta(depthwise=depthwise), [])
    loaded = load_checkpoint(tmp_path / "v1", classes=CLASSES)
    assert loaded.encoder.backbone is loaded.classifier.backbone
    assert same(loaded.classifier, classifier)
    assert not any(part.training for part in (loaded.classifier, loaded.encoder))


def test_separate_backbones_stay_separate(tmp_path: Path) -> None:
    classifier, other = seeded(1), seeded(2)
    encoder = SiameseEncoder(other.backbone)
    save_checkpoint(tmp_path / "v1", joined_state(classifier, encoder), meta(shared=False), [])
    loaded = load_checkpoint(tmp_path / "v1")
    assert same(loaded.classifier, classifier)
    assert same(loaded.encoder, encoder)
    assert not same(loaded.encoder.backbone, loaded.classifier.backbone)


def test_channels_last_weights_are_stored_as_any_other(tmp_path: Path) -> None:
    classifier = seeded(1)
    expected = {name: value.clone() for name, value in classifier.state_dict().items()}
    classifier.to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "v1", classifier.state_dict(), meta(), [])
    loaded = load_checkpoint(tmp_path / "v1").classifier.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.items())


def test_the_birth_certificate_and_the_photos_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "v1"
    save_checkpoint(folder, seeded(1).state_dict(), meta(), ["b", "a", "b"])
    assert load_meta(folder) == {**meta(), "format": 1}
    assert (folder / TRAINING_PHOTOS).read_text() == "a\nb\n"
    assert load_training_photos(folder) == {"a", "b"}
    assert folder.stat().st_mode & 0o777 == 0o755
    (folder / TRAINING_PHOTOS).unlink()
    assert load_training_photos(folder) == frozenset()


def test_an_existing_model_is_never_overwritten(tmp_path: Path) -> None:
    folder = fake_model(tmp_path, "v1")
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(CheckpointError, match="'v1' exists already"):
        save_checkpoint(folder, seeded(1).state_dict(), meta(), [])
    assert (folder / WEIGHTS).read_bytes() == before


@pytest.mark.parametrize("broken", [{"unserialisable": object()}, {1: {2, 3}}])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, broken: dict[Any, Any]
) -> None:
    with pytest.raises(TypeError):
        save_checkpoint(tmp_path / "v1", seeded(1).state_dict(), {**meta(), **broken}, [])
    assert not list(tmp_path.iterdir())


def test_ctrl_c_while_writing_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(tensors: dict[str, Tensor], path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("catalog_ai.checkpoint.save_file", press)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path / "v1", seeded(1).state_dict(), meta(), [])
    assert not list(tmp_path.iterdir())


def test_another_class_list_is_refused_with_both(tmp_path: Path) -> None:
    folder = fake_model(tmp_path, "v1", ["hat", "dress"])
    assert load_checkpoint(folder, classes=("hat", "dress")).meta["classes"] == ["hat", "dress"]
    with pytest.raises(CheckpointError, match="knows hat, dress, not dress, hat"):
        load_checkpoint(folder, classes=["dress", "hat"])


def test_a_missing_model_says_how_to_make_one(tmp_path: Path) -> None:
    for read in (load_meta, load_checkpoint):
        with pytest.raises(CheckpointError, match=r"python -m catalog_ai\.train"):
            read(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", "null", '{"format": 2}', "{}", "\x00"])
def test_a_damaged_birth_certificate_is_refused(tmp_path: Path, text: str) -> None:
    folder = fake_model(tmp_path, "v1")
    (folder / META).write_text(text)
    with pytest.raises(CheckpointError, match="'v1'"):
        load_checkpoint(folder)


def test_a_birth_certificate_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = fake_model(tmp_path, "v1")
    (folder / META).write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": None},
        {"architecture": {}},
        {"architecture": {"depthwise": True}},
        {"classes": None},
        {"classes": 7},
    ],
)
def test_a_birth_certificate_with_holes_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    folder = fake_model(tmp_path, "v1")
    (folder / META).write_text(json.dumps(load_meta(folder) | change))
    with pytest.raises(CheckpointError, match="'v1'"):
        load_checkpoint(folder)


@pytest.mark.parametrize("damage", [b"", b"no weights", "half", "missing"])
def test_damaged_weights_are_refused(tmp_path: Path, damage: Any) -> None:
    folder = fake_model(tmp_path, "v1")
    path = folder / WEIGHTS
    if damage == "missing":
        path.unlink()
    else:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2] if damage == "half" else damage)
    with pytest.raises(CheckpointError, match="missing or damaged"):
        load_checkpoint(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": {"depthwise": False, "shared_backbone": True}},
        {"architecture": {"depthwise": True, "shared_backbone": False}},
        {"classes": ["dress", "hat"]},
    ],
    ids=["full convolution", "separate encoder", "two classes"],
)
def test_weights_of_another_architecture_are_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    folder = fake_model(tmp_path, "v1")
    data = load_meta(folder)
    for name, value in change.items():
        data[name] = data[name] | value if isinstance(value, dict) else value
    (folder / META).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match="another architecture"):
        load_checkpoint(folder)


def test_an_encoder_that_nobody_expects_is_refused(tmp_path: Path) -> None:
    state = joined_state(seeded(1), SiameseEncoder(MobileNetBackbone(depthwise=False)))
    save_checkpoint(tmp_path / "v1", state, meta(), [])
    with pytest.raises(CheckpointError, match="another architecture"):
        load_checkpoint(tmp_path / "v1")


def test_a_certificate_can_be_added_to_and_stays_whole(tmp_path: Path) -> None:
    folder = fake_model(tmp_path, "one")
    before = load_meta(folder)
    amend_meta(folder, comparison={"base": "two"})
    assert load_meta(folder) == before | {"comparison": {"base": "two"}}
    assert sorted(path.name for path in folder.iterdir()) == [
        *("meta.json", "training_photos.txt", "weights.safetensors")
    ]
    with pytest.raises(CheckpointError, match="no model in"):
        amend_meta(tmp_path / "none", comparison={})
