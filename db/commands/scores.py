"""Write what an assessment says of each product's label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.commands.score_table import ScoreTable, Unchanged
from db.pieces import in_parts
from db.schema import Assessment, LabelScore, Overlap

_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True)
class OverlapRow:
    """Two categories that run into each other; the fields are those of `schema.Overlap`."""

    one: str
    other: str
    share: float
    products: int
    border: Sequence[int]


def replace_scores(
    session: Session,
    model_version_id: int,
    classes: Sequence[str],
    table: ScoreTable,
    now: datetime,
    *,
    overlaps: Iterable[OverlapRow] = (),
    known: Unchanged | None = None,
) -> int:
    """Put `table` in the place of all that was known under this model; return the assessment's id.

    Of `known` products nothing is written, unless somebody renamed a category since it was found.
    """
    assessment = _still_there(session, model_version_id, classes, known)
    if assessment is None or known is None:
        _forget(session, model_version_id)
        assessment = Assessment(model_version_id=model_version_id, classes=list(classes))
        written = np.arange(len(table.product_id))
    else:
        _forget_products(session, model_version_id, known.others)
        session.execute(delete(Overlap).where(Overlap.assessment_id == assessment.id))
        written = np.flatnonzero(~np.isin(table.product_id, known.product_ids))
    assessment.products = len(table.product_id)
    assessment.flagged = int(table.looks_wrong.sum())
    assessment.created_at = now
    session.add(assessment)
    session.flush()
    keys = {"model_version_id": model_version_id, "assessment_id": assessment.id}
    _insert(session, table, written.tolist(), keys)
    pairs = [_pair(pair) | {"assessment_id": assessment.id} for pair in overlaps]
    if pairs:
        session.execute(insert(Overlap), pairs)
    return assessment.id


def _insert(session: Session, table: ScoreTable, rows: Sequence[int], keys: dict[str, int]) -> None:
    """Write rows; nulls are spelt out, or each pattern of them were a statement of its own."""
    query = insert(LabelScore).execution_options(render_nulls=True)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        session.execute(query, [table.columns(row) | keys for row in part])


def _still_there(
    session: Session, model_version_id: int, classes: Sequence[str], known: Unchanged | None
) -> Assessment | None:
    if known is None:
        return None
    found = session.get(Assessment, known.assessment_id)
    return found if found is not None and found.classes == list(classes) else None


def _forget(session: Session, model_version_id: int) -> None:
    mine = select(Assessment.id).where(Assessment.model_version_id == model_version_id)
    session.execute(delete(Overlap).where(Overlap.assessment_id.in_(mine)))
    session.execute(delete(LabelScore).where(LabelScore.model_version_id == model_version_id))
    session.execute(delete(Assessment).where(Assessment.model_version_id == model_version_id))


def _forget_products(session: Session, model_version_id: int, product_ids: Sequence[int]) -> None:
    for part in in_parts(product_ids):
        session.execute(
            delete(LabelScore).where(
                LabelScore.model_version_id == model_version_id,
                LabelScore.product_id.in_(part),
            )
        )


def _pair(pair: OverlapRow) -> dict[str, Any]:
    return vars(pair) | {"border": list(pair.border)}
