"""The photos that a catalogue keeps: one copy each, named by content, and its thumbnail.

`images/0a/0a1b…-4d5e….jpg` is named by the sha256 of what was delivered, and by the beginning of
that of its own bytes, so that damage shows. Names of earlier versions have the first of them only.
"""

import os
import re
import stat
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from catalog_ai.config import Settings
from catalog_ai.errors import PhotoError
from catalog_ai.images import Photo, Pixels, decode_photo

_NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_WRONLY
_CHECKSUM = 16  # digits
_NAME = re.compile(rf"([0-9a-f]{{64}})-([0-9a-f]{{{_CHECKSUM}}})")


def store_photo(settings: Settings, digest: str, photo: Photo, before: str = "") -> tuple[str, str]:
    """Keep one upright copy of a photo and its thumbnail, unless they are there already.

    `digest` is the sha256 of the delivered bytes, `before` the copy that the catalogue names for
    it: where that is there, nothing is encoded. Returns both paths relative to `CATALOG_HOME`.
    """
    small = Path(f"{settings.thumbnails}/{digest[:2]}/{digest}.jpg")
    if not is_there(small):
        write_whole(small, photo.thumbnail())
    home = f"{settings.home}/"
    shown = str(small).removeprefix(home)
    if before and is_there(Path(f"{home}{before}")):
        return before, shown
    stored = _store_copy(settings, digest, photo).removeprefix(home)
    if before and before != stored:
        Path(f"{home}{before}").unlink(missing_ok=True)  # an empty file, if any
    return stored, shown


def _store_copy(settings: Settings, digest: str, photo: Photo) -> str:
    """Write a copy of a photo, where it is not there byte for byte; return its path."""
    copy = photo.stored_copy()
    name = f"{digest}-{checksum_of(copy.data)}{copy.suffix}"
    path = Path(f"{settings.images}/{digest[:2]}/{name}")
    try:
        is_whole = path.read_bytes() == copy.data
    except OSError:
        is_whole = False
    if not is_whole:
        write_whole(path, copy.data)
    return str(path)


def checksum_of(data: bytes) -> str:
    """Return what the name of a stored copy says of its bytes."""
    return sha256(data).hexdigest()[:_CHECKSUM]


def named_after(path: Path) -> tuple[str, str]:
    """Return what a stored copy's name says: the sha256 of what was delivered, and its checksum.

    That is "" in the names of earlier versions, which only have the sha256.
    """
    found = _NAME.fullmatch(path.stem)
    return (found[1], found[2]) if found else (path.stem, "")


def is_there(path: Path) -> bool:
    """Whether a file is there and not empty, as a power cut may leave it."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size > 0


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
    if not is_there(path):
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
