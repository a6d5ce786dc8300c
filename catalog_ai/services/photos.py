"""The photos that a catalogue keeps: one copy each, named by content, and its thumbnail."""

import os
import tempfile
from pathlib import Path

from catalog_ai.config import Settings
from catalog_ai.errors import PhotoError
from catalog_ai.images import SUFFIXES, Pixels, StoredCopy, decode, stored_copy, thumbnail


def store_photo(settings: Settings, digest: str, data: bytes, pixels: Pixels) -> tuple[str, str]:
    """Keep one upright copy of a photo and its thumbnail, unless they are there already.

    `digest` is the sha256 of the delivered bytes `data`, `pixels` what they decode to. Returns both
    paths relative to `CATALOG_HOME`.
    """
    whole = settings.images / digest[:2] / digest
    names = (whole.with_suffix(suffix) for suffix in SUFFIXES.values())
    kept = next((name for name in names if name.exists()), None)
    if kept is None:
        copy: StoredCopy = stored_copy(data, pixels)
        kept = whole.with_suffix(copy.suffix)
        write_whole(kept, copy.data)
    small = thumbnail_path(settings, digest)
    if not small.exists():
        write_whole(small, thumbnail(pixels))
    return (
        kept.relative_to(settings.home).as_posix(),
        small.relative_to(settings.home).as_posix(),
    )


def thumbnail_path(settings: Settings, digest: str) -> Path:
    """Return where the thumbnail of a photo lies, or would lie."""
    return settings.thumbnails / digest[:2] / f"{digest}.jpg"


def stored_pixels(settings: Settings, stored: str) -> Pixels | None:
    """Return the pixels of a stored copy, None where the file is gone or damaged."""
    try:
        return decode((settings.home / stored).read_bytes())
    except (OSError, PhotoError):
        return None


def ensure_thumbnail(settings: Settings, stored: str, small: str) -> Path:
    """Return a thumbnail's path, drawn again from the stored copy where it was deleted."""
    path = settings.home / small
    if not path.exists():
        pixels = stored_pixels(settings, stored)
        if pixels is not None:
            write_whole(path, thumbnail(pixels))
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    try:
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(handle, 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)  # the disk may be full
        raise
