"""Read categories: what people say of them, what products carry, and where two of them meet.

Names are compared by `normal_label`, which no database knows: spellings come back as they are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from sqlalchemy import Select, bindparam, exists, func, select
from sqlalchemy.orm import Session, aliased

from db.pieces import AT_ONCE, in_parts, values_of
from db.queries.products import ProductRow, in_the_feed, row
from db.queries.review import fresh
from db.queries.wanted import looks_wrong
from db.schema import Assessment, Batch, Category, LabelScore, Overlap, Product


@dataclass(frozen=True)
class CategoryRow:
    """What people say of one name; the fields are those of `schema.Category`."""

    name: str
    normal_name: str
    renamed_to: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class LabelCount:
    """How many products of the feed carry a label, in one state of their review."""

    label: str
    state: str
    products: int


@dataclass(frozen=True)
class OverlapRow:
    """Two categories that run into each other, as an assessment saw it; `border` are products."""

    one: str
    other: str
    share: float
    products: int
    border: tuple[int, ...]


@dataclass(frozen=True)
class BorderRow:
    """A product between two categories; `probabilities` is a "<f4" blob along `classes`."""

    product: ProductRow
    probabilities: bytes
    classes: tuple[str, ...]


@dataclass(frozen=True)
class RenamingRow:
    """One renaming, a batch of decisions; `undone` says that a later batch takes it back."""

    batch_id: int
    words: str
    reviewer: str
    made_at: datetime
    undone: bool


def all_rows(session: Session) -> list[CategoryRow]:
    """Return what was added and what was given up, in the order in which that happened."""
    names = CategoryRow.__dataclass_fields__
    rows = session.scalars(select(Category).order_by(Category.id))
    return [CategoryRow(**{name: getattr(found, name) for name in names}) for found in rows]


def label_counts(session: Session) -> list[LabelCount]:
    """Return how many products of the feed carry each label in each state.

    An index on label and state answers for all products, another for the few that were retired.
    """
    counts: dict[tuple[str, str], int] = {}
    retired = select(Product.id).where(Product.retired_run_id.is_not(None))
    gone = _counted().where(Product.id.in_(retired))  # else SQLite would look at every product
    for query, sign in ((_counted(), 1), (gone, -1)):
        for label, state, products in session.execute(query):
            if label is not None:
                key = label, state
                counts[key] = counts.get(key, 0) + sign * products
    return [LabelCount(*key, products) for key, products in sorted(counts.items())]


def label_marks(session: Session, most: int) -> list[LabelCount]:
    """Return each label that the feed carries, with as many products as there are, `most` at most.

    A label that somebody chose for a product comes in the state "changed" as well. Each label costs
    a few looks into the index, however many products carry it: counting a million takes a while.
    """
    found = []
    for name, products, was_chosen in session.execute(_marks(), {"most": most}):
        if products:
            found.append(LabelCount(name, "open", products))
        if was_chosen:
            found.append(LabelCount(name, "changed", 1))
    return found


@cache
def _marks() -> Select[str, int | None, bool]:
    label = Product.label_current
    labels = values_of(label)
    of_it = (label == labels.c.value, in_the_feed())
    some = select(Product.id).where(*of_it).limit(bindparam("most")).correlate(labels).subquery()
    chosen = exists().where(*of_it, Product.review_state == "changed").correlate(labels)
    carrying = select(func.count()).select_from(some).scalar_subquery()
    return select(labels.c.value, carrying, chosen).where(labels.c.value.is_not(None))


def _counted() -> Select[str | None, str, int]:
    columns = Product.label_current, Product.review_state
    return select(*columns, func.count()).group_by(*columns)


def wrong_counts(session: Session, model_version_id: int) -> dict[str, int]:
    """Return label → how many open products of it look wrong."""
    query = (
        select(LabelScore.label, func.count())
        .where(*looks_wrong(model_version_id))
        .group_by(LabelScore.label)
    )
    return {label: products for label, products in session.execute(query) if label is not None}


def suggested(
    session: Session, model_version_id: int, labels: Collection[str]
) -> dict[str, dict[str, int]]:
    """Return label → what its products look like → how many of them."""
    found: dict[str, dict[str, int]] = {}
    for part in in_parts(labels):
        # SQLite would begin with the scores of all products.
        carrying_it = select(Product.id).where(Product.label_current.in_(part))
        query = (
            select(Product.label_current, LabelScore.suggestion, func.count())
            .join(LabelScore, fresh(model_version_id))
            .where(LabelScore.product_id.in_(carrying_it), LabelScore.suggestion != "")
            .group_by(Product.label_current, LabelScore.suggestion)
        )
        for label, suggestion, products in session.execute(query):
            found.setdefault(label or "", {})[suggestion] = products
    return found


def examples(session: Session, labels: Collection[str], limit: int) -> list[ProductRow]:
    """Return the newest products of the feed that carry one of these labels."""
    query = (
        select(Product)
        .where(Product.label_current.in_(list(labels)[:AT_ONCE]), in_the_feed())
        .order_by(Product.id.desc())
        .limit(limit)
    )
    return [row(found) for found in session.scalars(query)]


def carrying(session: Session, labels: Collection[str]) -> int:
    """Return how many products carry one of these labels, retired ones too."""
    query = select(func.count()).select_from(Product)
    parts = (query.where(Product.label_current.in_(part)) for part in in_parts(labels))
    return sum(session.scalar(part) or 0 for part in parts)


def spellings(session: Session) -> list[str]:
    """Return every label that a product carries, retired ones too, by name."""
    labels = values_of(Product.label_current)
    query = select(labels.c.value).where(labels.c.value.is_not(None)).order_by(labels.c.value)
    return list(session.scalars(query))


def delivered_as(session: Session, label: str) -> list[str]:
    """Return the feed's words for the products that carry `label`."""
    query = select(Product.label_given).where(Product.label_current == label).distinct()
    return sorted(word for word in session.scalars(query) if word)


