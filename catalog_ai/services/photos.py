"""The photos that a catalogue keeps: one copy each, named by content, and its thumbnail."""

import os
from pathlib import Path
from secrets import token_hex

from catalog_ai.config import Settings
from catalog_ai.errors import PhotoError
from catalog_ai.images import Photo, Pixels, decode_photo

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY


def store_photo(settings: Settings, digest: str, photo: Photo) -> tuple[str, str]:
    """Keep one upright copy of a photo and its thumbnail, unless they are there already.

    `digest` is the sha256 of the delivered bytes. Returns both paths relative to `CATALOG_HOME`.
    """
    name = f"{digest[:2]}/{digest}"
    kept = Path(f"{settings.images}/{name}{photo.suffix}")
    small = Path(f"{settings.thumbnails}/{name}.jpg")
    if not kept.exists():
        write_whole(kept, photo.stored_copy().data)
    if not small.exists():
        write_whole(small, photo.thumbnail())
    home = f"{settings.home}/"
    return str(kept).removeprefix(home), str(small).removeprefix(home)


def stored_pixels(settings: Settings, stored: str) -> Pixels | None:
    """Return the pixels of a stored copy, None where the file is gone or damaged."""
    photo = _stored_photo(settings, stored)
    return None if photo is None else photo.pixels


def _stored_photo(settings: Settings, stored: str) -> Photo | None:
    try:
        return decode_photo((settings.home / stored).read_bytes())
    except (OSError, PhotoError):
        return None


def ensure_thumbnail(settings: Settings, stored: str, small: str) -> Path:
    """Return a thumbnail's path, drawn again from the stored copy where it was deleted."""
    path = settings.home / small
    if not path.exists():
        photo = _stored_photo(settings, stored)
        if photo is not None:
            write_whole(path, photo.thumbnail())
    return path


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that no reader ever sees half of it."""
    building = path.with_name(f".{path.name}-{token_hex(4)}")
    try:
        handle = os.open(building, _NEW_FILE, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(building, _NEW_FILE, 0o644)
    try:
        try:
            _write_all(handle, data)
        finally:
            os.close(handle)
        building.replace(path)
    except BaseException:
        building.unlink(missing_ok=True)  # the disk may be full
        raise


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
