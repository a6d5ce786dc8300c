"""On a GPU the answers are the CPU's: `pytest -m gpu`, where there is one."""

import numpy as np
import pytest
import torch

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.device import best_device
from catalog_ai.inference.runner import TorchRunner
from catalog_ai.models.registry import Architecture, build
from tests.helpers import model_meta

pytestmark = pytest.mark.gpu


def checkpoint(backbone: str) -> Checkpoint:
    torch.manual_seed(0)
    architecture = Architecture(backbone=backbone, embedding="split")
    classifier, encoder = build(architecture, 3)
    meta = model_meta("m", ("a", "b", "c")) | {"architecture": architecture.to_meta()}
    return Checkpoint(classifier.eval(), encoder.eval(), meta)


@pytest.mark.parametrize("backbone", ["mobilenet", "mobilenetv3_small_050"])
def test_a_gpu_gives_the_answers_of_the_cpu(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert best_device().type == "cuda", "-m gpu needs a GPU that torch finds"
    drawn = np.random.default_rng(0).uniform(-1, 1, (33, 3, 64, 64)).astype(np.float32)
    found = TorchRunner(checkpoint(backbone))(drawn)
    monkeypatch.setattr("catalog_ai.device.best_device", lambda: torch.device("cpu"))
    right = TorchRunner(checkpoint(backbone))(drawn)
    for answer, expected in zip(found, right, strict=True):
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, expected, rtol=1e-2, atol=5e-3)
    assert (found[1] * right[1]).sum(1).min() > 0.9999
