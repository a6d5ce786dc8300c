"""Read ingest runs and their items."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from db.queries.products import in_the_feed
from db.queries.review import fresh
from db.schema import LabelScore, ModelVersion, Product, Run, RunItem

BROUGHT = ("added", "updated")  # outcomes of products that a run took in
_MOVED = or_(RunItem.label_before.is_not(None), RunItem.label_after.is_not(None))


@dataclass(frozen=True)
class RunRow:
    """One run; `model` is the version that classified its photos.

    `waiting` is how many of its quarantined items nobody has settled.
    """

    id: int
    source: str
    state: str
    seen: int
    added: int
    updated: int
    unchanged: int
    retired: int
    quarantined: int
    missing: int
    unlisted: int
    second_look: int
    seconds: float
    images_per_second: float
    message: str
    page: str
    options: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None
    model: str | None
    waiting: int


@dataclass(frozen=True)
class RunItemRow:
    """One photo or row that a run changed or could not use.

    `title`, `label`, `stored_image` and `product_thumbnail` are its product's now, "" or None where
    it has none. `suggestion` and `score` are what the assessment says, where it was asked for.
    """

    id: int
    run_id: int
    product_id: int | None
    sku: str
    image: str
    outcome: str
    code: str
    reason: str
    label_before: str | None
    label_after: str | None
    thumbnail: str
    settled: str
    title: str = ""
    label: str | None = None
    stored_image: str = ""
    product_thumbnail: str = ""
    suggestion: str = ""
    score: float | None = None


@dataclass(frozen=True)
class Judged:
    """Of what a run brought: how many labels look wrong, how many the worker has yet to look at.

    `second_look` changed under a decision. What a person has decided about is none of these.
    """

    looks_wrong: int
    unseen: int
    second_look: int


_OF_THE_RUN = [name for name in RunRow.__dataclass_fields__ if name not in {"model", "waiting"}]
_OF_THE_ITEM = [name for name in RunItemRow.__dataclass_fields__ if name in RunItem.__table__.c]


def latest(session: Session, limit: int) -> list[RunRow]:
    """Return runs, the newest first."""
    return _runs(session, _with_model().limit(limit))


def one(session: Session, run_id: int) -> RunRow | None:
    """Return one run, None where there is none of that number."""
    return next(iter(_runs(session, _with_model().where(Run.id == run_id))), None)


def latest_names(session: Session, limit: int) -> list[tuple[int, str]]:
    """Return number and source of runs, the newest first."""
    query = select(Run.id, Run.source).order_by(Run.id.desc()).limit(limit)
    return [(number, source) for number, source in session.execute(query)]


def with_page(session: Session, limit: int) -> list[RunRow]:
    """Return ended runs that were asked for a page, the newest first."""
    query = _with_model().where(Run.page != "", Run.state != "running")
    return _runs(session, query.limit(limit))


def items(
    session: Session,
    run_id: int,
    outcomes: Sequence[str],
    limit: int,
    *,
    offset: int = 0,
    moved: bool | None = None,
    settled: str | None = None,
) -> list[RunItemRow]:
    """Return what became of the run's photos and rows, in the order in which it met them.

    `moved` keeps those whose label the run moved, or those that it left; `settled` those that a
    person has dealt with in that way.
    """
    query = (
        select(RunItem, Product)
        .outerjoin(Product, Product.id == RunItem.product_id)
        .where(RunItem.run_id == run_id, RunItem.outcome.in_(outcomes))
        .order_by(RunItem.id)
    )
    if moved is not None:
        query = query.where(_MOVED if moved else ~_MOVED)
    if settled is not None:
        query = query.where(RunItem.settled == settled)
    found = session.execute(query.offset(offset).limit(limit))
    return [_item(item, product) for item, product in found]


def item(session: Session, item_id: int) -> RunItemRow | None:
    """Return one item, None where there is none of that number."""
    found = session.get(RunItem, item_id)
    return None if found is None else _item(found, None)


def counts(session: Session, run_id: int) -> dict[str, int]:
    """Return outcome → how many items; "moved" → how many products of which the label moved."""
    query = (
        select(RunItem.outcome, func.count())
        .where(RunItem.run_id == run_id)
        .group_by(RunItem.outcome)
    )
    moved = select(func.count()).where(
        RunItem.run_id == run_id, RunItem.outcome == "updated", _MOVED
    )
    return dict(session.execute(query).all()) | {"moved": session.scalar(moved) or 0}


def settled_counts(session: Session, run_id: int) -> dict[str, int]:
    """Return settled → how many of the run's quarantined items."""
    query = (
        select(RunItem.settled, func.count())
        .where(RunItem.run_id == run_id, RunItem.outcome == "quarantined")
        .group_by(RunItem.settled)
    )
    return dict(session.execute(query).all())