def overlaps(session: Session, model_version_id: int) -> list[OverlapRow]:
    """Return the pairs that run into each other, the worst first."""
    query = (
        select(Overlap)
        .join(Assessment, Assessment.id == Overlap.assessment_id)
        .where(Assessment.model_version_id == model_version_id)
        .order_by(Overlap.share.desc(), Overlap.one, Overlap.other)
    )
    return [
        OverlapRow(found.one, found.other, found.share, found.products, tuple(found.border))
        for found in session.scalars(query)
    ]


def border(
    session: Session, model_version_id: int, product_ids: Sequence[int]
) -> dict[int, BorderRow]:
    """Return product id → what is known of it, for those that could still be of either."""
    query = (
        select(Product, LabelScore.probabilities, Assessment.classes)
        .join(LabelScore, LabelScore.product_id == Product.id)
        .join(Assessment, Assessment.id == LabelScore.assessment_id)
        .where(
            LabelScore.model_version_id == model_version_id,
            LabelScore.image_sha256 == Product.image_sha256,
            Product.review_state != "not_product",
            in_the_feed(),
        )
    )
    return {
        product.id: BorderRow(row(product), shares, tuple(classes))
        for part in in_parts(product_ids)
        for product, shares, classes in session.execute(query.where(Product.id.in_(part)))
    }


def renamings(session: Session, limit: int) -> list[RenamingRow]:
    """Return renamings, the newest first."""
    undo = aliased(Batch)
    query = (
        select(Batch, undo.id)
        .outerjoin(undo, undo.undoes_id == Batch.id)
        .where(Batch.kind == "rename")
        .order_by(Batch.id.desc())
        .limit(limit)
    )
    return [
        RenamingRow(*(found.id, found.words, found.reviewer, found.made_at), undone is not None)
        for found, undone in session.execute(query)
    ]
