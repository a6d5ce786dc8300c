"""Processes that prepare photos beside the one that runs the ingest.

A photo may bring the process down that decodes it, or hang it: then those of its chunk are prepared
again, one by one, and the culprit alone is refused, by its sha256: nobody decodes it again.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TypeVar

from catalog_ai.errors import PhotoError
from catalog_ai.images import read_photo
from catalog_ai.services.preparing import Order, Prepared, Preparer, Refusal, StoredPhoto
from catalog_ai.services.processes import LOST, Processes

CHUNK = 16  # orders a process is given at once
_CHUNKS_EACH = 2  # one that a process works at, and the next: it never waits for work
AHEAD = 1  # groups at least that are being prepared while the one before waits to be written
PATIENCE_SECONDS = 120.0  # no chunk takes longer, unless a decoder hangs
DIED = "decoder_died", "the photo brought the decoder down: save it anew and deliver it again"

T = TypeVar("T")


class Crew:
    """`workers` processes; with 0 of them everything happens in this one, when it is asked for."""

    def __init__(self, workers: int, preparer: Preparer) -> None:
        self._workers = workers
        self._preparer = preparer
        self._processes = Processes(workers, preparer)
        self._trial = _Trial(preparer)
        self._numbers = count()

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._trial.end()
        self._processes.end()

    def start(self) -> None:
        """Start the processes and wait for them; otherwise the first batch does.

        Raises `CheckpointError` where the model is damaged that they load, `ProcessesError` where
        they end or hang instead of starting.
        """
        if self._workers:
            self._processes.start()

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
        futures = [self._processes.submit(chunk, next(self._numbers)) for chunk in chunks]
        return Batch(chunks, futures)

    def finish(self, batch: "Batch") -> list[Prepared]:
        """Return what became of each order of a batch, in its order.

        Raises `ProcessesError` where processes die of something else than of a photo.
        """
        if not self._workers:
            return [found for chunk in batch.chunks for found in self._preparer(chunk)]
        found: list[Prepared] = []
        for chunk, future in zip(batch.chunks, batch.futures, strict=True):
            try:
                found += future.result(PATIENCE_SECONDS)
            except LOST as error:
                if isinstance(error, TimeoutError):
                    self._processes.end()  # what hangs would keep the next ones waiting
                found += [self._trial.prepared(order) for order in chunk]
                self._processes.preparer = self._trial.preparer  # for those that start from now on
        self._trial.end()
        return found


class Batch:
    """Orders under way."""

    def __init__(
        self, chunks: list[Sequence[Order]], futures: "list[Future[list[Prepared]]]"
    ) -> None:
        self.chunks = chunks
        self.futures = futures


class _Trial:
    """Prepares one photo at a time in a process that does nothing else: what breaks it is to blame.

    Other chunks may be under way in the crew's own processes. A hang is waited for twice at most,
    with its chunk and in here: hence an order is never tried as a whole.
    """

    def __init__(self, preparer: Preparer) -> None:
        self._process = Processes(1, preparer)

    @property
    def preparer(self) -> Preparer:
        """What it was given, which refuses besides what was found to break a process."""
        return self._process.preparer

    def end(self) -> None:
        """End the process; the next order starts another."""
        self._process.end()

    def prepared(self, order: Order) -> Prepared:
        """Return what `Preparer` would, had no photo of the order broken its process."""
        main = Prepared(())
        photos: list[StoredPhoto] = []
        refused: list[Refusal] = []
        for place, path in enumerate(order.paths):
            digest = self._digest(path)
            done = digest if photos else order.done  # the model is asked about the main one only
            found = self._alone(Order((path,), done, order.kept), digest)
            if not photos:
                main = found
            photos += [replace(photo, place=place) for photo in found.photos]
            refused += [replace(refusal, place=place) for refusal in found.refused]
        return replace(main, photos=tuple(photos), refused=tuple(refused))

    def _digest(self, path: str) -> str:
        """Return the sha256 of a file; "" where it cannot be read, which `Preparer` will say."""
        try:
            return sha256(read_photo(Path(path), below=self.preparer.root)).hexdigest()
        except PhotoError:
            return ""

    def _alone(self, order: Order, digest: str) -> Prepared:
        """Prepare an order of one photo; refuse it where it breaks a process that was ready.

        Two must die: the system may have ended the first for want of memory, and bytes that are
        refused are not tried again. Raises `ProcessesError` where none gets ready.
        """
        for _ in range(2):
            if not self._process.started:
                self._process.start()
            try:
                return self._process.submit([order]).result(PATIENCE_SECONDS)[0]
            except TimeoutError:
                self._process.end()
                break  # it would hang again
            except LOST:
                self._process.end()
        if digest:
            refused = self.preparer.refused | {digest: DIED}
            self._process.preparer = replace(self.preparer, refused=refused)
        return Prepared((), None, (Refusal(0, *DIED, digest),))
