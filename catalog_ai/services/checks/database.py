"""The database as a file: its schema, how it is opened, whether it is whole, the disk it is on."""

import shutil
from pathlib import Path

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checks.finding import Finding, note, ok, problem
from db import engine as database
from db.queries import health
from db.readonly import connection_settings, database_file, schema_state

GIGABYTE = 1_000_000_000
_FULL = 2  # what SQLite answers for synchronous = FULL
_SERVER = "the database is a server, which looks after this itself"


def schema(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether the tables are those of this program."""
    found = schema_state(catalogue.engine)
    if found.current is None:
        return problem(
            "the database is empty: it has no tables, and nothing else could be checked",
            "where a catalogue was before, restore it with python -m catalog_ai.backup restore "
            "latest; where it is new, the first start of the program makes the tables",
        )
    if found.is_newer:
        return problem(
            f"revision {found.current} was written by a later version, this program knows up to "
            f"{found.newest}; nothing else could be checked",
            "update this program",
        )
    if found.current != found.newest:
        return note(
            f"revision {found.current}, this program's is {found.newest}",
            "the next start of the program upgrades it, after a copy to backups/",
        )
    return ok(f"revision {found.current}, the newest")


def journal(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether the journal mode is the one that this SQLite is safe with."""
    if not database.is_file(catalogue.engine):
        return ok(_SERVER)
    with database.read(catalogue.engine) as session:
        version, mode = health.sqlite_version(session), health.journal_mode(session)
    safe = database.wal_is_safe()
    if safe and mode == "wal":
        return ok(f"SQLite {version}, in WAL mode")
    if safe:
        return note(
            f"SQLite {version} with the rollback journal, although WAL is safe with it",
            "the next start of the program switches it to WAL",
        )
    if mode == "wal":
        return problem(
            f"SQLite {version} can lose writes in WAL mode, and the database is in it",
            "stop the program, install requirements.txt again (it names a SQLite without that "
            "fault), and start it",
        )
    return note(
        f"SQLite {version} can lose writes in WAL mode, so the rollback journal is used",
        "install requirements.txt again for a SQLite whose WAL is safe: readers and writers then "
        "no longer wait for each other",
    )


def connections(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether a connection that writes waits for the disk and keeps references whole."""
    if not database.is_file(catalogue.engine):
        return ok(_SERVER)
    found = connection_settings()
    if found == {"synchronous": _FULL, "foreign_keys": 1}:
        return ok("synchronous = FULL and foreign_keys = ON")
    said = ", ".join(f"{name} = {value}" for name, value in found.items())
    return problem(
        f"connections get {said}, where synchronous = {_FULL} and foreign_keys = 1 are needed",
        "install requirements.txt again: this SQLite was built without them",
    )


def integrity(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether SQLite finds its pages, and with `deep` its indexes, in order."""
    if not database.is_file(catalogue.engine):
        return ok(_SERVER)
    with database.read(catalogue.engine) as session:
        broken = health.integrity(session, full=deep)
    if broken:
        return problem(
            f"the database is damaged: SQLite finds {_at_least(len(broken))} faults in it",
            "stop the program, move catalog.db away, and restore with python -m catalog_ai.backup "
            "restore latest",
            broken,
        )
    return ok("integrity_check finds nothing" if deep else "quick_check finds nothing")


def references(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every row that refers to another finds it."""
    if not database.is_file(catalogue.engine):
        return ok(_SERVER)
    with database.read(catalogue.engine) as session:
        broken = health.broken_references(session)
    if broken.count:
        return problem(
            f"{broken.count:,} rows refer to others that are not there",
            "restore the last backup from before, or report this: the program cannot do it",
            broken.examples,
        )
    return ok("foreign_key_check finds nothing")


def disk(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether an upgrade, a backup and tonight's photos still fit."""
    file = database_file(catalogue.settings.database_url)
    size = _size(file)
    folders = [catalogue.settings.home] if file is None else [catalogue.settings.home, file.parent]
    free, folder = min((shutil.disk_usage(_existing(place)).free, place) for place in folders)
    sentence = f"{_gigabytes(free)} free in {folder}, the database has {_gigabytes(size)}"
    if free < max(GIGABYTE, 2 * size):
        return problem(
            sentence, "free some space: a GB at least, and twice the database, are needed"
        )
    return ok(sentence)


def _at_least(count: int) -> str:
    return "100 or more" if count >= 100 else f"{count}"


def _size(file: Path | None) -> int:
    """Return the bytes of a database and its journal, by their names' entries alone."""
    if file is None:
        return 0
    names = (file, file.with_name(f"{file.name}-wal"))
    return sum(path.stat().st_size for path in names if path.exists())


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _gigabytes(size: int) -> str:
    return f"{size / GIGABYTE:,.1f} GB" if size >= GIGABYTE / 10 else f"{size / 1e6:,.1f} MB"
