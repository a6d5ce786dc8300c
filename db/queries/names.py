"""Read which SKUs the catalogue has given to photos of folders."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.pieces import in_parts
from db.schema import Product

_AT_ONCE = 10_000  # SKUs


@dataclass(frozen=True)
class NameRow:
    """A product by its SKU, the path of its main photo, and whether it is shown, not retired."""

    sku: str
    image_path: str
    in_the_feed: bool


def skus_with_folders(session: Session) -> Iterator[str]:
    """Yield every SKU with a "/" in it, retired products' too, from the index of SKUs alone."""
    last = ""
    while True:
        query = (
            select(Product.sku)
            .where(Product.sku > last, Product.sku.contains("/"))
            .order_by(Product.sku)
            .limit(_AT_ONCE)
        )
        skus = session.scalars(query).all()
        if not skus:
            return
        yield from skus
        last = skus[-1]


def by_skus(session: Session, skus: Iterable[str]) -> list[NameRow]:
    """Return the products of these SKUs that exist, retired ones too."""
    found = []
    for part in in_parts(skus):
        columns = (Product.sku, Product.image_path, Product.retired_run_id.is_(None))
        query = select(*columns).where(Product.sku.in_(part)).order_by(Product.id)
        found += [NameRow(sku, path, bool(there)) for sku, path, there in session.execute(query)]
    return found
