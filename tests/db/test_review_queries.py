"""Queries of the review desk that pages of a million products wait for."""

from catalog_ai.services.catalogue import Catalogue
from db.engine import read, write
from db.queries import review
from db.queries.wanted import Filter, Sort
from db.schema import Decision, Product
from tests.helpers import Seeded


def test_labels_are_counted_without_what_was_retired(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        kept = session.get_one(Product, seeded.product_ids[0])
        gone, alone, unlabelled = (session.get_one(Product, n) for n in seeded.product_ids[1:4])
        kept.label_current = gone.label_current = "cape"
        alone.label_current = "poncho"  # nothing of it is left
        unlabelled.label_current = None
        gone.retired_run_id = alone.retired_run_id = seeded.run_id
    with read(catalogue.engine) as session:
        found = review.products_by_label(session)
    assert found["cape"] == 1
    assert "poncho" not in found
    assert sum(found.values()) == len(seeded.product_ids) - 3
    assert list(found.items()) == sorted(found.items(), key=lambda row: (-row[1], row[0]))


def test_a_page_of_rows_is_in_the_order_of_its_numbers(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    wanted, by_chance = Filter("all"), Sort("random")
    with read(catalogue.engine) as session:
        whole = review.page(session, seeded.model_id, wanted, by_chance, offset=0, limit=None)
        part = review.page(session, seeded.model_id, wanted, by_chance, offset=3, limit=5)
    numbers = [row.product.id for row in whole]
    assert sorted(numbers) == sorted(seeded.product_ids)
    assert numbers != sorted(numbers)
    assert part == whole[3:8]
    assert all(row.score is not None for row in whole)


def test_what_was_decided_twice_is_listed_once_by_its_latest(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first, second = seeded.wrong_ids[:2]
    with write(catalogue.engine) as session:
        for number, product_id in enumerate((first, second, first)):
            product = session.get_one(Product, product_id)
            product.review_state = "kept"
            session.add(_decision(product, f"again-{number}", seeded))
    with read(catalogue.engine) as session:
        rows = review.page(session, seeded.model_id, Filter("decided"), Sort(), offset=0, limit=9)
    assert [row.product.id for row in rows][:2] == [first, second]
    assert len({row.product.id for row in rows}) == len(rows)


def _decision(product: Product, request_key: str, seeded: Seeded) -> Decision:
    return Decision(
        product_id=product.id, action="keep", label_before=product.label_current,
        label_after=product.label_current, state_before="open", state_after="kept",
        image_sha256=product.image_sha256, model_version_id=seeded.model_id, reviewer="Ana",
        request_key=request_key, decided_at=product.updated_at,
    )  # fmt: skip
