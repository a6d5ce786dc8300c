"""Processes that prepare photos beside the one that runs the ingest.

A photo may bring the process down that decodes it: then the others of its batch are prepared again,
one by one, and the culprit is refused. Processes are started afresh, never forked, so that they
inherit no lock; they end when their parent does, however it ends.
"""

import multiprocessing
import pickle
import signal
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import count
from multiprocessing import resource_tracker
from types import ModuleType
from typing import Any, TypeVar

from catalog_ai.errors import ProcessesError
from catalog_ai.services import child_process
from catalog_ai.services.preparing import Order, Prepared, Preparer, Refusal
from catalog_ai.services.signals import ENDING

CHUNK = 16  # orders a process is given at once
_CHUNKS_EACH = 2  # one that a process works at, and the next: it never waits for work
AHEAD = 1  # groups at least that are being prepared while the one before waits to be written
PATIENCE_SECONDS = 120.0  # no chunk takes longer, unless a decoder hangs
DIED = "decoder_died", "the photo brought the decoder down: save it anew and deliver it again"
# What becomes of a batch whose processes have died, hang, or were ended because of another batch.
_LOST = (BrokenProcessPool, TimeoutError, CancelledError)

T = TypeVar("T")


class Crew:
    """`workers` processes; with 0 of them everything happens in this one, when it is asked for."""

    def __init__(self, workers: int, preparer: Preparer) -> None:
        self._workers = workers
        self._preparer = preparer
        self._pool: ProcessPoolExecutor | None = None
        self._numbers = count()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def start(self) -> None:
        """Start the processes and wait for them; otherwise the first batch does.

        Raises `CheckpointError` where the model is damaged that they load, `ProcessesError` where
        they end or hang instead of starting.
        """
        if self._workers:
            waiting = [self._submit([]) for _ in range(self._workers)]
            try:
                for future in waiting:
                    future.result(PATIENCE_SECONDS)
            except (BrokenProcessPool, TimeoutError) as error:
                raise _cannot_start() from error

    def prepared(
        self, groups: Iterable[tuple[T, Sequence[Order]]]
    ) -> Iterator[tuple[T, list[Prepared]]]:
        """Yield each group beside what became of its orders, while the next ones are prepared."""
        ahead = AHEAD if self._workers else 0
        under_way: deque[tuple[T, Batch]] = deque()
        for group, orders in groups:
            under_way.append((group, self.begin(orders)))
            chunks = sum(len(batch.chunks) for _, batch in under_way)
            if len(under_way) > ahead and chunks >= _CHUNKS_EACH * self._workers:
                first, batch = under_way.popleft()
                yield first, self.finish(batch)
        while under_way:
            first, batch = under_way.popleft()
            yield first, self.finish(batch)

    def begin(self, orders: Sequence[Order]) -> "Batch":
        """Start to prepare a batch; `finish` waits for it."""
        chunks = [orders[start : start + CHUNK] for start in range(0, len(orders), CHUNK)]
        if not self._workers:
            return Batch(chunks, [])
        return Batch(chunks, [self._submit(chunk, next(self._numbers)) for chunk in chunks])

    def finish(self, batch: "Batch") -> list[Prepared]:
        """Return what became of each order of a batch, in its order."""
        if not self._workers:
            return [found for chunk in batch.chunks for found in self._preparer(chunk)]
        found: list[Prepared] = []
        for chunk, future in zip(batch.chunks, batch.futures, strict=True):
            try:
                found += future.result(PATIENCE_SECONDS)
            except _LOST as error:
                if isinstance(error, TimeoutError):
                    self._end()  # what hangs would keep the next ones waiting
                found += [self._alone(order) for order in chunk]
        return found

    def _alone(self, order: Order) -> Prepared:
        """Prepare one order with nothing else at hand; refuse it where that breaks the process."""
        for _ in range(2):  # the first may find the pool broken by another
            future = self._submit([order])
            try:
                return future.result(PATIENCE_SECONDS)[0]
            except TimeoutError:
                self._end()
                break  # nothing else was at hand: it hangs again
            except _LOST:
                self._end()
        return Prepared((), None, (Refusal(0, *DIED),))

    def _submit(
        self, orders: Sequence[Order], number: int | None = None
    ) -> "Future[list[Prepared]]":
        for _ in range(2):
            if self._pool is None:
                self._pool = _pool(self._workers, self._preparer)
            try:
                with _signals_wait(), _no_main_module():  # it may start a process
                    return self._pool.submit(child_process.run, orders, number)
            except BrokenProcessPool:
                self._end()
        raise _cannot_start()

    def _end(self) -> None:
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


class Batch:
    """Orders under way."""

    def __init__(
        self, chunks: list[Sequence[Order]], futures: "list[Future[list[Prepared]]]"
    ) -> None:
        self.chunks = chunks
        self.futures = futures


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
