"""ONNX Runtime's answers are torch's, and what is not there is said in a sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.errors import CheckpointError, UsageError
from catalog_ai.inference import choosing
from catalog_ai.inference import runner as module
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.inference.onnx import onnx_path
from catalog_ai.inference.runner import (
    TOLERANCE,
    OnnxRunner,
    TorchRunner,
    export_onnx,
    runner,
)
from catalog_ai.model_folder import WEIGHTS
from catalog_ai.models.registry import Architecture, build
from tests.helpers import CLASSES, fake_model, model_meta


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_model(tmp_path_factory.mktemp("models"), "m")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def exported(checkpoint: Checkpoint, folder: Path) -> Path:
    """The file in its place, where `runner` finds it; writing one takes seconds."""
    path = onnx_path(folder, folder / WEIGHTS)
    export_onnx(checkpoint, path)
    return path


def images(count: int, side: int = 64) -> np.ndarray:
    drawn = np.random.default_rng(count).uniform(-1, 1, (count, 3, side, side))
    return drawn.astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_both_outputs_agree_with_torch_at_any_batch_size(
    count: int, checkpoint: Checkpoint, exported: Path
) -> None:
    right, found = TorchRunner(checkpoint)(images(count)), OnnxRunner(exported)(images(count))
    for expected, answer, width in zip(right, found, (len(CLASSES), 64, 64), strict=True):
        assert answer.shape == (count, width)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected, atol=TOLERANCE)


def test_a_split_vector_on_a_timm_backbone_is_exported_as_well(tmp_path: Path) -> None:
    torch.manual_seed(0)
    architecture = Architecture(backbone="test_efficientnet", embedding="split")
    classifier, encoder = build(architecture, 3)
    meta = model_meta("timm", ("a", "b", "c")) | {"architecture": architecture.to_meta()}
    checkpoint = Checkpoint(classifier.eval(), encoder.eval(), meta)
    export_onnx(checkpoint, tmp_path / "timm.onnx")
    right = TorchRunner(checkpoint)(images(3))
    found = OnnxRunner(tmp_path / "timm.onnx")(images(3))
    for expected, answer in zip(right, found, strict=True):
        np.testing.assert_allclose(answer, expected, atol=TOLERANCE)


def test_the_file_says_what_it_is(exported: Path) -> None:
    model = onnx.load(exported)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts["version"] == "m"
    assert json.loads(facts["classes"]) == list(CLASSES)
    assert json.loads(facts["preprocessing"])["size"] == 64
    assert [output.name for output in model.graph.output] == ["logits", "vectors", "features"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param


def test_answers_that_differ_are_never_kept(
    checkpoint: Checkpoint, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong(OnnxRunner):
        def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, ...]:
            logits, vectors, features = super().__call__(pixels)
            return logits, vectors + np.float32(2 * TOLERANCE), features

    monkeypatch.setattr(module, "OnnxRunner", Wrong)
    monkeypatch.setattr(module, "_write", lambda _network, _example, to: shutil.copy(exported, to))
    with pytest.raises(CheckpointError, match="vectors differ"):
        export_onnx(checkpoint, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_first_call_writes_the_file_and_the_second_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_model(tmp_path, "m")
    checkpoint = load_checkpoint(folder)
    monkeypatch.setattr(choosing, "torch_has_gpu", lambda: False)
    assert isinstance(runner(checkpoint, folder), OnnxRunner)
    written = [path for path in folder.iterdir() if path.suffix == ".onnx"]
    assert len(written) == 1
    monkeypatch.setattr(module, "export_onnx", None)
    assert isinstance(runner(checkpoint, folder), OnnxRunner)
    assert isinstance(runner(checkpoint, folder, runtime="torch"), TorchRunner)
    assert isinstance(runner(checkpoint, None), TorchRunner)
    # Other weights under the same name: the old file is not theirs.
    with (folder / WEIGHTS).open("ab") as file:
        file.write(b" ")
    with pytest.raises(TypeError):
        runner(checkpoint, folder)


def test_torch_takes_over_where_it_has_a_gpu(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "torch_has_gpu", lambda: True)
    monkeypatch.setattr(module, "TorchRunner", lambda checkpoint: "torch")
    assert runner(checkpoint, folder) == "torch"


def test_a_folder_that_cannot_be_written_is_served_by_torch(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_model(tmp_path, "m")

    def full(checkpoint: Checkpoint, path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "export_onnx", full)
    monkeypatch.setattr(choosing, "torch_has_gpu", lambda: False)
    assert isinstance(runner(checkpoint, folder), TorchRunner)
    with pytest.raises(CheckpointError, match="No space left"):
        runner(checkpoint, folder, runtime="onnx")


def test_what_is_not_there_is_refused_with_the_cure(checkpoint: Checkpoint, folder: Path) -> None:
    with pytest.raises(UsageError, match="CATALOG_RUNTIME is 'tpu': choose from auto, onnx, torch"):
        runner(checkpoint, folder, runtime="tpu")
    with pytest.raises(UsageError, match="choose from cpu, cuda, tensorrt"):
        runner(checkpoint, folder, provider="npu")


def test_a_missing_provider_says_what_to_install(
    checkpoint: Checkpoint, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="onnxruntime-gpu"):
        runner(checkpoint, folder, provider="cuda")


def test_a_damaged_file_says_to_delete_it(tmp_path: Path) -> None:
    (tmp_path / "model-x.onnx").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match="delete that file"):
        OnnxRunner(tmp_path / "model-x.onnx")


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
@pytest.mark.usefixtures("exported")
def test_a_photo_has_one_vector_alone_and_among_others(runtime: str, folder: Path) -> None:
    random = np.random.default_rng(3)
    photos = [random.integers(0, 256, (70, 50, 3), dtype=np.uint8) for _ in range(64)]
    model = CatalogModel.load(folder, runtime=runtime)
    together = model.predict(photos)
    for number in (0, 31, 63):
        alone = model.predict([photos[number]])
        np.testing.assert_allclose(alone.vectors[0], together.vectors[number], atol=1e-5)
        np.testing.assert_allclose(
            alone.probabilities[0], together.probabilities[number], atol=1e-5
        )
