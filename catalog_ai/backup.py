"""`python -m catalog_ai.backup create|restore|list`: copies of the catalogue, made while in use.

create copies the database to CATALOG_HOME/backups, checks the copy, and keeps the newest seven;
the program may go on working meanwhile. restore NAME (or: restore latest) brings one back to where
no catalogue is. list shows what there is. Exit codes: 0 done, 2 a flag is wrong or something would
be overwritten, 74 the database, the backup or the disk cannot be used, 75 another backup is being
made.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog_ai import cli
from catalog_ai.errors import UsageError
from catalog_ai.services.backing_up import KEEP, Created, create_backup
from catalog_ai.services.backup_files import Handed
from catalog_ai.services.backup_records import Backup, list_backups
from catalog_ai.services.photos import write_whole
from catalog_ai.services.restoring import Restored, restore_backup

ACTIONS = ("create", "restore", "list")
_FLAGS = {  # flag → where it is kept, and what it is for
    "--to": ("to", ("create", "restore")),
    "--from": ("source", ("restore", "list")),
    "--keep": ("keep", ("create",)),
    "--photos": ("photos", ("create",)),
}


def main(arguments: list[str] | None = None) -> int:
    """Back up, restore or list, as the flags say."""
    parser = cli.parser("backup", __doc__)
    parser.add_argument("action", choices=ACTIONS, help="what to do")
    parser.add_argument("name", nargs="?", metavar="NAME", help="restore: a backup, or latest")
    parser.add_argument(
        "--to", metavar="FOLDER", help="create: where to; restore: a new or empty folder"
    )
    parser.add_argument(
        "--from", dest="source", metavar="FOLDER", help="restore, list: where the backups are"
    )
    parser.add_argument(
        "--keep", type=_count, metavar="N", help=f"create: how many stay, default {KEEP}"
    )
    parser.add_argument(
        "--photos", action="store_true", help="create: keep the photos and models as well"
    )
    parser.add_argument("--json", metavar="FILE", help="write what came of it here as well")
    options = parser.parse_args(arguments)
    if (options.name is not None) != (options.action == "restore"):
        raise UsageError(
            "which? python -m catalog_ai.backup restore NAME, or: restore latest"
            if options.action == "restore"
            else f"{options.action} takes no name: only restore does"
        )
    _refuse_flags(options)
    return {"create": _create, "restore": _restore, "list": _list}[options.action](options)


def _refuse_flags(options: argparse.Namespace) -> None:
    """Raise `UsageError` for a flag that would say nothing: another one was meant."""
    for flag, (name, actions) in _FLAGS.items():
        if getattr(options, name) and options.action not in actions:
            fit = [other for other, (_, theirs) in _FLAGS.items() if options.action in theirs]
            raise UsageError(f"{options.action} takes no {flag}: it takes {', '.join(fit)}")


def _create(options: argparse.Namespace) -> int:
    made = create_backup(
        cli.settings_of(options),
        folder=_folder(options.to),
        keep=options.keep or KEEP,
        photos=options.photos,
    )
    print("\n".join(_said_of_created(made)))
    _write(options, made.backup.as_dict() | _counted(made.handed))
    return 0


def _restore(options: argparse.Namespace) -> int:
    found = restore_backup(
        cli.settings_of(options),
        options.name,
        source=_folder(options.source),
        to=_folder(options.to),
    )
    print("\n".join(_said_of_restored(found)))
    _write(options, found.backup.as_dict() | _counted(found.handed))
    return 0


def _list(options: argparse.Namespace) -> int:
    folder = _folder(options.source) or cli.settings_of(options).backups
    backups = list_backups(folder)
    print(table(backups) if backups else f"there are no backups in {folder}")
    _write(options, [one.as_dict() for one in backups])
    return 0


def _write(options: argparse.Namespace, found: object) -> None:
    if options.json:
        text = json.dumps(found, indent=2) + "\n"
        write_whole(Path(options.json), text.encode())


def _counted(handed: Handed | None) -> dict[str, dict[str, int] | None]:
    """Return what became of photos and models, as JSON values."""
    if handed is None:
        return {"files": None}
    counts = {name: getattr(handed, name) for name in ("linked", "copied", "there")}
    return {"files": counts | {"missing": handed.missing.count}}


def table(backups: Sequence[Backup]) -> str:
    """Return backups as lines: name, when, size, products, decisions, whether checked."""
    rows: list[tuple[str, ...]] = [("name", "when (UTC)", "MB", "products", "decisions", "checked")]
    rows += [
        (
            *(one.name, f"{one.created_at:%Y-%m-%d %H:%M}", f"{one.size / 1e6:,.1f}"),
            *(_rows(one.tables, name) for name in ("products", "decisions")),
            "yes" if one.is_checked else "no",
        )
        for one in backups
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 2 <= column <= 4 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _said_of_created(made: Created) -> list[str]:
    one, listed = made.backup, made.listed
    lines = [
        f"{one.file}: {_contents(one.tables)}, {one.size / 1e6:,.1f} MB; checked: integrity, "
        "foreign keys"
    ]
    named = f"{listed.files:,} photos and model files, {listed.bytes / 1e6:,.1f} MB"
    if made.handed is None:
        lines.append(f"{named}: listed, not copied (--photos does that)")
    else:
        lines.append(f"{named}: {_where(made.handed)}")
        if made.handed.linked:
            lines.append("links take no space, and are lost together with the disk")
    lines += _missing(listed.missing.count, listed.missing.examples)
    if made.removed:
        lines.append(f"removed, older than the newest kept: {', '.join(made.removed)}")
    return lines


def _said_of_restored(found: Restored) -> list[str]:
    lines = [f"{found.backup.name} restored to {found.database}: {_contents(found.tables)}"]
    if not found.backup.record:
        lines.append("it has no record to compare it with: only its integrity was checked")
    if found.handed is None:
        lines.append("it has no list of photos and models: python -m catalog_ai.doctor looks")
        return lines
    lines.append(f"photos and model files: {_where(found.handed)}")
    return lines + _missing(found.handed.missing.count, found.handed.missing.examples)


def _where(handed: Handed) -> str:
    return f"{handed.linked:,} linked, {handed.copied:,} copied, {handed.there:,} there already"


def _missing(count: int, examples: Sequence[str]) -> list[str]:
    if not count:
        return []
    return [f"{count:,} photos and model files are missing, for instance {', '.join(examples)}"]


def _contents(tables: dict[str, int]) -> str:
    return f"{_rows(tables, 'products')} products, {_rows(tables, 'decisions')} decisions"


def _rows(tables: dict[str, int], name: str) -> str:
    return f"{tables[name]:,}" if name in tables else "–"


def _folder(given: str | None) -> Path | None:
    return None if given is None else Path(given).expanduser().absolute()


def _count(given: str) -> int:
    count = int(given)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1: the one that is being made")
    return count


if __name__ == "__main__":
    sys.exit(cli.run(main))
