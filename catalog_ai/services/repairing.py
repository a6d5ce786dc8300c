"""Move damaged copies of photos out of the way, so that whole ones can take their place.

Nothing is deleted: what was damaged lies in `CATALOG_HOME/damaged` from then on. A whole copy comes
from a backup made with --photos at once, or else with the next delivery that has its photo.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from catalog_ai.config import Settings
from catalog_ai.errors import PhotoError, UsageError
from catalog_ai.services.backing_up import FILES
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.checks.files import UNREAD, missing_copies, whole_copy
from catalog_ai.services.checks.finding import Tally
from catalog_ai.services.locking import one_at_a_time
from catalog_ai.services.photos import write_whole

_BUSY = "an ingest is running, and it stores photos: wait until it is done, then start again"


@dataclass
class Repaired:
    """How many damaged copies were moved, and how many photos came back from a backup.

    `waiting` are those that the catalogue names and that were in no backup.
    """

    moved: int = 0
    restored: int = 0
    waiting: Tally = field(default_factory=Tally)


def repair(catalogue: Catalogue, damaged: Iterable[str], *, source: Path | None = None) -> Repaired:
    """Move the `damaged` of the stored copies aside, and bring back what a backup has of them.

    `damaged` are paths relative to `CATALOG_HOME`: each is looked at once more. Copies that are
    missing or empty come back as well. `source` is a folder of backups, by default the catalogue's.
    Raises `UsageError`, `DatabaseError`, and `BusyError` while an ingest runs.
    """
    settings = catalogue.settings
    kept = (source or settings.backups).absolute() / FILES
    if source is not None and not kept.is_dir():
        raise UsageError(
            f"{source} has no photos of a backup: name a folder of backups made with --photos"
        )
    found = Repaired()
    with in_plain_words(), one_at_a_time(catalogue, "ingest", _BUSY):
        for name in damaged:
            if _is_damaged(settings.home / name):
                _move_aside(settings, name)
                found.moved += 1
        for name in missing_copies(catalogue):
            if _bring_back(settings.home / name, kept / name):
                found.restored += 1
            else:
                found.waiting.add(name)
    return found


def _is_damaged(path: Path) -> bool:
    """Whether a copy is there and not whole; one that cannot be read may well be."""
    try:
        whole_copy(path)
    except PhotoError as error:
        return error.code not in UNREAD
    return False


def _move_aside(settings: Settings, name: str) -> None:
    wanted = settings.damaged / Path(name).relative_to(settings.images.name)
    wanted.parent.mkdir(parents=True, exist_ok=True)
    (settings.home / name).rename(next(place for place in _numbered(wanted) if not place.exists()))


def _numbered(path: Path) -> Iterator[Path]:
    """Yield a path, and others with a number: the photo may have been damaged before."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _bring_back(path: Path, kept: Path) -> bool:
    """Write a backup's copy where it belongs; False where it is not there, or not whole."""
    try:
        data = whole_copy(kept)
    except PhotoError:
        return False
    write_whole(path, data)
    return True
