"""Read products."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from db.schema import Embedding, Product

_AT_ONCE = 500  # names in one IN list; SQLite takes 32,766 at most


@dataclass(frozen=True)
class ProductRow:
    """One product; the fields are those of `schema.Product`."""

    id: int
    sku: str
    title: str
    label_given: str | None
    label_current: str | None
    image_path: str
    image_sha256: str
    stored_image: str
    thumbnail: str
    attributes: dict[str, Any]
    review_state: str
    version: int


def count(session: Session) -> int:
    """Return how many products there are."""
    return session.scalar(select(func.count()).select_from(Product)) or 0


def by_id(session: Session, product_id: int) -> ProductRow | None:
    """Return one product."""
    found = session.get(Product, product_id)
    return None if found is None else row(found)


def by_ids(session: Session, product_ids: Sequence[int]) -> dict[int, ProductRow]:
    """Return id → product, for those that exist."""
    return {
        found.id: row(found)
        for part in _parts(product_ids)
        for found in session.scalars(select(Product).where(Product.id.in_(part)))
    }


def by_skus(session: Session, skus: Sequence[str]) -> dict[str, ProductRow]:
    """Return SKU → product, for those that exist."""
    return {
        found.sku: row(found)
        for part in _parts(skus)
        for found in session.scalars(select(Product).where(Product.sku.in_(part)))
    }


def everything(session: Session) -> list[ProductRow]:
    """Return all products, by id."""
    return [row(found) for found in session.scalars(select(Product).order_by(Product.id))]


def label_spellings(session: Session) -> list[str]:
    """Return every label that a product carries, the commonest spelling first."""
    counted = (
        select(Product.label_current)
        .where(Product.label_current.is_not(None))
        .group_by(Product.label_current)
        .order_by(func.count().desc(), Product.label_current)
    )
    return [label for label in session.scalars(counted) if label is not None]


def without_vector(
    session: Session, model_version_id: int, *, after_id: int = 0, limit: int = 256
) -> list[ProductRow]:
    """Return products without a vector of their present photo under the model, by id."""
    has_vector = and_(
        Embedding.product_id == Product.id,
        Embedding.model_version_id == model_version_id,
        Embedding.image_sha256 == Product.image_sha256,
    )
    query = (
        select(Product)
        .outerjoin(Embedding, has_vector)
        .where(Embedding.product_id.is_(None), Product.id > after_id)
        .order_by(Product.id)
        .limit(limit)
    )
    return [row(found) for found in session.scalars(query)]


def with_vector(session: Session, model_version_id: int, product_ids: Sequence[int]) -> set[int]:
    """Return which of the products have a vector of their present photo under the model."""
    query = (
        select(Product.id)
        .join(Embedding, Embedding.product_id == Product.id)
        .where(
            Embedding.model_version_id == model_version_id,
            Embedding.image_sha256 == Product.image_sha256,
        )
    )
    return {
        found
        for part in _parts(product_ids)
        for found in session.scalars(query.where(Product.id.in_(part)))
    }


def row(found: Product) -> ProductRow:
    """Return a table row as what queries hand out."""
    return ProductRow(**{name: getattr(found, name) for name in ProductRow.__dataclass_fields__})


def _parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    known = list(dict.fromkeys(values))
    return (known[start : start + _AT_ONCE] for start in range(0, len(known), _AT_ONCE))