def looks_wrong(
    session: Session, run_id: int, model_version_id: int, limit: int, *, offset: int = 0
) -> list[RunItemRow]:
    """Return products that the run brought and whose label looks wrong, the likeliest first."""
    query = (
        _brought(run_id, RunItem, Product, LabelScore)
        .join(LabelScore, fresh(model_version_id))
        .where(LabelScore.looks_wrong.is_(True), Product.review_state == "open")
        .order_by(LabelScore.score.desc(), Product.id)
        .offset(offset)
        .limit(limit)
    )
    return [_item(item, product, score) for item, product, score in session.execute(query)]


def judged(session: Session, run_id: int, model_version_id: int) -> Judged:
    """Return how it stands with the labels of what the run brought."""
    is_open = Product.review_state == "open"
    columns = (
        and_(is_open, LabelScore.looks_wrong.is_(True)),
        and_(is_open, LabelScore.product_id.is_(None)),
        Product.review_state == "second_look",
    )
    query = _brought(run_id, *(func.count().filter(column) for column in columns))
    return Judged(*session.execute(query.outerjoin(LabelScore, fresh(model_version_id))).one())


def retried(session: Session, source: str, names: Sequence[str]) -> list[int]:
    """Return the items of a source that wait to be tried again, by the names of their photos."""
    query = (
        select(RunItem.id)
        .join(Run, Run.id == RunItem.run_id)
        .where(Run.source == source, RunItem.settled == "retried", RunItem.image.in_(names))
    )
    return list(session.scalars(query))


def newest_product_ids(session: Session, limit: int) -> list[int]:
    """Return products of the last run that added any, in the order in which they came."""
    last = (
        select(RunItem.run_id)
        .where(RunItem.outcome == "added")
        .order_by(RunItem.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(RunItem.product_id)
        .where(RunItem.run_id == last, RunItem.outcome == "added")
        .order_by(RunItem.id)
        .limit(limit)
    )
    return [found for found in session.scalars(query) if found is not None]


def _with_model() -> Select[Run, str, int]:
    waiting = (
        select(func.count())
        .where(
            RunItem.run_id == Run.id,
            RunItem.outcome == "quarantined",
            RunItem.settled == "open",
        )
        .scalar_subquery()
    )
    return (
        select(Run, ModelVersion.version, waiting)
        .outerjoin(ModelVersion, ModelVersion.id == Run.model_version_id)
        .order_by(Run.id.desc())
    )


def _runs(session: Session, query: Select[Run, str, int]) -> list[RunRow]:
    return [
        RunRow(**{name: getattr(run, name) for name in _OF_THE_RUN}, model=version, waiting=waiting)
        for run, version, waiting in session.execute(query)
    ]


def _brought(run_id: int, *columns: Any) -> Select[Any]:
    """Start a query over the products that a run brought and that are still in the feed."""
    return (
        select(*columns)
        .select_from(RunItem)
        .join(Product, Product.id == RunItem.product_id)
        .where(RunItem.run_id == run_id, RunItem.outcome.in_(BROUGHT), in_the_feed())
    )


def _item(item: RunItem, product: Product | None, score: LabelScore | None = None) -> RunItemRow:
    about: dict[str, Any] = {name: getattr(item, name) for name in _OF_THE_ITEM}
    if product is not None:
        about |= {
            "title": product.title,
            "label": product.label_current,
            "stored_image": product.stored_image,
            "product_thumbnail": product.thumbnail,
        }
    if score is not None:
        about |= {"suggestion": score.suggestion, "score": score.score}
    return RunItemRow(**about)
