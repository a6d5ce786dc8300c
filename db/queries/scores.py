"""Read what the last assessment says of labels."""

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.schema import Assessment, LabelScore

EXACT = (
    *("image_sha256", "label", "known_label", "suggestion", "looks_wrong"),
    *("twin_id", "looks_odd", "neighbours"),
)
MEASURED = ("confidence", "score", "agreement", "oddity")


@dataclass(frozen=True)
class StoredScores:
    """All that is stored under one assessment: product id → (exact, measured, probabilities).

    `exact` are the values of `EXACT`, `measured` those of `MEASURED` (None where there is none),
    probabilities a "<f4" blob along `classes`.
    """

    assessment_id: int
    classes: list[str]
    rows: dict[int, tuple[tuple[object, ...], tuple[float | None, ...], bytes]]


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
    columns = [getattr(LabelScore, name) for name in (*EXACT, *MEASURED)]
    query = select(LabelScore.product_id, LabelScore.probabilities, *columns).where(
        LabelScore.assessment_id == assessment.id, LabelScore.model_version_id == model_version_id
    )
    cut = 2 + len(EXACT)
    rows = {row[0]: (tuple(row[2:cut]), tuple(row[cut:]), row[1]) for row in session.execute(query)}
    return StoredScores(assessment.id, assessment.classes, rows)
