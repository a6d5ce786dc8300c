"""Find products by their words."""

from sqlalchemy import case, or_, select
from sqlalchemy.orm import Session

from db.queries.products import ProductRow, in_the_feed, row
from db.schema import Product

_ESCAPE = "\\"


def find(session: Session, text: str, category: str | None, limit: int) -> list[ProductRow]:
    """Return products whose SKU or title contains `text`; those whose SKU starts with it first."""
    pattern = _literal(text)
    query = select(Product).where(Product.review_state != "not_product", in_the_feed())
    if text:
        anywhere = f"%{pattern}%"
        query = query.where(
            or_(
                Product.sku.ilike(anywhere, escape=_ESCAPE),
                Product.title.ilike(anywhere, escape=_ESCAPE),
            )
        )
    if category is not None:
        query = query.where(Product.label_current == category)
    starts = case((Product.sku.ilike(f"{pattern}%", escape=_ESCAPE), 0), else_=1)
    query = query.order_by(*((starts, Product.sku) if text else (Product.id.desc(),)))
    return [row(found) for found in session.scalars(query.limit(limit))]


def _literal(text: str) -> str:
    """Return `text` so that LIKE takes % and _ for what they are."""
    for special in (_ESCAPE, "%", "_"):
        text = text.replace(special, _ESCAPE + special)
    return text
