"""The backups in a folder: each a copy of the database with its record and its list of files.

backup-20261124T031500Z.db        the database
backup-20261124T031500Z.json      its record: when, schema, rows per table, sha256; written last
backup-20261124T031500Z.files     every photo and model file that it needs
files/                            those files, where --photos kept them; shared by all backups

Copies made before an upgrade of the schema, `catalog-0001-….db`, have no record.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog_ai.errors import UsageError

FORMAT = 1
LATEST = "latest"
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(backup|catalog-.+)-(\d{8}T\d{6}Z)\.db")


@dataclass(frozen=True)
class Backup:
    """One copy of a database; `tables` is table → rows.

    `record` is empty for a copy that was made before an upgrade, or whose making was cut off.
    """

    file: Path
    size: int
    created_at: datetime
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.file.name

    @property
    def is_checked(self) -> bool:
        """Whether it was found whole when it was made, and still has that size."""
        return self.record.get("size") == self.size

    @property
    def tables(self) -> dict[str, int]:
        """How many rows each table had; empty where that was not recorded."""
        return dict(self.record.get("tables", {}))

    @property
    def files_list(self) -> Path:
        """Where the names of its photos and model files are."""
        return self.file.with_suffix(".files")

    def as_dict(self) -> dict[str, Any]:
        """Return what is known as JSON values."""
        known = {key: self.record.get(key) for key in ("schema", "sha256", "tables")}
        return {
            "name": self.name,
            "created_at": self.created_at.isoformat(),
            "size": self.size,
            "checked": self.is_checked,
            **known,
        }


def name_of(moment: datetime) -> str:
    """Return the name, without its ending, of a backup made at `moment`."""
    return f"backup-{moment.astimezone(UTC):{_STAMP}}"


def list_backups(folder: Path) -> tuple[Backup, ...]:
    """Return the backups in a folder, the newest first."""
    found = [
        _backup(path, match[2])
        for path in folder.glob("*.db")
        if (match := _NAME.fullmatch(path.name)) and path.is_file()
    ]
    return tuple(sorted(found, key=lambda one: (one.created_at, one.name), reverse=True))


def find_backup(folder: Path, name: str) -> Backup:
    """Return a backup by its file's name, or the `latest` with a record. Raises `UsageError`."""
    there = list_backups(folder)
    if name == LATEST:
        chosen = next((one for one in there if one.record), None)
    else:
        chosen = next((one for one in there if name in {one.name, one.file.stem}), None)
    if chosen is None:
        known = ", ".join(one.name for one in there[:5]) or "none"
        raise UsageError(
            f"there is no backup {name!r} in {folder}: there are {known}; another folder is named "
            "with --from"
        )
    return chosen


def _backup(path: Path, stamp: str) -> Backup:
    moment = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    return Backup(path, path.stat().st_size, moment, _record(path.with_suffix(".json")))


def _record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("format") == FORMAT else {}
