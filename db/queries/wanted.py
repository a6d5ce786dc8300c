"""Which products somebody wants to see, and in which order: from words to conditions.

Every queue is answered by an index, so that a page of a million products is drawn from a few
thousand rows. A partial index is used only where its condition stands in the query as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    and_,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from db.queries.products import in_the_feed
from db.queries.second_looks import second_look_asked_by
from db.schema import Decision, LabelScore, Product

SCORED = frozenset({"wrong", "unknown", "odd", "twins", "disputed"})  # nothing without a score
SORTS = ("score", "value", "newest", "random")
DECIDED = ("kept", "changed", "not_product")
CONFIRMED = ("kept", "changed")
_BUT_NO_PHOTO = ("open", "kept", "changed", "second_look")

_NOT_OPEN: ColumnElement[bool] = literal_column("products.review_state <> 'open'")
_WRONG: ColumnElement[bool] = literal_column("label_scores.looks_wrong")
_UNKNOWN: ColumnElement[bool] = literal_column("NOT label_scores.known_label")
_ODD: ColumnElement[bool] = literal_column("label_scores.looks_odd")
_TWIN: ColumnElement[bool] = literal_column("label_scores.twin_id IS NOT NULL")


@dataclass(frozen=True)
class Filter:
    """Which products of one of `QUEUES`; what is None or "" is not asked about.

    `category` is what a product carries, `suggestion` what it should. `at_least` is a score, 0..1.
    `attribute` and `value` go together. `run` is one that brought or changed the product,
    `reviewer` somebody who decided about it, `search` a part of its SKU or title.
    """

    queue: str = "wrong"
    category: str | None = None
    suggestion: str | None = None
    at_least: float | None = None
    attribute: str | None = None
    value: str | None = None
    run: int | None = None
    reviewer: str | None = None
    state: str | None = None
    search: str = ""


@dataclass(frozen=True)
class Sort:
    """One of `SORTS`; "value" is the score times the number in `attribute`.

    Second looks that `reviewer` asked for come last: another pair of eyes is wanted.
    """

    by: str = "score"
    attribute: str | None = None
    reviewer: str | None = None


def conditions(wanted: Filter, model_version_id: int) -> list[ColumnElement[bool]]:
    """Return what a product that is wanted fulfils; its score is joined where it is spoken of."""
    return [*_of_queue(wanted.queue, model_version_id), *_of_score(wanted), *_of_product(wanted)]


def decided_conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    """Return `conditions` of the queue "decided" for who comes from the decisions.

    In words that fit no index of the products: SQLite would sort all that were ever decided.
    """
    state = func.coalesce(Product.review_state, "")
    return [state.in_(DECIDED), in_the_feed(), *_of_score(wanted), *_of_product(wanted)]


def needs_product(wanted: Filter) -> bool:
    """Return whether the score alone does not tell who is wanted."""
    return wanted.queue not in SCORED or wanted.queue == "twins" or bool(_of_product(wanted))


def _of_score(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.category is not None and wanted.queue in SCORED:
        # A score that counts is about the label that the product carries now.
        found.append(LabelScore.label == wanted.category)
    if wanted.suggestion is not None:
        found.append(LabelScore.suggestion == wanted.suggestion)
    if wanted.at_least is not None:
        found.append(LabelScore.score >= wanted.at_least)
    return found


def _of_product(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.category is not None and wanted.queue not in SCORED:
        found.append(Product.label_current == wanted.category)
    if wanted.attribute and wanted.value is not None:
        found.append(_text(wanted.attribute) == wanted.value)
    if wanted.run is not None:
        found.append(or_(Product.added_run_id == wanted.run, Product.changed_run_id == wanted.run))
    if wanted.reviewer is not None:
        by_them = select(Decision.product_id).where(Decision.reviewer == wanted.reviewer)
        found.append(Product.id.in_(by_them))
    if wanted.state is not None:
        found.append(Product.review_state == wanted.state)
    if wanted.search.strip():
        words = wanted.search.strip()
        found.append(
            or_(
                Product.sku.icontains(words, autoescape=True),
                Product.title.icontains(words, autoescape=True),
            )
        )
    return found


def needs_score(wanted: Filter) -> bool:
    """Return whether a condition speaks of the score, where the queue itself does not."""
    return wanted.suggestion is not None or wanted.at_least is not None


def order(wanted: Filter, sort: Sort) -> list[Any]:
    """Return the order in which a queue is worked off; ties by number, so that pages never mix."""
    queue = wanted.queue
    if sort.by == "newest":
        return [Product.id.desc()]
    if sort.by == "random":
        # Knuth's multiplicative hash: every product has a place of its own, the same each time.
        return [cast(Product.id, BigInteger) * 2_654_435_761 % 4_294_967_291]
    if sort.by == "value" and sort.attribute:
        return [worth(sort.attribute).desc().nulls_last(), Product.id]
    if queue == "all" and wanted == Filter("all"):
        return [Product.id.desc()]  # a million products are sorted by nothing else
    own = [second_look_asked_by(sort.reviewer)] if sort.reviewer and queue == "second_look" else []
    return [*own, *_usual(queue)]


def worth(attribute: str) -> ColumnElement[Any]:
    """Return the score times the number in an attribute; null where there is no number in it."""
    written = func.replace(_text(attribute), ",", ".")
    is_number = and_(
        func.ltrim(written, "0123456789.") == "",
        written.not_in(("", ".")),
        written.not_like("%.%.%"),
    )
    return LabelScore.score * case((is_number, cast(written, Float)))


def _usual(queue: str) -> list[Any]:
    if queue in {"second_look", "decided"}:
        return [last_decision().desc().nulls_last(), Product.id.desc()]
    if queue in {"unlabelled", "unknown"}:
        return [LabelScore.confidence.desc().nulls_last(), Product.id]
    if queue == "odd":
        return [LabelScore.oddity.desc(), LabelScore.product_id]
    if queue == "twins":
        # Both of a pair have each other: side by side, by the lower number of the two.
        first = case((LabelScore.twin_id < Product.id, LabelScore.twin_id), else_=Product.id)
        return [first, Product.id]
    if queue == "all":
        return [LabelScore.score.desc().nulls_last(), Product.id]
    return [LabelScore.score.desc(), LabelScore.product_id]


def last_decision() -> ColumnElement[Any]:
    """Return the number of a product's latest decision, null before the first."""
    any_of_it = aliased(Decision)
    last = select(func.max(any_of_it.id)).where(any_of_it.product_id == Product.id)
    return last.correlate(Product).scalar_subquery()


