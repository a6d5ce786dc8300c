"""Make a backup while the catalogue is in use: consistent, checked, the newest few kept.

The copy is SQLite's own work (`VACUUM INTO`); the live database file is never opened, hashed or
copied, since closing such a handle would drop SQLite's locks on it.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url

from catalog_ai import __version__
from catalog_ai.config import Settings, program_commit
from catalog_ai.errors import UsageError
from catalog_ai.services.backup_files import (
    Handed,
    Listed,
    full_disk_in_words,
    hand_over,
    place_new,
    write_list,
)
from catalog_ai.services.backup_records import FORMAT, Backup, find_backup, list_backups, name_of
from catalog_ai.services.catalogue import in_plain_words
from catalog_ai.services.locking import only_one
from db.backup import CopyFacts, examine, image_names, model_names, sync, write_copy
from db.readonly import database_file, open_read_only

KEEP = 7
FILES = "files"
_BUSY = "another backup is being made: wait until it is done, then start again"


@dataclass(frozen=True)
class Created:
    """A new backup. `handed` says where its files went, None where they are only listed.

    `removed` are the names of older backups that made room for it.
    """

    backup: Backup
    listed: Listed
    handed: Handed | None
    removed: tuple[str, ...]


def create_backup(
    settings: Settings, *, folder: Path | None = None, keep: int = KEEP, photos: bool = False
) -> Created:
    """Back up the database to `folder`, by default `CATALOG_HOME/backups`, and keep the newest.

    With `photos` the stored photos and the models go to `files/` beside it, by hard link on the
    same disk. Raises `UsageError`, `DatabaseError` (a full disk, a damaged database) and
    `BusyError`; whatever happens, nothing half-made stays.
    """
    refuse_server(settings, "pg_dump --format=custom --file=catalog.dump")
    target = (folder or settings.backups).absolute()
    with in_plain_words(), full_disk_in_words(target):
        engine = open_read_only(settings.database_url)
        with only_one(settings.locks / "backup.lock", _BUSY):
            target.mkdir(parents=True, exist_ok=True)
            making = _Making(settings, target, datetime.now(UTC))
            try:
                write_copy(engine, making.building(".db"))
                facts = examine(making.building(".db"))
                listed, handed = making.gather_files(photos)
                making.finish(facts, listed)
            except BaseException:
                making.clear()
                raise
            made = find_backup(target, making.name)
            removed = _prune(target, settings, keep, made)
    return Created(made, listed, handed, removed)


def refuse_server(settings: Settings, command: str) -> None:
    """Raise `UsageError`, with the command to use instead, where the database is a server."""
    with in_plain_words():
        if database_file(settings.database_url) is not None:
            return
    given = make_url(settings.database_url)
    address = URL.create(
        "postgresql", given.username, None, given.host, given.port, given.database, given.query
    )
    raise UsageError(
        f"a PostgreSQL server has its own backups: run {command} "
        f"--dbname='{address.render_as_string()}'; the photos and models in {settings.home} are "
        "files that any tool can copy"
    )


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal; never asked of the live database."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Making:
    """A backup in the making: dot-files that get their names once everything is there."""

    def __init__(self, settings: Settings, folder: Path, moment: datetime) -> None:
        self._settings, self._folder, self._moment = settings, folder, moment
        self.name = name_of(moment)
        self._made: set[Path] = set()
        taken = [path.name for path in folder.glob(f"{self.name}.*")]
        if taken:
            raise UsageError(f"{taken[0]} exists already and is not overwritten: start again")

    def building(self, suffix: str) -> Path:
        """Return where a part is written before it is finished."""
        path = self._folder / f".{self.name}{suffix}"
        self._made.add(path)
        return path

    def gather_files(self, photos: bool) -> tuple[Listed, Handed | None]:
        """List what the copy names, and with `photos` keep it beside the backups."""
        home, copy, files = self._settings.home, self.building(".db"), self.building(".files")
        listed = write_list(files, home, image_names(copy), model_names(copy))
        if not photos:
            return listed, None
        return listed, hand_over(files, home, self._folder / FILES, renewing=True)

    def finish(self, facts: CopyFacts, listed: Listed) -> None:
        """Write the record, and give all three files their names."""
        record = json.dumps(self._record(facts, listed), indent=2) + "\n"
        self.building(".json").write_text(record)
        sync(self.building(".json"))
        for suffix in (".db", ".files", ".json"):  # the record last: without it there is no backup
            finished = self._folder / f"{self.name}{suffix}"
            place_new(self.building(suffix), finished)
            self._made.add(finished)
        sync(self._folder)

    def clear(self) -> None:
        """Remove every part."""
        for path in self._made:
            path.unlink(missing_ok=True)

    def _record(self, facts: CopyFacts, listed: Listed) -> dict[str, Any]:
        copy = self.building(".db")
        return {
            "format": FORMAT,
            "name": f"{self.name}.db",
            "created_at": self._moment.isoformat(),
            "catalogue": str(self._settings.home),
            "program": {"version": __version__, "commit": program_commit()},
            "schema": facts.schema,
            "tables": facts.tables,
            "size": copy.stat().st_size,
            "sha256": sha256_of(copy),
            "checked": ["integrity_check", "foreign_key_check"],
            "files": {
                "count": listed.files,
                "bytes": listed.bytes,
                "missing": listed.missing.count,
            },
        }


def _prune(folder: Path, settings: Settings, keep: int, made: Backup) -> tuple[str, ...]:
    """Remove this catalogue's backups beyond `keep`, `made` among them; all else there stays."""
    older = [
        one
        for one in list_backups(folder)
        if one.record.get("catalogue") == str(settings.home) and one.name != made.name
    ]
    for old in older[keep - 1 :]:
        for suffix in (".files", ".db", ".json"):
            old.file.with_suffix(suffix).unlink(missing_ok=True)
    return tuple(old.name for old in older[keep - 1 :])
