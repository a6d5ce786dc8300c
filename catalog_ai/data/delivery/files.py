"""Open a manifest safely, and see it as text whatever its encoding."""

import codecs
import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from catalog_ai.data.delivery.problems import shown
from catalog_ai.errors import SourceError, UnfinishedSourceError

MAX_BYTES = 1024**3
DAMAGED = re.compile(r"[\x00\ud800-\udfff]")  # a null byte, half a character, or what `_mark` left
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's, so it is asked about first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ON_DAMAGE = "catalog_ai.damaged"


def _mark(error: UnicodeError) -> tuple[str, int]:
    """Leave a lone surrogate for bytes that are no text: only the row they are in is lost."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_ON_DAMAGE, _mark)


def open_plain(path: Path, *, follow: bool = False) -> BinaryIO:
    """Open a regular file of at most 1 GB; a link only where the user named it (`follow`).

    Raises `SourceError`.
    """
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW)
    try:
        _check(path, path.stat(follow_symlinks=follow))
        handle = os.open(path, flags)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{path.name!r} cannot be opened ({why}): check the path") from error
    file = os.fdopen(handle, "rb")
    try:
        _check(path, os.fstat(handle))  # it may have been exchanged in between
    except SourceError:
        file.close()
        raise
    return file


@contextmanager
def open_whole(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file that nobody is to write to until the block ends.

    Raises `SourceError`, and `UnfinishedSourceError` where it was written to, or exchanged, in
    between: half a delivery would hide the other half. How old it is does not matter.
    """
    with open_plain(path) as file:
        before = _identity(os.fstat(file.fileno()))
        try:
            yield file
        except SourceError as error:
            _require_same(path, before, error)
            raise
    _require_same(path, before)


def _require_same(path: Path, before: tuple[int, ...], cause: Exception | None = None) -> None:
    try:
        after = _identity(path.stat(follow_symlinks=False))
    except OSError:
        after = ()
    if after != before:
        raise UnfinishedSourceError(
            f"{shown(path.name)} changed while it was read: try again once it is copied whole"
        ) from cause


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns)


def _check(path: Path, state: os.stat_result) -> None:
    if stat.S_ISLNK(state.st_mode):
        raise SourceError(
            f"{shown(path.name)} is a link, which is not followed: deliver the file itself"
        )
    if not stat.S_ISREG(state.st_mode):
        raise SourceError(f"{shown(path.name)} is no plain file: deliver a file of that name")
    if state.st_size > MAX_BYTES:
        raise SourceError(f"{shown(path.name)} is larger than 1 GB: deliver it in several parts")


def as_text(file: BinaryIO) -> TextIO:
    """Return `file` as text: UTF-8 with or without a mark, UTF-16 and UTF-32 with one.

    Line ends stay as they are. Bytes that are no text become characters that `DAMAGED` finds.
    """
    head = file.read(4)
    file.seek(0)
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), "utf-8")
    return io.TextIOWrapper(file, encoding, errors=_ON_DAMAGE, newline="")


def bytes_as_text(data: bytes) -> str:
    """Return UTF-8 `data` as text; what is none is found by `DAMAGED`."""
    return data.decode("utf-8", errors=_ON_DAMAGE)
