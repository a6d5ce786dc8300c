"""The one place through which torchvision is imported.

PyPI's torchvision wheels for Linux are compiled against CUDA. Beside a CPU-only torch their
compiled operators do not load, and `import torchvision` fails with "operator torchvision::nms does
not exist". Declaring the schemas of `nms` and `qnms` first makes it import; transforms, datasets
and models work, only the compiled operators (which nothing here uses) are missing. Where they do
load, as with CUDA builds and with CPU builds of both, nothing is declared: a second declaration of
an operator that a library brings ends the process.
"""

from importlib.util import find_spec
from pathlib import Path

import torch


def compiled_operators_load() -> bool:
    """Return whether torchvision's compiled operators work beside this torch.

    Asks as torchvision itself does when imported, without importing it.
    """
    spec = find_spec("torchvision")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for library in Path(folder).glob("_C.*"):
            try:
                torch.ops.load_library(str(library))
            except OSError:
                continue
            return True
    return False


def declare_missing_operators() -> torch.library.Library | None:
    """Declare what is missing, None if nothing is; the library returned must be kept alive."""
    if compiled_operators_load():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


_library = declare_missing_operators()

from torchvision import transforms  # noqa: E402  (only after the declarations)

__all__ = ["compiled_operators_load", "declare_missing_operators", "transforms"]
