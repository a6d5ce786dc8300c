"""Read what the last assessment says of labels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Text, cast, exists, select
from sqlalchemy.orm import Session

from db.schema import Assessment, LabelScore
from db.vectors import matrix

EXACT = (
    *("image_sha256", "label", "known_label", "suggestion", "looks_wrong"),
    *("twin_id", "looks_odd", "neighbours"),
)
MEASURED = ("confidence", "score", "agreement", "oddity")


@dataclass(frozen=True)
class StoredScores:
    """All N products that are stored under one assessment, by id.

    `exact` has a column of each of `EXACT`, neighbours as their JSON; `measured` (N, 4) those of
    `MEASURED`, nan for none; `probabilities` are (N, C) along `classes`.
    """

    assessment_id: int
    classes: list[str]
    product_ids: NDArray[np.int64]
    exact: Mapping[str, NDArray[Any]]
    measured: NDArray[np.float64]
    probabilities: NDArray[np.float32]


def is_assessed(session: Session, model_version_id: int) -> bool:
    """Whether labels have been judged under this model."""
    found = select(exists().where(Assessment.model_version_id == model_version_id))
    return bool(session.scalar(found))


def stored(session: Session, model_version_id: int) -> StoredScores | None:
    """Return what the last assessment under this model left, None before the first."""
    assessment = session.scalar(
        select(Assessment)
        .where(Assessment.model_version_id == model_version_id)
        .order_by(Assessment.id.desc())
        .limit(1)
    )
    if assessment is None:
        return None
    exact = [_as_text(name) for name in EXACT]
    measured = [getattr(LabelScore, name) for name in MEASURED]
    rows = session.execute(
        select(LabelScore.product_id, LabelScore.probabilities, *measured, *exact)
        .where(
            LabelScore.assessment_id == assessment.id,
            LabelScore.model_version_id == model_version_id,
        )
        .order_by(LabelScore.product_id)
    ).all()
    columns = list(zip(*rows, strict=True)) or [()] * (2 + len(MEASURED) + len(EXACT))
    cut = 2 + len(MEASURED)
    return StoredScores(
        assessment.id,
        assessment.classes,
        np.array(columns[0], np.int64),
        {name: np.array(column, object) for name, column in zip(EXACT, columns[cut:], strict=True)},
        np.array(columns[2:cut], np.float64).T,
        matrix(columns[1], len(assessment.classes)),
    )


def _as_text(name: str) -> Any:
    """Return a column; neighbours as they are written: to take them apart takes longer."""
    column = getattr(LabelScore, name)
    return cast(column, Text) if name == "neighbours" else column
