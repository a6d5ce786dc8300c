"""Files for other programs: the queue, the decisions, the products, a training folder.

What only changed since the last download is `services.changes`.
"""

from datetime import UTC, datetime

from catalog_ai.errors import UsageError
from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.export_rows import TABLES
from catalog_ai.services.review import AS_USUAL, EVERYTHING_WRONG, Filter, Sort
from catalog_ai.services.table_files import FORMATS as MIMES
from catalog_ai.services.table_files import ExportFile, table_file
from db.commands.exports import add_export
from db.engine import read, write
from db.queries import decisions, models
from db.queries import review as review_queries

KINDS = tuple(TABLES)
FORMATS = tuple(MIMES)


def export(
    catalogue: Catalogue,
    kind: str,
    format: str = "csv",
    *,
    wanted: Filter = EVERYTHING_WRONG,
    sort: Sort = AS_USUAL,
    created_by: str = "",
) -> ExportFile:
    """Return a file of one of `KINDS` and note in the catalogue that it was handed out.

    All its rows are of one moment. `wanted` and `sort` say which part of which queue, and in which
    order, as in `review.review_queue`; the other kinds are always whole. Raises `UsageError`, and
    `NoModelError` for a queue before the worker has looked at the labels.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no export {kind!r}: choose from {', '.join(KINDS)}")
    check_format(format)
    review.check(wanted, sort)
    table = TABLES[kind]
    with in_plain_words():
        with read(catalogue.engine) as session:
            last_decision_id = decisions.last_id(session)  # of the snapshot that the rows are from
            file = table_file(kind, table.columns, table.rows(session, wanted, sort), format)
        with write(catalogue.engine, touches=("exports",)) as session:
            add_export(
                session,
                kind=kind,
                file_format=format,
                file_name=file.file_name,
                rows=file.rows,
                sha256=file.sha256,
                last_decision_id=last_decision_id,
                created_by=created_by[:120],
                now=datetime.now(UTC),
            )
    return file


def queue_rows(catalogue: Catalogue, wanted: Filter = EVERYTHING_WRONG) -> int:
    """Return how many rows the file of a part of the queue would have now."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        return 0 if model is None else review_queries.count(session, model.id, wanted)


def check_format(format: str) -> None:
    """Raise `UsageError` for a format that no file has."""
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}: choose from {', '.join(FORMATS)}")
