"""Large catalogues for the benchmark of pages: everything that a page reads is there."""

from sqlalchemy import func, select, text

from benchmarks.page_catalogues import fill
from catalog_ai.services import review, shop
from catalog_ai.services.catalogue import Catalogue
from db.engine import is_file, read
from db.schema import Decision, Embedding, LabelScore, Prediction, Product, ProjectionPoint
from tests.helpers import Seeded

COUNT = 300
_INDEX = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_embeddings_vector'"


def _rows(catalogue: Catalogue, table: type) -> int:
    with read(catalogue.engine) as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def _index_of_vectors(catalogue: Catalogue) -> str | None:
    with read(catalogue.engine) as session:
        return session.scalar(text(_INDEX))


def test_each_drawn_product_is_like_a_real_one(catalogue: Catalogue, seeded: Seeded) -> None:
    before = len(seeded.product_ids)
    known = {table: _rows(catalogue, table) for table in (Embedding, Prediction, LabelScore)}
    decided = _rows(catalogue, Decision)
    fill(catalogue, COUNT)
    drawn = _rows(catalogue, Product) - before
    assert COUNT - before <= drawn < COUNT
    for table, rows in known.items():
        assert _rows(catalogue, table) == rows + drawn, table
    assert _rows(catalogue, ProjectionPoint) >= drawn
    assert 0 < _rows(catalogue, Decision) - decided < drawn / 5
    waiting = review.review_queue(catalogue, review.Filter("wrong"))
    assert waiting.total > len(seeded.wrong_ids)


def test_vectors_are_found_through_the_index_that_was_there(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    if is_file(catalogue.engine):
        fill(catalogue, COUNT)
    else:
        index = _index_of_vectors(catalogue)
        assert index is not None
        fill(catalogue, COUNT)
        assert _index_of_vectors(catalogue) == index
    found = shop.similar_to_product(catalogue, seeded.product_ids[0])
    assert any(match.card.product_id > max(seeded.product_ids) for match in found)
