"""Who computes, found out without importing torch where no GPU can be."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.inference import choosing


@pytest.mark.parametrize(
    ("runtime", "provider", "gpu", "onnx"),
    [
        ("auto", "cpu", False, True),
        ("auto", "cpu", True, False),
        ("onnx", "cpu", True, True),
        ("torch", "cpu", False, False),
        ("auto", "cuda", True, True),
    ],
)
def test_onnx_runtime_computes_unless_torch_has_a_gpu_or_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, runtime: str, provider: str, gpu: bool, onnx: bool
) -> None:
    monkeypatch.setattr(choosing, "check_provider", lambda provider: None)
    monkeypatch.setattr(choosing, "torch_has_gpu", lambda: gpu)
    assert choosing.wants_onnx(runtime, provider) is onnx


def test_torch_is_asked_only_where_there_could_be_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog_ai.device.best_device", lambda: torch.device("cuda"))
    for made, there in ((False, True), (True, False)):
        monkeypatch.setattr(choosing, "_made_for_gpus", lambda made=made: made)
        monkeypatch.setattr(choosing, "_device_there", lambda there=there: there)
        assert not choosing.torch_has_gpu()
    monkeypatch.setattr(choosing, "_made_for_gpus", lambda: True)
    monkeypatch.setattr(choosing, "_device_there", lambda: True)
    assert choosing.torch_has_gpu()


def test_torchs_own_note_is_read_right() -> None:
    assert choosing._made_for_gpus() == bool(torch.version.cuda or torch.version.hip)
    if torch.cuda.is_available():
        assert choosing._device_there()


def test_a_driver_is_seen_by_what_it_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(choosing, "_DEVICES", (str(tmp_path / "nvidiactl"),))
    assert not choosing._device_there()
    (tmp_path / "nvidiactl").touch()
    assert choosing._device_there()
    monkeypatch.setattr(choosing, "_DEVICES", ())
    monkeypatch.setattr(sys, "platform", "win32")
    assert choosing._device_there(), "only torch knows"


def test_choosing_imports_no_torch() -> None:
    program = (
        "import sys\n"
        "from catalog_ai import model_folder\n"
        "from catalog_ai.inference import choosing\n"
        "choosing._DEVICES = ()\n"
        "assert choosing.wants_onnx('auto', 'cpu') or sys.platform != 'linux'\n"
        "print('torch' in sys.modules and sys.platform == 'linux')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "False"
