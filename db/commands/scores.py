"""Write what an assessment says of each product's label."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.queries.scores import EXACT, MEASURED, StoredScores
from db.schema import Assessment, LabelScore, Overlap
from db.vectors import FORMAT, to_blob

SAME = 0.005  # what moved by less is left as stored: each label moves every number a little


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
    twin_id: int | None = None
    oddity: float = float("nan")
    looks_odd: bool = False


@dataclass(frozen=True)
class OverlapRow:
    """Two categories that run into each other; the fields are those of `schema.Overlap`."""

    one: str
    other: str
    share: float
    products: int
    border: Sequence[int]


@dataclass(frozen=True)
class Unchanged:
    """Of what is stored under one assessment: the products of which nothing new is known."""

    assessment_id: int
    product_ids: frozenset[int]
    others: tuple[int, ...]  # stored as well, but changed or gone


def unchanged(
    before: StoredScores | None, classes: Sequence[str], rows: Sequence[ScoreRow]
) -> Unchanged | None:
    """Return what need not be written again; None where all must be.

    What is stored is compared with what was found now, never with an earlier difference, so it is
    never further than `SAME` from the truth. This takes no transaction.
    """
    if before is None or before.classes != list(classes):
        return None
    alike = [row for row in rows if row.product_id in before.rows and _says_the_same(row, before)]
    stood = [before.rows[row.product_id] for row in alike]
    moved = _moved([_measured(row) for row in alike], [measured for _, measured, _ in stood])
    shares = np.frombuffer(b"".join(blob for _, _, blob in stood), FORMAT)
    now = np.array([row.probabilities for row in alike], np.float32).reshape(
        len(alike), len(classes)
    )
    moved |= (np.abs(shares.reshape(now.shape) - now) > SAME).any(1)
    kept = frozenset(row.product_id for row, new in zip(alike, moved, strict=True) if not new)
    return Unchanged(before.assessment_id, kept, tuple(sorted(before.rows.keys() - kept)))


def replace_scores(
    session: Session,
    model_version_id: int,
    classes: Sequence[str],
    rows: Iterable[ScoreRow],
    now: datetime,
    *,
    overlaps: Iterable[OverlapRow] = (),
    known: Unchanged | None = None,
) -> int:
    """Put `rows` in the place of all that was known under this model; return the assessment's id.

    Of `known` products nothing is written, unless somebody renamed a category since it was found.
    A `score`, `agreement` or `oddity` that is nan is stored as null: nan never reaches a column.
    """
    found = list(rows)
    assessment = _still_there(session, model_version_id, classes, known)
    if assessment is None or known is None:
        _forget(session, model_version_id)
        assessment = Assessment(model_version_id=model_version_id, classes=list(classes))
        written = found
    else:
        _forget_products(session, model_version_id, known.others)
        session.execute(delete(Overlap).where(Overlap.assessment_id == assessment.id))
        written = [row for row in found if row.product_id not in known.product_ids]
    assessment.products = len(found)
    assessment.flagged = sum(row.looks_wrong for row in found)
    assessment.created_at = now
    session.add(assessment)
    session.flush()
    keys = {"model_version_id": model_version_id, "assessment_id": assessment.id}
    if written:
        session.execute(insert(LabelScore), [_columns(row) | keys for row in written])
    pairs = [_pair(pair) | {"assessment_id": assessment.id} for pair in overlaps]
    if pairs:
        session.execute(insert(Overlap), pairs)
    return assessment.id


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


def _says_the_same(row: ScoreRow, before: StoredScores) -> bool:
    now = vars(row) | {"neighbours": list(row.neighbours)}
    return tuple(now[name] for name in EXACT) == before.rows[row.product_id][0]


def _measured(row: ScoreRow) -> tuple[float | None, ...]:
    return tuple(_number(getattr(row, name)) for name in MEASURED)


def _moved(
    now: Sequence[tuple[float | None, ...]], before: Sequence[tuple[float | None, ...]]
) -> NDArray[np.bool_]:
    """Return (N,): whether a number moved, came or went."""
    shape = len(now), len(MEASURED)
    one, other = (np.array(rows, np.float64).reshape(shape) for rows in (now, before))
    differs = (np.abs(one - other) > SAME) | (np.isnan(one) != np.isnan(other))
    moved: NDArray[np.bool_] = differs.any(axis=1)
    return moved


def _columns(row: ScoreRow) -> dict[str, Any]:
    return vars(row) | {
        "probabilities": to_blob(row.probabilities),
        "neighbours": list(row.neighbours),
        **{name: _number(getattr(row, name)) for name in MEASURED},
    }


def _pair(pair: OverlapRow) -> dict[str, Any]:
    return vars(pair) | {"border": list(pair.border)}


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
