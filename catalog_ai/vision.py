"""The one place through which torchvision is imported.

PyPI's torchvision wheels for Linux are compiled against CUDA. Beside a CPU-only torch their
compiled operators do not load, and `import torchvision` fails with "operator torchvision::nms does
not exist". Declaring the schemas of `nms` and `qnms` first makes it import; transforms, datasets
and models work, only the compiled operators (which nothing here uses) are missing. With a CUDA
build of torch nothing is missing and nothing is declared.
"""

import torch


def declare_missing_operators(
    *, has_cuda_build: bool | None = None
) -> torch.library.Library | None:
    """Declare what a CPU-only torch lacks; the library returned must be kept alive."""
    if torch.version.cuda is not None if has_cuda_build is None else has_cuda_build:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


_library = declare_missing_operators()

from torchvision import transforms  # noqa: E402  (only after the declarations)

__all__ = ["declare_missing_operators", "transforms"]
