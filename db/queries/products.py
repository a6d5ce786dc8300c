"""Read products."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.schema import Embedding, Features, Product, ProductPhoto, RefusedPhoto


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
    retired_run_id: int | None


_COLUMNS = [getattr(Product, name) for name in ProductRow.__dataclass_fields__]


@dataclass(frozen=True)
class FurtherPhotoRow:
    """A further photo of a product; the fields are those of `schema.ProductPhoto`."""

    image_path: str
    image_sha256: str
    stored_image: str
    thumbnail: str


def in_the_feed() -> ColumnElement[bool]:
    """Return the condition that a product is not retired: such are shown nowhere."""
    return Product.retired_run_id.is_(None)


def count(session: Session) -> int:
    """Return how many products there are, retired ones left out."""
    everything = select(func.count()).select_from(Product)
    gone = everything.where(Product.retired_run_id.is_not(None))  # few, and with an index
    return (session.scalar(everything) or 0) - (session.scalar(gone) or 0)


def attribute_values(session: Session, *, newest: int) -> dict[str, tuple[str, ...]]:
    """Return attribute → its values among the newest products, by name."""
    rows = session.scalars(select(Product.attributes).order_by(Product.id.desc()).limit(newest))
    found: dict[str, set[str]] = {}
    for attributes in rows:
        for name, value in attributes.items():
            found.setdefault(name, set()).add(str(value))
    return {name: tuple(sorted(values)) for name, values in sorted(found.items())}


def by_id(session: Session, product_id: int) -> ProductRow | None:
    """Return one product."""
    found = session.get(Product, product_id)
    return None if found is None else row(found)


def by_ids(session: Session, product_ids: Sequence[int]) -> dict[int, ProductRow]:
    """Return id → product, for those that exist."""
    return {
        found.id: row(found)
        for part in in_parts(product_ids)
        for found in session.scalars(_by_ids(), {"ids": part})
    }


@cache
def _by_ids() -> Select[Product]:
    return select(Product).where(Product.id.in_(bindparam("ids", expanding=True)))


def by_skus(
    session: Session, skus: Sequence[str], *, to_change: bool = False
) -> dict[str, ProductRow]:
    """Return SKU → product, for those that exist, retired ones too.

    With `to_change` the rows stay as they are until the transaction ends, whatever others want.
    """
    found: dict[str, ProductRow] = {}
    for part in in_parts(skus):
        query = select(*_COLUMNS).where(Product.sku.in_(part))
        if to_change:
            query = query.with_for_update(of=Product)
        found.update((values.sku, ProductRow(*values)) for values in session.execute(query))
    return found


def further_photos(
    session: Session, product_ids: Sequence[int]
) -> dict[int, tuple[FurtherPhotoRow, ...]]:
    """Return product id → its further photos in their order, for those that have any."""
    photos: dict[int, list[FurtherPhotoRow]] = {}
    for part in in_parts(product_ids):
        query = (
            select(ProductPhoto)
            .where(ProductPhoto.product_id.in_(part))
            .order_by(ProductPhoto.product_id, ProductPhoto.position)
        )
        for found in session.scalars(query):
            names = FurtherPhotoRow.__dataclass_fields__
            values = {name: getattr(found, name) for name in names}
            photos.setdefault(found.product_id, []).append(FurtherPhotoRow(**values))
    return {product_id: tuple(rows) for product_id, rows in photos.items()}


def in_the_feed_by_id(
    session: Session, *, after_id: int = 0, limit: int = 10_000
) -> list[tuple[int, str, str]]:
    """Return (id, SKU, main photo relative to the source) of products not retired, by id."""
    query = (
        select(Product.id, Product.sku, Product.image_path)
        .where(in_the_feed(), Product.id > after_id)
        .order_by(Product.id)
        .limit(limit)
    )
    return [(found.id, found.sku, found.image_path) for found in session.execute(query)]


def refused_photos(session: Session, decoder_version: int) -> dict[str, tuple[str, str]]:
    """Return sha256 → (code, reason) of bytes that this version of the decoder refused."""
    query = select(RefusedPhoto).where(RefusedPhoto.decoder_version == decoder_version)
    return {found.image_sha256: (found.code, found.reason) for found in session.scalars(query)}


def everything(session: Session) -> list[ProductRow]:
    """Return all products that are not retired, by id."""
    query = select(Product).where(in_the_feed()).order_by(Product.id)
    return [row(found) for found in session.scalars(query)]


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
    session: Session,
    model_version_id: int,
    preprocessing_version: int,
    *,
    after_id: int = 0,
    limit: int = 256,
) -> list[ProductRow]:
    """Return products without a vector of their present photo under the model, by id."""
    vector, features = _of_present_photo(model_version_id, preprocessing_version)
    query = (
        select(Product)
        .outerjoin(Embedding, vector)
        .outerjoin(Features, features)
        .where(
            or_(Embedding.product_id.is_(None), Features.product_id.is_(None)),
            Product.id > after_id,
        )
        .order_by(Product.id)
        .limit(limit)
    )
    return [row(found) for found in session.scalars(query)]


def with_vector(
    session: Session,
    model_version_id: int,
    preprocessing_version: int,
    product_ids: Sequence[int],
) -> set[int]:
    """Return which of the products have a vector of their present photo under the model."""
    vector, features = _of_present_photo(model_version_id, preprocessing_version)
    query = select(Product.id).join(Embedding, vector).join(Features, features)
    return {
        found
        for part in in_parts(product_ids)
        for found in session.scalars(query.where(Product.id.in_(part)))
    }


def _of_present_photo(
    model_version_id: int, preprocessing_version: int
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return which vector is a product's under the model, and which features are.

    Features came later than vectors: products of an older catalogue lack them.
    """
    vector, features = (
        and_(
            table.product_id == Product.id,
            table.model_version_id == model_version_id,
            table.image_sha256 == Product.image_sha256,
        )
        for table in (Embedding, Features)
    )
    return and_(vector, Embedding.preprocessing_version == preprocessing_version), features


def row(found: Product) -> ProductRow:
    """Return a table row as what queries hand out."""
    return ProductRow(**{name: getattr(found, name) for name in ProductRow.__dataclass_fields__})
