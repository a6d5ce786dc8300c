"""The files that a backup needs beside the database: photos and models.

Both are written once, a photo again only where its stored copy was lost. They are listed one a
line, as size in bytes, tab, path relative to `CATALOG_HOME`, and handed from one folder to another
by hard link where both lie on one disk.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath

from catalog_ai.errors import DatabaseError
from catalog_ai.services.checks.finding import Tally
from catalog_ai.services.photos import checksum_of, named_after

FOLDERS = ("images", "models")
_REBUILT = ".onnx"  # written again from the weights when missing
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass
class Listed:
    """What a list of files holds, and what the database names but the disk does not have."""

    files: int = 0
    bytes: int = 0
    missing: Tally = field(default_factory=Tally)


@dataclass
class Handed:
    """What became of the files of a list: linked, copied, there already, or nowhere to be found."""

    linked: int = 0
    copied: int = 0
    there: int = 0
    missing: Tally = field(default_factory=Tally)


def write_list(target: Path, home: Path, images: Iterable[str], models: Iterable[str]) -> Listed:
    """List the stored photos named `images` and the folders of the versions named `models`."""
    listed = Listed()
    with target.open("w") as file:
        for name in chain(_model_files(home, models), images):
            size = _size(home / name) if _is_ours(name) else None
            if size is None:
                listed.missing.add(name)
                continue
            file.write(f"{size}\t{name}\n")
            listed.files += 1
            listed.bytes += size
        file.flush()
        os.fsync(file.fileno())
    return listed


def read_list(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (bytes, path relative to `CATALOG_HOME`); lines that lead elsewhere are left out."""
    with path.open() as file:
        for line in file:
            size, _, name = line.rstrip("\n").partition("\t")
            if size.isdecimal() and _is_ours(name):
                yield int(size), name


def hand_over(files_list: Path, source: Path, target: Path, *, renewing: bool = False) -> Handed:
    """Bring the files of a list from one folder to another; what is there already stays.

    But when `renewing` it does not where `source` has what was stored and the target has not: it
    was stored anew, since what was there, perhaps the same file by hard link, was damaged. A copy
    that is what its name says is whole, whatever size the list has: the other was damaged then.
    """
    handed = Handed()
    for size, name in read_list(files_list):
        if _stays(target / name, size, source / name if renewing else None):
            handed.there += 1
        elif _size(source / name) != size and not _is_whole(source / name):
            handed.missing.add(name)
        elif _link(source / name, target / name):
            handed.linked += 1
        else:
            copy_whole(source / name, target / name)
            handed.copied += 1
    return handed


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file so that no reader ever sees half of it; a half-made one is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}")
    try:
        shutil.copyfile(source, building)
        building.replace(target)
    except BaseException:
        building.unlink(missing_ok=True)
        raise


def place_new(building: Path, target: Path) -> None:
    """Give a finished file its name. Raises `FileExistsError` where that is taken."""
    try:
        os.link(building, target)  # unlike a rename, this never overwrites
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if target.exists():
            raise FileExistsError(errno.EEXIST, "it exists already", str(target)) from None
        building.rename(target)
    building.unlink(missing_ok=True)


@contextmanager
def full_disk_in_words(folder: Path) -> Iterator[None]:
    """Turn a full disk into a sentence that says what to do. Raises `DatabaseError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DatabaseError(
            f"the disk of {folder} is full: nothing half-made was kept; free some space, or name "
            "another folder with --to"
        ) from error


def _model_files(home: Path, versions: Iterable[str]) -> Iterator[str]:
    for version in versions:
        folder = home / "models" / version
        if not folder.is_dir():
            yield f"models/{version}"  # counted as missing
            continue
        for path in sorted(folder.iterdir()):
            if path.suffix != _REBUILT and not path.name.startswith("."):
                yield path.relative_to(home).as_posix()


def _size(path: Path) -> int | None:
    """Return the bytes of a regular file, None for anything else."""
    found = _regular(path)
    return None if found is None else found.st_size


def _stays(path: Path, size: int, newer: Path | None) -> bool:
    """Whether a file is there already; `newer` may have been stored anew."""
    if _size(path) != size:
        return _is_whole(path)
    return newer is None or not _is_repaired(newer, path)


def _is_repaired(path: Path, older: Path) -> bool:
    """Whether a stored copy is what its name says, and an older one of that name is not."""
    return _is_newer(path, older) and not _is_whole(older) and _is_whole(path)


def _is_whole(path: Path) -> bool:
    """Whether a stored copy is there and what its name says; False where that says nothing."""
    checksum = named_after(path)[1]
    return bool(checksum and _size(path)) and checksum_of(path.read_bytes()) == checksum


def _is_newer(path: Path, other: Path) -> bool:
    """Whether a file was written after another; False where one is missing."""
    found, before = _regular(path), _regular(other)
    return found is not None and before is not None and found.st_mtime_ns > before.st_mtime_ns


def _regular(path: Path) -> os.stat_result | None:
    """Return what is known of a regular file, None for anything else."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _is_ours(name: str) -> bool:
    """Whether a path stays within the folders that a backup is about, and fits on a line."""
    parts = PurePosixPath(name).parts
    return len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts and "\n" not in name


def _link(source: Path, target: Path) -> bool:
    """Link a file to another name; False where the disk, or two disks, do not allow it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}")
    try:
        building.unlink(missing_ok=True)
        os.link(source, building)
    except OSError as error:
        if error.errno in _FULL:
            raise
        return False
    building.replace(target)
    return True
