"""The file of changes: what people changed since the last one, for import into other systems.

Each holds the decisions behind those of the one before, up to the newest: none is in two files, and
none is left out. The log of decisions never alters, so a file can be made again at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, NothingToExportError, UsageError
from catalog_ai.services import change_rows
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.exporting import check_format
from catalog_ai.services.table_files import ExportFile, table_file
from db.commands.exports import add_export
from db.engine import read, write
from db.queries import changes, decisions, exports
from db.queries.exports import ExportRow

KIND = "changes"
MANY = 5_000  # decisions: to look what so many come to takes longer than a page may
_TRIES = 20


@dataclass(frozen=True)
class Waiting:
    """What the next file would hold; `since` is when the last one was made, None before the first.

    `rows` is None where there are more than `MANY` decisions: then they are not looked at yet.
    """

    rows: int | None
    since: datetime | None


@dataclass(frozen=True)
class ChangeFile(ExportFile):
    """A file of changes and its number; `warning` says what is wrong with it, if anything is."""

    number: int
    warning: str = ""


@dataclass(frozen=True)
class MadeFile:
    """A file of changes that was made before."""

    number: int
    file_name: str
    rows: int
    made_by: str
    made_at: datetime


def waiting(catalogue: Catalogue) -> Waiting:
    """Return what the next file of changes would hold; nothing is recorded."""
    with in_plain_words(), read(catalogue.engine) as session:
        last = _last(session)
        after, since = _end(last), last.created_at if last else None
        if changes.count(session, after, at_most=MANY + 1) > MANY:
            return Waiting(None, since)
        histories = changes.histories(session, after, decisions.last_id(session) or 0)
        return Waiting(sum(1 for _ in change_rows.found_changes(histories, after)), since)


def make(
    catalogue: Catalogue,
    format: str = "csv",
    *,
    created_by: str = "",
    keep: Callable[[ExportFile], None] | None = None,
) -> ChangeFile:
    """Return the next file of changes; from now on it counts as handed out.

    `keep` is called before that with what would be, to put it where it is not lost. Who presses at
    the same moment as somebody else gets what is left: usually nothing. Raises `UsageError`,
    `NothingToExportError` where nothing has changed, and whatever `keep` raises: then nothing
    counts as handed out.
    """
    check_format(format)
    with in_plain_words():
        for _ in range(_TRIES):
            with read(catalogue.engine) as session:
                last, up_to = _last(session), decisions.last_id(session) or 0
                file = _file(session, _end(last), up_to, format)
            if not file.rows:
                raise NothingToExportError(_nothing(last))
            if keep is not None:
                keep(file)
            number = _record(catalogue, file, _end(last), up_to, format, created_by)
            if number is not None:
                return ChangeFile(file.file_name, file.data, file.rows, number)
    raise ConflictError("others are making change files at this moment: try again in a minute")


def again(catalogue: Catalogue, number: int) -> ChangeFile:
    """Return a file of changes that was made before, byte for byte. Raises `UsageError`."""
    with in_plain_words(), read(catalogue.engine) as session:
        made = exports.by_id(session, KIND, number)
        if made is None:
            known = ", ".join(str(row.id) for row in exports.latest(session, KIND, limit=20))
            raise UsageError(
                f"there is no change file number {number}: "
                + (f"choose from {known}" if known else "none was made yet")
            )
        file = _file(session, made.after_decision_id or 0, made.last_decision_id or 0, made.format)
    warning = "" if file.sha256 == made.sha256 else _differs(made, file)
    return ChangeFile(file.file_name, file.data, file.rows, number, warning)


def made_files(catalogue: Catalogue, *, limit: int | None = 20) -> tuple[MadeFile, ...]:
    """Return the files of changes that were made, the newest first; `limit` None for all."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = exports.latest(session, KIND, limit=limit)
    return tuple(
        MadeFile(row.id, row.file_name, row.rows, row.created_by, row.created_at) for row in rows
    )


def _file(session: Session, after: int, up_to: int, format: str) -> ExportFile:
    return table_file(KIND, change_rows.COLUMNS, change_rows.rows(session, after, up_to), format)


def _record(
    catalogue: Catalogue, file: ExportFile, after: int, up_to: int, format: str, created_by: str
) -> int | None:
    """Note a file and return its number; None where somebody made one in the meantime."""
    with write(catalogue.engine, touches=("exports",)) as session:
        if _end(_last(session)) != after:
            return None
        return add_export(
            session,
            kind=KIND,
            file_format=format,
            file_name=file.file_name,
            rows=file.rows,
            sha256=file.sha256,
            after_decision_id=after,
            last_decision_id=up_to,
            created_by=created_by[:120],
            now=datetime.now(UTC),
        )


def _last(session: Session) -> ExportRow | None:
    return next(iter(exports.latest(session, KIND, limit=1)), None)


def _end(last: ExportRow | None) -> int:
    """Return the last decision that was told, 0 where none was."""
    return (last.last_decision_id or 0) if last else 0


def _nothing(last: ExportRow | None) -> str:
    if last is None:
        return "nobody has changed anything yet: there is nothing to hand out"
    made = f"{last.created_at:%-d %b %Y, %H:%M} UTC"
    return f"nothing has changed since change file {last.id} of {made}: download that one again"


def _differs(made: ExportRow, file: ExportFile) -> str:
    return (
        f"This is not byte for byte the file of {made.created_at:%-d %b %Y}: it had {made.rows:,} "
        f"rows and this one has {file.rows:,}, so compare the two before you use it."
    )
