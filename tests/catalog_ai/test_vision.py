"""torchvision imports beside a CPU-only torch, and is left alone where it works by itself."""

import subprocess
import sys

import pytest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.vision import compiled_operators_load

# Stands in for a torch and torchvision that fit each other, whatever is installed here: the
# compiled operators load, and torchvision is a stub.
FITTING_BUILDS = """
import sys, types, torch
from importlib.util import find_spec
stub = types.ModuleType("torchvision")
stub.__spec__ = find_spec("torchvision")
stub.transforms = "the real one"
sys.modules["torchvision"] = stub
loaded = []
torch.ops.load_library = loaded.append
from catalog_ai import vision
assert len(loaded) == 1, loaded
assert vision._library is None
assert vision.transforms == "the real one"
assert not hasattr(torch.ops.torchvision, "nms")
"""

MISFITTING_BUILDS = """
import torch
def refuse(path):
    raise OSError(path)
torch.ops.load_library = refuse
from catalog_ai.vision import declare_missing_operators, transforms
import torchvision
declare_missing_operators()  # a second time changes nothing
assert hasattr(torch.ops.torchvision, "nms")
assert hasattr(torch.ops.torchvision, "qnms")
assert transforms.Resize((64, 64)).size == (64, 64)
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("program", [FITTING_BUILDS, MISFITTING_BUILDS])
def test_torchvision_imports(program: str) -> None:
    done = run(program)
    assert done.returncode == 0, done.stderr


def test_help_is_given_exactly_where_torchvision_fails_without() -> None:
    done = run("import torchvision")
    if compiled_operators_load():
        assert done.returncode == 0, done.stderr
    else:
        assert "operator torchvision::nms does not exist" in done.stderr
