"""A model of arithmetic, and what a test wants of the child that runs the ingest with it.

Only the model is replaced, and what a test asks for by name: the decoder of marked photos, the
journal, the size of the disk. Database, lock, processes and files are the real ones.
"""

import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.images import Photo, Pixels, decode_photo
from catalog_ai.inference.predicting import Outputs
from catalog_ai.services import child_process, classifying, crew, preparing
from catalog_ai.services.catalogue import Catalogue
from db import engine as database
from db.commands import models as commands
from db.queries import models as queries
from tests.fakes import CLASSES, DIMENSION, model_meta
from tests.reliability import stub_process

VERSION = "stub"
SIZE = 64  # pixels, as in `model_meta`
KILLS = b"this photo kills its decoder"
HANGS = b"this photo hangs its decoder"
_VARIABLE = "RELIABILITY_STUB"


@dataclass(frozen=True)
class Stub:
    """What the child does beside its work; it writes what it tells to files in `side`."""

    side: str = ""
    rollback_journal: bool = False
    max_pages: int = 0  # where the disk is full, 0 for nowhere
    pause: float = 0.0  # seconds that the model takes for a group
    patience: float = 0.0  # seconds that a decoder may take
    waits: bool = False  # for a line on standard input, before it does anything

    def as_environment(self) -> dict[str, str]:
        """Return the variable that hands this to a child and to its children."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @property
    def computed(self) -> list[int]:
        """How many photos the model was asked about, call by call, over all runs."""
        return [int(line) for line in _lines(self.side, "computed")]

    @property
    def fell(self) -> int:
        """How often a decoder has begun with a photo that kills or hangs it, over all runs."""
        return len(_lines(self.side, "fell"))

    @property
    def asked(self) -> list[tuple[int, float, float]]:
        """(process, monotonic seconds when it asked for a lock, and when it was answered)."""
        parts = [line.split() for line in _lines(self.side, "asked")]
        return [(int(pid), float(asked), float(told)) for pid, asked, told in parts]


def _lines(side: str, name: str) -> list[str]:
    path = Path(side) / name
    return path.read_text().splitlines() if path.exists() else []


def _tell(side: str, name: str, line: str) -> None:
    """Add a line, whole whatever happens to this process."""
    if side:
        handle = os.open(Path(side) / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)


def vector_of(square: Pixels) -> NDArray[np.float32]:
    """Return (DIMENSION,) float32 of unit length, from the mean colour of a square."""
    colour = square.reshape(-1, 3).mean(0)
    waves = np.cos(np.outer(np.arange(1, DIMENSION + 1), colour / 37).sum(1) + 0.1)
    return (waves / np.linalg.norm(waves)).astype(np.float32)


class StubModel:
    """Says of a photo what its mean colour says."""

    classes = CLASSES

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    def load(self) -> "StubModel":
        """Return itself: in processes it stands for an `ExportedModel` and for what that loads."""
        return self

    def predict(self, squares: Sequence[Pixels]) -> Outputs:
        """Return probabilities, vectors and features, as `CatalogModel.predict` does."""
        time.sleep(self._stub.pause)
        vectors = np.stack([vector_of(square) for square in squares])
        raised = np.exp(3 * vectors[:, : len(CLASSES)])
        probabilities = (raised / raised.sum(1, keepdims=True)).astype(np.float32)
        _tell(self._stub.side, "computed", str(len(squares)))
        features = vectors.astype(np.float16)
        return Outputs(probabilities, vectors, features)


def ensure_model(catalogue: Catalogue, _version: str | None = None) -> None:
    """Register the stub as the active model, once."""
    with database.write(catalogue.engine, touches=("models",)) as session:
        if queries.by_version(session, VERSION) is None:
            commands.add_version(session, model_meta(VERSION), datetime.now(UTC))
            commands.activate(session, VERSION)


def arm() -> Stub:
    """Put the stub into this process, as the environment wants it, and return that."""
    wanted = Stub(**json.loads(os.environ.get(_VARIABLE, "{}")))
    classifying.ensure_model = ensure_model
    classifying.Classifier._model = StubModel(wanted)  # type: ignore[assignment]
    classifying.Classifier.for_processes = _model_for_processes  # type: ignore[method-assign]
    classifying.Classifier._trained_on = frozenset()  # type: ignore[assignment]
    preparing.decode_photo = _decode_photo(wanted)
    child_process.begin = stub_process.begin
    fcntl.flock = _flock(wanted)
    if wanted.patience:
        crew.PATIENCE_SECONDS = wanted.patience
    if wanted.rollback_journal:
        database.wal_is_safe = lambda *_: False
    if wanted.max_pages:
        database._prepare = _with_limit(wanted.max_pages)
    return wanted


def begin(wanted: Stub) -> None:
    """Say that all is imported, and wait for the word to go where that is wanted."""
    print("ready", flush=True)
    if wanted.waits:
        sys.stdin.readline()


_real_decode, _real_flock, _real_prepare = decode_photo, fcntl.flock, database._prepare


def _model_for_processes(classifier: classifying.Classifier) -> StubModel | None:
    return classifier._model if classifier._settings.workers else None  # type: ignore[return-value]


def _decode_photo(stub: Stub) -> Any:
    def decode_marked(data: bytes) -> Photo:
        if KILLS in data:
            _tell(stub.side, "fell", "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        if HANGS in data:
            _tell(stub.side, "fell", "hung")
            time.sleep(3600)
        return _real_decode(data)

    return decode_marked


def _flock(stub: Stub) -> Any:
    def flock(handle: Any, operation: int) -> None:
        asked = time.monotonic()
        try:
            _real_flock(handle, operation)
        finally:
            if operation & fcntl.LOCK_NB:
                _tell(stub.side, "asked", f"{os.getpid()} {asked} {time.monotonic()}")

    return flock


def _with_limit(pages: int) -> Any:
    def prepare(connection: Any, record: Any) -> None:
        _real_prepare(connection, record)
        connection.execute(f"PRAGMA max_page_count = {pages}")

    return prepare
