"""What computes a model's answers: ONNX Runtime, several times as fast on a CPU, or torch itself.

torch is the reference: an ONNX file is kept only if its answers agree with torch's.
"""

import json
import os
import tempfile
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.device import best_device, device_of, placed
from catalog_ai.errors import CheckpointError
from catalog_ai.inference.choosing import onnx_file, wants_onnx
from catalog_ai.inference.onnx import OUTPUTS, OnnxRunner
from catalog_ai.inference.predicting import Images, Runner
from catalog_ai.models.siamese import TwoHeads

TOLERANCE = 1e-4  # of ONNX Runtime's answers against torch's, of the largest, or of 1
_WORTH_EXPORTING = 2_000  # photos; writing the file takes several seconds


class TorchRunner:
    """The networks themselves: on a GPU where torch finds one.

    In single precision there as well: halved, one and the same photo under two machines would be
    0.996 alike, and an ingest waits for the decoding of photos in any case.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._network = placed(TwoHeads(checkpoint.classifier, checkpoint.encoder).eval())
        self._device = device_of(self._network)

    def __call__(self, images: Images) -> tuple[Images, Images, Images]:
        """Return what the networks say."""
        batch = torch.from_numpy(images).to(self._device, memory_format=torch.channels_last)
        with torch.inference_mode():
            logits, vectors, features = self._network(batch)
        return logits.cpu().numpy(), vectors.cpu().numpy(), features.cpu().numpy()


def runner(
    checkpoint: Checkpoint, folder: Path | None, *, runtime: str = "auto", provider: str = "cpu"
) -> Runner:
    """Return what computes the answers of `checkpoint`, which was loaded from `folder`.

    `auto` is ONNX Runtime, except where torch has a GPU and `provider` is the CPU, or where there
    is no folder to keep the ONNX file in; the file is written at the first call. Raises
    `UsageError` for a runtime or provider that is not there, `CheckpointError` where the two
    disagree.
    """
    wanted = wants_onnx(runtime, provider)
    path = onnx_file(folder, runtime, lambda: checkpoint) if folder is not None and wanted else None
    return TorchRunner(checkpoint) if path is None else OnnxRunner(path, provider)


def quick_runner(checkpoint: Checkpoint, photos: int) -> Runner:
    """Return what answers soonest for so many photos, where no folder keeps an ONNX file."""
    if best_device().type != "cpu" or photos < _WORTH_EXPORTING:
        return TorchRunner(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(checkpoint, path)
        return OnnxRunner(path)


def export_onnx(checkpoint: Checkpoint, path: Path) -> None:
    """Write the model as ONNX, whole or not at all, after comparing its answers with torch's.

    Input `images` [batch, 3, S, S] float32, normalised; outputs `logits` [batch, C], `vectors`
    [batch, D] and `features` [batch, F]. The file's metadata say what the model's birth certificate
    says of classes, preprocessing and temperature. Raises `CheckpointError` where the answers
    differ by more than 1e-4 of the largest, or of 1, `OSError` where the file cannot be written.
    """
    network = TwoHeads(checkpoint.classifier, checkpoint.encoder).eval()
    size = checkpoint.preprocessing.size
    generator = torch.Generator().manual_seed(0)
    example = torch.rand((2, 3, size, size), generator=generator) * 2 - 1
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    building = Path(name)
    try:
        _write(network, example, building)
        _describe(building, checkpoint)
        _compare(network, OnnxRunner(building), size, path)
        building.chmod(0o644)
        building.rename(path)
    finally:
        building.unlink(missing_ok=True)


def _write(network: TwoHeads, example: torch.Tensor, path: Path) -> None:
    batch = torch.export.Dim("batch")
    # The exporter prints its steps and warns of deprecations in torch's own code.
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.onnx.export(
            *(network, (example,), path),
            input_names=["images"],
            output_names=list(OUTPUTS),
            dynamic_shapes={"images": {0: batch}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )


def _describe(path: Path, checkpoint: Checkpoint) -> None:
    import onnx

    model = onnx.load(path)
    facts: dict[str, Any] = {
        "version": checkpoint.meta["version"],
        "classes": json.dumps(list(checkpoint.meta["classes"])),
        "preprocessing": json.dumps(checkpoint.preprocessing.to_meta()),
        "temperature": str(checkpoint.temperature),
    }
    onnx.helper.set_model_props(model, {name: str(value) for name, value in facts.items()})
    onnx.save(model, path)


def _compare(network: TwoHeads, exported: OnnxRunner, size: int, path: Path) -> None:
    """Compare on another batch size than the one that was exported."""
    images = torch.rand((5, 3, size, size), generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = [answer.numpy() for answer in network(images)]
    for name, right, found in zip(OUTPUTS, expected, exported(images.numpy()), strict=True):
        difference = float(np.abs(right - found).max(initial=0.0))
        if not difference <= TOLERANCE * max(1.0, float(np.abs(right).max(initial=0.0))):
            raise CheckpointError(
                f"{path.name}: {name} differ from torch's by {difference:.1e}, more than "
                f"{TOLERANCE:.0e}: set CATALOG_RUNTIME=torch for this model"
            )
