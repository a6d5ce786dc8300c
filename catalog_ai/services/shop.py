"""Shop the look: what the catalogue has that looks like a product or like an uploaded photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from catalog_ai.config import Settings
from catalog_ai.data.sources import normal_label
from catalog_ai.errors import NoModelError, UsageError
from catalog_ai.images import decode_photo
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import aliases
from catalog_ai.services.evidence import Candidate
from catalog_ai.services.neighbours import CatalogueIndex, load_index, search
from catalog_ai.services.photos import ensure_thumbnail
from catalog_ai.services.shipped import ensure_model
from db.engine import read
from db.queries import embeddings, models
from db.queries import review as review_queries
from db.queries import shop as queries
from db.queries.products import ProductRow

if TYPE_CHECKING:
    from catalog_ai.inference.embeddings import CatalogModel

_NO_MODEL = 0  # no model has this id


@dataclass(frozen=True)
class ProductCard:
    """One product as a tile shows it; `suggestion` is None before the first assessment."""

    product_id: int
    sku: str
    title: str
    label: str | None
    thumbnail: Path
    image: Path
    suggestion: str | None
    looks_wrong: bool
    attributes: dict[str, Any]
    review_state: str


@dataclass(frozen=True)
class Match:
    """A similar product and its Euclidean distance, 0 (the same photo) to 2."""

    card: ProductCard
    distance: float


@dataclass(frozen=True)
class PhotoMatches:
    """What the model says of an uploaded photo, and the products that look like it.

    `label` is empty and there are no candidates where the model knows no categories. `preview` is a
    JPEG that we encoded: an upload itself is never shown.
    """

    label: str
    confidence: float
    candidates: tuple[Candidate, ...]
    matches: tuple[Match, ...]
    preview: bytes


def product_card(catalogue: Catalogue, product_id: int) -> ProductCard | None:
    """Return one product, None where it does not exist."""
    return next(iter(product_cards(catalogue, [product_id])), None)


def product_cards(catalogue: Catalogue, product_ids: Sequence[int]) -> tuple[ProductCard, ...]:
    """Return products in the order of their ids as given; unknown ids are left out."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        rows = review_queries.many(session, model.id if model else _NO_MODEL, list(product_ids))
    cards = {row.product.id: card(catalogue.settings, row) for row in rows}
    return tuple(cards[number] for number in product_ids if number in cards)


def card(settings: Settings, row: review_queries.ReviewRow) -> ProductCard:
    """Return a product with what is known of its label."""
    product, score = row.product, row.score
    return ProductCard(
        *(product.id, product.sku, product.title, product.label_current),
        thumbnail=ensure_thumbnail(settings, product.stored_image, product.thumbnail),
        image=settings.home / product.stored_image,
        suggestion=score.suggestion if score else None,
        looks_wrong=bool(score and score.looks_wrong and product.review_state == "open"),
        attributes=product.attributes,
        review_state=product.review_state,
    )


def find_products(
    catalogue: Catalogue, text: str = "", *, category: str | None = None, limit: int = 24
) -> tuple[ProductCard, ...]:
    """Return products whose SKU or title contains `text`; without one, the newest."""
    with in_plain_words(), read(catalogue.engine) as session:
        found: list[ProductRow] = queries.find(session, text.strip(), category, limit)
    return product_cards(catalogue, [product.id for product in found])


def similar_to_product(
    catalogue: Catalogue,
    product_id: int,
    *,
    k: int = 12,
    category: str | None = None,
    index: CatalogueIndex | None = None,
) -> tuple[Match, ...]:
    """Return the `k` products that look most like one, the closest first, never itself.

    `index` is what `load_index` returned, where the caller keeps it. Raises `NoModelError`, and
    `UsageError` for a product without a vector.
    """
    known = _index(catalogue, index)
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.by_version(session, known.version)
        vector = embeddings.vector(session, model.id, product_id) if model else None
    if vector is None:
        raise UsageError(
            "the model has not seen this product yet: run python -m catalog_ai.worker, then reload"
        )
    return _matches(catalogue, known, vector, k, category, exclude=product_id)


def similar_to_photo(
    catalogue: Catalogue,
    data: bytes,
    *,
    k: int = 12,
    category: str | None = None,
    index: CatalogueIndex | None = None,
) -> PhotoMatches:
    """Return what the model says of a photo and the `k` products that look most like it.

    `data` is a whole JPEG, PNG or WebP file. Raises `PhotoError`, `NoModelError`,
    `CheckpointError`. This loads torch; searching by a product does not.
    """
    photo = decode_photo(data)
    if index is None:
        ensure_model(catalogue)
    known = _index(catalogue, index)
    settings = catalogue.settings
    model = _model(settings.models / known.version, settings.runtime, settings.execution_provider)
    outputs = model.predict([photo.pixels])
    shares = outputs.probabilities[0]
    ranked = _ranked(catalogue, model.classes, shares.tolist())
    return PhotoMatches(
        *((ranked[0].label, ranked[0].probability) if ranked else ("", 0.0)),
        candidates=ranked,
        matches=_matches(catalogue, known, outputs.vectors[0], k, category),
        preview=photo.thumbnail(),
    )


def _ranked(
    catalogue: Catalogue, classes: Sequence[str], shares: Sequence[float]
) -> tuple[Candidate, ...]:
    """Return a model's classes under the names that they have now, the likeliest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        given_up = aliases(session)
    found: dict[str, float] = {}
    for name, share in zip(classes, shares, strict=True):
        called = given_up.get(normal_label(name), name)
        found[called] = found.get(called, 0.0) + share
    ranked = sorted(found.items(), key=lambda pair: -pair[1])
    return tuple(Candidate(name, share) for name, share in ranked)


def _index(catalogue: Catalogue, index: CatalogueIndex | None) -> CatalogueIndex:
    found = index or load_index(catalogue)
    if found is None:
        raise NoModelError("there is no model to search with yet: run python -m catalog_ai.worker")
    return found


@lru_cache(maxsize=2)
def _model(folder: Path, runtime: str, provider: str) -> "CatalogModel":
    """A version's files never change, so a loaded one stays valid for as long as it is used."""
    from catalog_ai.inference.embeddings import CatalogModel

    return CatalogModel.load(folder, runtime=runtime, provider=provider)


def _matches(
    catalogue: Catalogue,
    known: CatalogueIndex,
    vector: NDArray[np.float32],
    k: int,
    category: str | None,
    *,
    exclude: int | None = None,
) -> tuple[Match, ...]:
    far = dict(search(catalogue, known, vector, k, category=category, exclude=exclude))
    return tuple(
        Match(found, far[found.product_id]) for found in product_cards(catalogue, list(far))
    )
