"""Which runtime computes a model's answers here, without importing torch where that can be known.

torch takes seconds to import: a nightly run that brings nothing new never needs it.
"""

import runpy
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from catalog_ai.errors import CheckpointError, UsageError
from catalog_ai.inference.onnx import check_provider, onnx_path
from catalog_ai.model_folder import WEIGHTS

if TYPE_CHECKING:
    from catalog_ai.checkpoint import Checkpoint

RUNTIMES = ("auto", "onnx", "torch")
# What a GPU's driver makes on Linux: NVIDIA's, AMD's, and Windows' own under WSL.
_DEVICES = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


def wants_onnx(runtime: str, provider: str) -> bool:
    """Return whether ONNX Runtime is to compute. Raises `UsageError` for what is not there."""
    if runtime not in RUNTIMES:
        raise UsageError(f"CATALOG_RUNTIME is {runtime!r}: choose from {', '.join(RUNTIMES)}")
    check_provider(provider)
    if runtime != "auto":
        return runtime == "onnx"
    return provider != "cpu" or not torch_has_gpu()


def torch_has_gpu() -> bool:
    """Return whether torch finds a GPU; it is imported only where there could be one."""
    if not (_made_for_gpus() and _device_there()):
        return False
    from catalog_ai.device import best_device

    return best_device().type != "cpu"


def onnx_file(folder: Path, runtime: str, load: "Callable[[], Checkpoint]") -> Path | None:
    """Return the ONNX file of the model in `folder`, written first where it is not there.

    None where it cannot be written and `runtime` does not insist. Raises `CheckpointError`.
    """
    if not (folder / WEIGHTS).is_file():
        load()  # says in a sentence what is missing
    path = onnx_path(folder, folder / WEIGHTS)
    if path.is_file():
        return path
    from catalog_ai.inference import runner

    try:
        runner.export_onnx(load(), path)
    except OSError as error:
        if runtime == "onnx":
            raise CheckpointError(
                f"the model {folder.name!r} cannot be written as ONNX: {error.strerror}"
            ) from error
        return None
    return path


def _made_for_gpus() -> bool:
    """Read torch's own note of what it was built for; finding a package does not import it."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        return False
    facts = runpy.run_path(str(Path(found.origin).with_name("version.py")))
    return any(facts.get(name) for name in ("cuda", "hip"))


def _device_there() -> bool:
    """Return whether a GPU's driver is at work; elsewhere than on Linux only torch knows."""
    return sys.platform != "linux" or any(Path(name).exists() for name in _DEVICES)
