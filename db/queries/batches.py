"""Read batches, what each did, and what is known of products before one decides about many."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, null, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from db.pieces import in_parts
from db.queries.review import fresh
from db.queries.wanted import SCORED, Filter, conditions, needs_score
from db.schema import Batch, Decision, LabelScore, Product

Pairs = Collection[tuple[str, str]]  # two spellings of a label; "" stands for none


@dataclass(frozen=True)
class BatchRow:
    """One batch; `undone_by` is who took it back, "" where it stands.

    `last_decision_id` is None where it changed no product.
    """

    id: int
    kind: str
    words: str
    parameters: dict[str, Any]
    products: int
    reviewer: str
    undoes_id: int | None
    request_key: str
    made_at: datetime
    undone_by: str
    last_decision_id: int | None


@dataclass(frozen=True, slots=True)
class Subject:
    """A product as it stands, with what is suggested for it; `suggestion` is None without any."""

    id: int
    sku: str
    label_given: str | None
    label_current: str | None
    review_state: str
    version: int
    image_sha256: str
    suggestion: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Products of one label and suggestion; the two sums tell whether they are the same ones."""

    label: str | None
    suggestion: str | None
    count: int
    ids: int
    versions: int


@dataclass(frozen=True, slots=True)
class Member:
    """A decision of a batch; `undone_by` is who took it back on its own, "" where nobody did."""

    id: int
    product_id: int
    label_given: str | None
    label_before: str | None
    label_after: str | None
    state_before: str
    state_after: str
    image_sha256: str
    suggestion: str | None
    score: float | None
    sku: str
    undone_by: str


def by_id(session: Session, batch_id: int) -> BatchRow | None:
    """Return one batch."""
    found = session.execute(_batches().where(Batch.id == batch_id)).first()
    return None if found is None else _row(*found)


def by_request_key(session: Session, request_key: str) -> BatchRow | None:
    """Return the batch that was stored under this key, if it was."""
    found = session.execute(_batches().where(Batch.request_key == request_key)).first()
    return None if found is None else _row(*found)


def latest(session: Session, limit: int | None = 20) -> list[BatchRow]:
    """Return batches, the newest first; `limit` None for all."""
    query = _batches().order_by(Batch.id.desc()).limit(limit)
    return [_row(*found) for found in session.execute(query)]


def subjects(session: Session, model_version_id: int, ids: Sequence[int]) -> list[Subject]:
    """Return products as they stand by id, whether delivered still or not."""
    columns = [getattr(Product, name) for name in list(Subject.__dataclass_fields__)[:7]]
    query: Select[Any] = (
        select(*columns, LabelScore.suggestion, LabelScore.score)
        .outerjoin(LabelScore, fresh(model_version_id))
        .order_by(Product.id)
    )
    return [
        Subject(*found)
        for part in in_parts(sorted(ids))
        for found in session.execute(query.where(Product.id.in_(part)))
    ]


def groups(
    session: Session,
    model_version_id: int,
    wanted: Filter,
    *,
    by_suggestion: bool,
    without: Collection[int] = (),
) -> list[Group]:
    """Return what is wanted by label and, where asked for, by suggestion, the most first."""
    suggestion: Any = LabelScore.suggestion if by_suggestion else null()
    counts = func.count()
    columns = (Product.label_current, suggestion, counts, func.sum(Product.id))
    query = wanted_rows(
        *([*columns, func.sum(Product.version)], model_version_id, wanted),
        scores=by_suggestion,
        without=without,
    )
    by = (
        (Product.label_current, LabelScore.suggestion)
        if by_suggestion
        else (Product.label_current,)
    )
    query = query.group_by(*by).order_by(counts.desc(), *(column.asc() for column in by))
    return [
        Group(label, suggested, count, int(ids), int(versions))
        for label, suggested, count, ids, versions in session.execute(query)
    ]


def unsuggested(
    session: Session,
    model_version_id: int,
    wanted: Filter,
    *,
    without: Collection[int] = (),
    limit: int,
) -> list[tuple[int, str]]:
    """Return number and SKU of the first that are wanted and for which nothing is suggested."""
    query = wanted_rows(
        *([Product.id, Product.sku], model_version_id, wanted), scores=True, without=without
    )
    query = query.where(LabelScore.suggestion.is_(None)).order_by(Product.id).limit(limit)
    return [(number, sku) for number, sku in session.execute(query)]


def wanted_rows(
    columns: list[Any],
    model_version_id: int,
    wanted: Filter,
    *,
    scores: bool,
    without: Collection[int],
) -> Select[Any]:
    """Return a query for what is wanted, but for `without`; with what is said of it by `scores`."""
    query: Select[Any] = select(*columns).select_from(Product)
    if scores or wanted.queue in SCORED or needs_score(wanted):
        outer = wanted.queue not in SCORED
        query = query.join(LabelScore, fresh(model_version_id), isouter=outer)
    query = query.where(*conditions(wanted, model_version_id))
    for part in in_parts(sorted(without)):
        query = query.where(Product.id.not_in(part))
    return query


def one_label(one: Any, other: Any, same: Pairs) -> ColumnElement[bool]:
    """Return the condition that two columns hold one label: by letters, or as a pair of `same`."""
    one, other = func.coalesce(one, ""), func.coalesce(other, "")
    spelled = [tuple_(one, other).in_(part) for part in in_parts(same)]
    return or_(one == other, *spelled)


def _batches() -> Select[Any]:
    undo = aliased(Batch)
    last = select(func.max(Decision.id)).where(Decision.batch_id == Batch.id)
    return select(Batch, undo.reviewer, last.scalar_subquery()).outerjoin(
        undo, undo.undoes_id == Batch.id
    )


def _row(found: Batch, undone_by: str | None, last_decision_id: int | None) -> BatchRow:
    names = list(BatchRow.__dataclass_fields__)[:9]
    values = {name: getattr(found, name) for name in names}
    return BatchRow(**values, undone_by=undone_by or "", last_decision_id=last_decision_id)
