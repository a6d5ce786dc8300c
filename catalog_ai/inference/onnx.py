"""A model as an ONNX file under ONNX Runtime: what answers where torch is not wanted.

The nightly's processes import this module and not torch, which takes seconds and 200 MB each.
`runner` writes the files.
"""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from catalog_ai.errors import CheckpointError, UsageError
from catalog_ai.inference.predicting import Images, Predictor
from catalog_ai.preprocessing import Preprocessing

if TYPE_CHECKING:
    import onnxruntime

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
OUTPUTS = ("logits", "vectors", "features")


class OnnxRunner:
    """An ONNX file under ONNX Runtime. Raises `UsageError` for a provider that is not there.

    `threads` is how many compute one answer, 0 for one on each core.
    """

    def __init__(self, path: Path, provider: str = "cpu", threads: int = 0) -> None:
        self._session = _session(path, provider, threads)

    def __call__(self, images: Images) -> tuple[Images, Images, Images]:
        """Return what the networks say."""
        logits, vectors, features = self._session.run(list(OUTPUTS), {"images": images})
        return logits, vectors, features


@dataclass(frozen=True)
class ExportedModel:
    """What a process needs to give a model's answers; small, so that it is sent to each."""

    path: Path
    version: str
    preprocessing: Preprocessing
    temperature: float

    def load(self) -> Predictor:
        """Return it at work, in one thread: there are as many processes as cores.

        Raises `CheckpointError`.
        """
        compute = OnnxRunner(self.path, threads=1)
        return Predictor(compute, self.version, self.preprocessing, self.temperature)


def onnx_path(folder: Path, weights: Path) -> Path:
    """Return where the ONNX file of `weights` lies, or would lie.

    Other weights, another file; and so do other outputs.
    """
    made_of = weights.read_bytes() + ",".join(OUTPUTS).encode()
    return folder / f"model-{sha256(made_of).hexdigest()[:12]}.onnx"


def check_provider(provider: str) -> None:
    """Raise `UsageError` unless ONNX Runtime has this execution provider here."""
    import onnxruntime

    if provider not in PROVIDERS:
        raise UsageError(
            f"CATALOG_EXECUTION_PROVIDER is {provider!r}: choose from {', '.join(PROVIDERS)}"
        )
    if PROVIDERS[provider] not in onnxruntime.get_available_providers():
        raise UsageError(
            f"ONNX Runtime has no {provider} here: pip install onnxruntime-gpu in place of "
            "onnxruntime on a machine with that hardware, or set CATALOG_EXECUTION_PROVIDER=cpu"
        )


def _session(path: Path, provider: str, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime

    chosen = list(dict.fromkeys((PROVIDERS[provider], PROVIDERS["cpu"])))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(path, options, providers=chosen)
    except Exception as error:  # ONNX Runtime has an exception type for each of its C++ codes
        raise CheckpointError(
            f"{path.name} of the model {path.parent.name!r} cannot be loaded: delete that file, it "
            "is written again"
        ) from error
