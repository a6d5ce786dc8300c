"""How a process of a `crew` begins; it imports next to nothing, so that it begins at once.

A process whose parent is killed while it is still importing would live on until it is done.
"""

import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any

from catalog_ai.memory import keep_freed_memory
from catalog_ai.services.signals import ENDING

_work: Callable[[Sequence[Any], int | None], list[Any]]


def begin(packed: bytes) -> None:
    """Leave signals to the parent, who finishes its batch first, and end when it is gone.

    `packed` is the pickled function that this process is for: it brings its imports with it.
    """
    global _work
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(OPENBLAS_NUM_THREADS="1")  # numpy's: there are as many processes as cores
    keep_freed_memory()
    _work = pickle.loads(packed)


def run(orders: Sequence[Any], number: int | None) -> list[Any]:
    """Do what this process is for, with the chunk of that number."""
    return _work(orders, number)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