def is_latest() -> ColumnElement[bool]:
    """Return the condition that no later decision is about the same product."""
    later = aliased(Decision)
    return ~exists().where(later.product_id == Decision.product_id, later.id > Decision.id)


def looks_wrong(model_version_id: int) -> list[ColumnElement[bool]]:
    """Return the conditions of what waits because it looks wrong, for counts by pair.

    Only what the partial index of pairs holds: then it answers by itself.
    """
    return [*_of_model(model_version_id), _WRONG, LabelScore.state == "open"]


def _of_queue(queue: str, model_version_id: int) -> list[ColumnElement[bool]]:
    of_it = _QUEUES[queue](model_version_id)
    return [*_of_model(model_version_id), *of_it] if queue in SCORED else [*of_it, in_the_feed()]


def _twins(_: int) -> list[ColumnElement[bool]]:
    return [_TWIN, LabelScore.state.in_(_BUT_NO_PHOTO), _differing_twin()]


def _disputed(model_version_id: int) -> list[ColumnElement[bool]]:
    in_doubt = [*_flagged(), LabelScore.state.in_(CONFIRMED)]
    return [*in_doubt, ~_decided_under(model_version_id)]


# Made when asked for: SQLAlchemy takes a while to put a condition together.
_QUEUES: dict[str, Callable[[int], list[ColumnElement[bool]]]] = {
    "wrong": lambda _: [*_flagged(), LabelScore.state == "open"],
    "unlabelled": lambda _: [Product.review_state == "open", Product.label_current.is_(None)],
    "unknown": lambda _: [_UNKNOWN, LabelScore.label.is_not(None), LabelScore.state == "open"],
    "odd": lambda _: [_ODD, LabelScore.state == "open"],
    "twins": _twins,
    "second_look": lambda _: [_NOT_OPEN, Product.review_state == "second_look"],
    "disputed": _disputed,
    "decided": lambda _: [_NOT_OPEN, Product.review_state.in_(DECIDED)],
    "all": lambda _: [],
}


def _of_model(model_version_id: int) -> list[ColumnElement[bool]]:
    return [LabelScore.model_version_id == model_version_id]


def _flagged() -> list[ColumnElement[bool]]:
    """Twice the same: once for the index on it, once for the partial one."""
    return [LabelScore.looks_wrong.is_(True), _WRONG]


def _differing_twin() -> ColumnElement[bool]:
    """The twin still carries another label; where people confirmed both, they want it so."""
    twin = Product.__table__.alias("twin")
    return exists().where(
        twin.c.id == LabelScore.twin_id,
        twin.c.label_current != Product.label_current,
        twin.c.review_state != "not_product",
        or_(Product.review_state.not_in(CONFIRMED), twin.c.review_state.not_in(CONFIRMED)),
    )


def _decided_under(model_version_id: int) -> ColumnElement[bool]:
    """Somebody confirmed the label knowing what this model says: it is not asked about again."""
    return exists().where(
        Decision.product_id == LabelScore.product_id,
        Decision.model_version_id == model_version_id,
        Decision.action != "undo",
    )


def _text(attribute: str) -> ColumnElement[str]:
    value: ColumnElement[str] = Product.attributes[attribute].as_string()
    return value
