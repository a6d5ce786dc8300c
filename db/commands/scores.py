"""Write what an assessment says of each product's label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from db.schema import Assessment, LabelScore
from db.vectors import to_blob


@dataclass(frozen=True)
class ScoreRow:
    """What is known of one product's label; the fields are those of `schema.LabelScore`."""

    product_id: int
    image_sha256: str
    label: str | None
    known_label: bool
    probabilities: NDArray[np.float32]  # (C,), out of fold
    suggestion: str
    confidence: float
    score: float
    looks_wrong: bool
    neighbours: Sequence[int]
    agreement: float


def replace_scores(
    session: Session,
    model_version_id: int,
    classes: Sequence[str],
    rows: Iterable[ScoreRow],
    now: datetime,
) -> int:
    """Put `rows` in the place of all that was known under this model; return the assessment's id.

    A `score` or `agreement` that is nan is stored as null: nan never reaches a column.
    """
    session.execute(delete(LabelScore).where(LabelScore.model_version_id == model_version_id))
    session.execute(delete(Assessment).where(Assessment.model_version_id == model_version_id))
    stored = list(rows)
    assessment = Assessment(
        model_version_id=model_version_id,
        classes=list(classes),
        products=len(stored),
        flagged=sum(row.looks_wrong for row in stored),
        created_at=now,
    )
    session.add(assessment)
    session.flush()
    keys = {"model_version_id": model_version_id, "assessment_id": assessment.id}
    if stored:
        session.execute(insert(LabelScore), [_columns(row) | keys for row in stored])
    return assessment.id


def _columns(row: ScoreRow) -> dict[str, Any]:
    return vars(row) | {
        "probabilities": to_blob(row.probabilities),
        "neighbours": list(row.neighbours),
        "score": _number(row.score),
        "agreement": _number(row.agreement),
    }


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
