"""What an ingest computed and has not yet written to the database, kept for one that carries on.

Photos are decoded and asked about while earlier ones wait to be written. Killed then, the next run
finds here what was ready: only what was being computed at that moment is computed again.

A file holds one chunk. There is a fixed number of them, overwritten in turn, long after their
products are in the database: deleting thousands of files would slow down those that are written.
One that was being written when the process died says so by its checksum, and is passed over.
"""

import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog_ai.inference.predicting import Answer
from catalog_ai.services.photos import write_whole

_LEFT = "left"  # the file of what was found at the start; those of chunks have numbers
_CHECKSUM = 8  # bytes in front of a file's content: CRC-32 in hexadecimal digits


class Found(NamedTuple):
    """What is known of a photo: where its copy and thumbnail lie, and what the model says.

    Paths are relative to `CATALOG_HOME`; a product's further photos have no answer.
    """

    digest: str
    stored: str
    small: str
    answer: Answer | None


@dataclass(frozen=True)
class Interim:
    """The files in `folder` of one run; small, so that it is sent to each process.

    `made_by` names what computed the answers: those of anything else are passed over. `left` is
    what an earlier run computed, by sha256; `files` is how many chunks are kept.
    """

    folder: Path
    made_by: str
    files: int
    left: Mapping[str, Found] = field(default_factory=dict)

    @staticmethod
    def begin(folder: Path, made_by: str, files: int) -> "Interim":
        """Return it with what is left of earlier runs; `files` of this one are kept at least."""
        folder.mkdir(parents=True, exist_ok=True)
        chunks = [path for path in folder.iterdir() if path.name.isdecimal()]
        left: dict[str, Found] = {}
        for path in (folder / _LEFT, *chunks):
            left.update((one.digest, one) for one in _read(path, made_by))
        if left:  # together, before their files are overwritten
            write_whole(folder / _LEFT, _packed(made_by, list(left.values())))
        return Interim(folder, made_by, files, left)

    def keep(self, number: int, found: Sequence[Found]) -> None:
        """Keep a chunk, the run's `number`th, in the place of one that is written by now.

        A disk that takes no more is no reason to stop: it is computed again then.
        """
        if any(one.answer is not None for one in found):
            with suppress(OSError):
                path = self.folder / str(number % self.files)
                path.write_bytes(_packed(self.made_by, found))

    def clear(self) -> None:
        """Forget everything: it is written."""
        for number in (_LEFT, *range(self.files)):
            (self.folder / str(number)).unlink(missing_ok=True)


def _packed(made_by: str, found: Sequence[Found]) -> bytes:
    answers = [one.answer for one in found if one.answer is not None]
    widths = [len(part) for part in answers[0]]
    paths = max(len(path) for one in found for path in (one.stored, one.small))
    rows = np.zeros(
        len(found),
        [
            *(("digest", "U64"), ("stored", f"U{paths}"), ("small", f"U{paths}"), ("asked", "?")),
            *(("probabilities", "f4", (widths[0],)), ("vector", "f4", (widths[1],))),
            ("features", "f2", (widths[2],)),
        ],
    )
    for name in ("digest", "stored", "small"):
        rows[name] = [getattr(one, name) for one in found]
    rows["asked"] = [one.answer is not None for one in found]
    for name in Answer._fields:
        rows[name][rows["asked"]] = [getattr(answer, name) for answer in answers]
    content = io.BytesIO()
    content.write(f"{made_by}\n".encode())
    np.save(content, rows, allow_pickle=False)
    whole = content.getvalue()
    return f"{zlib.crc32(whole):0{_CHECKSUM}x}".encode() + whole


def _read(path: Path, made_by: str) -> Iterable[Found]:
    """Return what a file holds; nothing where it is missing, damaged or of another model."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    checksum, whole = data[:_CHECKSUM], data[_CHECKSUM:]
    name, _, content = whole.partition(b"\n")
    if checksum != f"{zlib.crc32(whole):0{_CHECKSUM}x}".encode() or name != made_by.encode():
        return []
    rows = np.load(io.BytesIO(content), allow_pickle=False)
    return [_found(row) for row in rows]


def _found(row: NDArray[np.void]) -> Found:
    answer = Answer(*(row[name] for name in Answer._fields)) if row["asked"] else None
    return Found(str(row["digest"]), str(row["stored"]), str(row["small"]), answer)
