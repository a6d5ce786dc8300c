"""The taxonomy doctor: pairs of categories that run into each other, and what lies between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog_ai.services import categories
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import Names
from catalog_ai.services.photos import ensure_thumbnail
from db.engine import read
from db.queries import categories as queries
from db.queries import models
from db.queries.categories import BorderRow, OverlapRow
from db.vectors import from_blob

SHOWN = 8  # products of a pair's border


@dataclass(frozen=True)
class BorderProduct:
    """A product that could be either; both shares are 0..1, its own label left out."""

    product_id: int
    sku: str
    label: str | None
    one: float
    other: float
    thumbnail: Path


@dataclass(frozen=True)
class OverlapView:
    """Two categories; `share` of their `products`, 0..1, could as well be of the other one."""

    one: str
    other: str
    share: float
    products: int
    border: tuple[BorderProduct, ...]


def overlaps(catalogue: Catalogue) -> tuple[OverlapView, ...]:
    """Return the pairs that run into each other, the worst first, as they are called now."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        if model is None:
            return ()
        rows = queries.overlaps(session, model.id)
        wanted = [product_id for row in rows for product_id in row.border]
        border = queries.border(session, model.id, wanted)
        names = categories.known(session, model)
    found: dict[frozenset[str], OverlapView] = {}
    for row in rows:
        one, other = names.of(row.one), names.of(row.other)
        if one is not None and other is not None and one != other:
            shown = _border(catalogue, names, row, border)
            view = OverlapView(one, other, row.share, row.products, shown)
            found.setdefault(frozenset((one, other)), view)
    return tuple(found.values())


def _border(
    catalogue: Catalogue, names: Names, row: OverlapRow, known: Mapping[int, BorderRow]
) -> tuple[BorderProduct, ...]:
    there = [known[product_id] for product_id in row.border if product_id in known]
    return tuple(
        BorderProduct(
            product_id=found.product.id,
            sku=found.product.sku,
            label=found.product.label_current,
            one=_share(names, found, row.one),
            other=_share(names, found, row.other),
            thumbnail=ensure_thumbnail(
                catalogue.settings, found.product.stored_image, found.product.thumbnail
            ),
        )
        for found in there[:SHOWN]
    )


def _share(names: Names, found: BorderRow, name: str) -> float:
    """Return how likely a product is of a category, with what was merged into it since."""
    shares: Sequence[float] = from_blob(found.probabilities, len(found.classes)).tolist()
    meant = names.of(name)
    both = zip(found.classes, shares, strict=True)
    return sum(share for other, share in both if names.of(other) == meant)
