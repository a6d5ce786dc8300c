"""How many photos a second the shipped models answer, by what computes it.

    python -m benchmarks.inference [--photos N] [--json FILE]

Forward passes alone, on squares of the models' own size in batches of 64, both outputs. The
baseline is torch as it comes (eager, channels first). Runs take turns, so that other work on the
machine meets all of them; the fastest run of each counts.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from benchmarks.photos import parser
from catalog_ai import shipped
from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.inference.runner import OnnxRunner, TorchRunner, export_onnx
from catalog_ai.models.siamese import TwoHeads

BATCH = 64
TURNS = 3

Compute = Callable[[np.ndarray], object]


def main() -> int:
    """Time each way for each model and print one table."""
    options = parser("inference", __doc__)
    options.add_argument("--photos", type=int, default=256, help="default: %(default)s")
    given = options.parse_args()
    found = {}
    print(f"{'photos a second':22}{'torch':>10}{'channels last':>16}{'ONNX Runtime':>15}")
    with tempfile.TemporaryDirectory() as folder:
        for name in (shipped.SMALL, shipped.DEFAULT):
            path = shipped.install(name, Path(folder))
            ways = compute_of(load_checkpoint(path), path / "model.onnx")
            size = load_checkpoint(path).preprocessing.size
            found[name] = rates(ways, size, given.photos)
            first, *others = found[name].values()
            cells = "".join(f"{rate:>8,.0f} ×{rate / first:.1f}" for rate in others)
            print(f"{f'{name}, {size} pixels':22}{first:>10,.0f}  {cells}")
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


def compute_of(checkpoint: Checkpoint, onnx: Path) -> dict[str, Compute]:
    """Return the ways to compute, the baseline first."""
    network = TwoHeads(checkpoint.classifier, checkpoint.encoder).eval()

    def eager(images: np.ndarray) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(images))

    export_onnx(checkpoint, onnx)
    return {
        "torch": eager,
        "channels last": TorchRunner(load_checkpoint(onnx.parent)),
        "onnx": OnnxRunner(onnx),
    }


def rates(ways: dict[str, Compute], size: int, photos: int) -> dict[str, float]:
    """Return photos a second of each way."""
    random = np.random.default_rng(0)
    images = random.standard_normal((BATCH, 3, size, size)).astype(np.float32)
    best = dict.fromkeys(ways, float("inf"))
    for turn in range(TURNS + 1):
        for name, compute in ways.items():
            start = perf_counter()
            for _ in range(max(1, photos // BATCH)):
                compute(images)
            if turn:  # the first is for warming up
                best[name] = min(best[name], perf_counter() - start)
    return {name: max(1, photos // BATCH) * BATCH / seconds for name, seconds in best.items()}


if __name__ == "__main__":
    sys.exit(main())
