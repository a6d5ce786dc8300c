"""Freed blocks are used again inside, and given back afterwards; in a process of its own."""

import subprocess
import sys

import pytest

from catalog_ai.config import PROJECT_ROOT

PROGRAM = """
import resource
import numpy as np
from catalog_ai.memory import freed_memory_kept

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def layers():
    # Blocks of 8 MiB, and some that are larger than any threshold of glibc's; all alive at once.
    blocks = [np.ones(2**20) for _ in range(12)] + [np.ones(2**23) for _ in range(3)]

with freed_memory_kept():
    layers()
    before = faults()
    for _ in range(5):
        layers()
    assert faults() - before < 1000, faults() - before
    held = resident()
assert resident() < held - 48 * 2**20, (resident(), held)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator only")
def test_memory_is_kept_inside_and_given_back_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
