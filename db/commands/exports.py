"""Write what was handed out."""

from datetime import datetime

from sqlalchemy.orm import Session

from db.schema import Export


def add_export(
    session: Session,
    *,
    kind: str,
    file_format: str,
    file_name: str,
    rows: int,
    sha256: str,
    last_decision_id: int | None,
    after_decision_id: int | None = None,
    created_by: str,
    now: datetime,
) -> int:
    """Note an export and the last decision that its content knows of; return its id.

    A file of changes holds those after `after_decision_id`.
    """
    export = Export(
        kind=kind,
        format=file_format,
        file_name=file_name,
        rows=rows,
        sha256=sha256,
        last_decision_id=last_decision_id,
        after_decision_id=after_decision_id,
        created_by=created_by,
        created_at=now,
    )
    session.add(export)
    session.flush()
    return export.id
