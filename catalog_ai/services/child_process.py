"""How a process of a `crew` begins; it imports next to nothing, so that it begins at once.

A process whose parent is killed while it is still importing would live on until it is done.
"""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

from catalog_ai.services.signals import ENDING


def begin() -> None:
    """Leave signals to the parent, who finishes its batch first, and end when it is gone."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
