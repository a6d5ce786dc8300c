"""Bring a backup back: its hash is compared first, and nothing that exists is overwritten."""

from dataclasses import dataclass
from pathlib import Path

from catalog_ai.config import Settings
from catalog_ai.errors import DatabaseError, UsageError
from catalog_ai.services.backing_up import FILES, refuse_server, sha256_of
from catalog_ai.services.backup_files import (
    Handed,
    copy_whole,
    full_disk_in_words,
    hand_over,
    place_new,
)
from catalog_ai.services.backup_records import Backup, find_backup
from catalog_ai.services.catalogue import in_plain_words
from db.backup import examine, sync
from db.readonly import database_file

_JOURNALS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Restored:
    """What was brought back, and where. `tables` is table → rows.

    `handed` says what became of the photos and models, None where the backup has no list of them.
    """

    backup: Backup
    database: Path
    tables: dict[str, int]
    handed: Handed | None


def restore_backup(
    settings: Settings, name: str, *, source: Path | None = None, to: Path | None = None
) -> Restored:
    """Restore the backup `name`, or `latest`, of the folder `source` (by default the catalogue's).

    `to` is a new or empty folder that becomes a catalogue; without it the catalogue of `settings`
    is restored, whose database must be gone. Raises `UsageError`, `DatabaseError` where the backup
    is not what was written, and `NewerSchemaError` for one of a later version.
    """
    if to is None:
        refuse_server(settings, "pg_restore --clean --if-exists catalog.dump")
    chosen = find_backup((source or settings.backups).absolute(), name)
    home, database = _target(settings, to)
    with in_plain_words(), full_disk_in_words(home):
        database.parent.mkdir(parents=True, exist_ok=True)
        building = database.with_name(f".{database.name}.restoring")
        try:
            _compare(chosen.file, chosen)
            copy_whole(chosen.file, building)
            _compare(building, chosen)
            facts = examine(building)
            handed = None
            if chosen.files_list.is_file():
                handed = hand_over(chosen.files_list, chosen.file.parent / FILES, home)
            sync(building)
            _refuse_existing(database)
            place_new(building, database)  # last: before, a second try finds nothing in its way
            sync(database.parent)
        finally:
            building.unlink(missing_ok=True)
    return Restored(chosen, database, facts.tables, handed)


def _target(settings: Settings, to: Path | None) -> tuple[Path, Path]:
    """Return the folder and the database file to restore to. Raises `UsageError` if in use."""
    if to is None:
        file = database_file(settings.database_url)
        assert file is not None  # servers were refused before
        _refuse_existing(file)
        return settings.home, file
    home = to.expanduser().absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise UsageError(f"{home} is not empty: name a new or an empty folder with --to")
    return home, home / "catalog.db"


def _refuse_existing(database: Path) -> None:
    """Raise `UsageError` where a database, or the journal of one, is in the way."""
    names = (database.name, *(f"{database.name}{suffix}" for suffix in _JOURNALS))
    there = [name for name in names if database.with_name(name).exists()]
    if there:
        raise UsageError(
            f"{database.parent} has a catalogue already: stop the program, move "
            f"{', '.join(there)} away first, or name an empty folder with --to"
        )


def _compare(file: Path, chosen: Backup) -> None:
    """Raise `DatabaseError` where a file is not what the backup's record says."""
    expected = chosen.record.get("sha256")
    if expected is not None and sha256_of(file) != expected:
        raise DatabaseError(
            f"{chosen.name} is not what was written: its sha256 differs from its record's, so it "
            "was not restored; take another, python -m catalog_ai.backup list shows them"
        )
