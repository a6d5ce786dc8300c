"""A pool of processes that prepare photos; it is started when it is needed, and again when broken.

Processes are started afresh, never forked, so that they inherit no lock; they end when their parent
does, however it ends.
"""

import multiprocessing
import pickle
import signal
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any

from catalog_ai.errors import ProcessesError
from catalog_ai.services import child_process
from catalog_ai.services.preparing import Order, Prepared, Preparer
from catalog_ai.services.signals import ENDING

START_SECONDS = 120.0  # no process needs longer to import and to load the model
# What becomes of a chunk whose processes have died, hang, or were ended because of another chunk.
LOST = (BrokenProcessPool, TimeoutError, CancelledError)


class Processes:
    """`workers` processes that each call `preparer`, as it is when they are started."""

    def __init__(self, workers: int, preparer: Preparer) -> None:
        self.preparer = preparer
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    @property
    def started(self) -> bool:
        """Whether there are any, as far as is known: they may have died."""
        return self._pool is not None

    def start(self) -> None:
        """Start them and wait until they are ready; otherwise the first chunk starts them.

        Raises `CheckpointError` where the model is damaged that they load, `ProcessesError` where
        they end or hang instead of starting.
        """
        waiting = [self.submit([]) for _ in range(self._workers)]
        try:
            for future in waiting:
                future.result(START_SECONDS)
        except (BrokenProcessPool, TimeoutError) as error:
            raise _cannot_start() from error

    def submit(
        self, orders: Sequence[Order], number: int | None = None
    ) -> "Future[list[Prepared]]":
        """Give them a chunk, the run's `number`th. Raises `ProcessesError`."""
        for _ in range(2):
            if self._pool is None:
                self._pool = _pool(self._workers, self.preparer)
            try:
                with _signals_wait(), _no_main_module():  # it may start a process
                    return self._pool.submit(child_process.run, orders, number)
            except BrokenProcessPool:
                self.end()
        raise _cannot_start()

    def end(self) -> None:
        """End the processes; one that hangs is killed.

        One that is killed while it sends a result has sent a part of it. The pool would wait for
        the rest for as long as anybody can write to that pipe, and this process for the pool:
        hence our own end of the pipe is closed.
        """
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        results: Any = self._pool._result_queue
        results._writer.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None


def _cannot_start() -> ProcessesError:
    return ProcessesError(
        "the processes that decode photos do not start: free some memory, or set CATALOG_WORKERS=0 "
        "to do without them"
    )


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold SIGTERM and SIGINT back, also from the processes that are started meanwhile.

    A signal to the whole group, such as Ctrl-C, would end them before they can ignore it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Let processes that are started meanwhile import what they need alone.

    They would run the main module again, whatever it is: a command's imports take a second, and
    where Streamlit has run a page, that page is it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _pool(workers: int, preparer: Preparer) -> ProcessPoolExecutor:
    resource_tracker.ensure_running()  # else the first process starts it, and it lets signals in
    context = multiprocessing.get_context("spawn")
    packed = pickle.dumps(preparer)  # not with every chunk: it may name many refused photos
    return ProcessPoolExecutor(
        workers, mp_context=context, initializer=child_process.begin, initargs=(packed,)
    )
