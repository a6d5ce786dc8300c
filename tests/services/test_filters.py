"""What a reviewer asks for, compared with a loop over all products."""

from collections.abc import Callable

import pytest
from sqlalchemy import select, update

from catalog_ai.errors import UsageError
from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import decide
from catalog_ai.services.review import Filter, Sort, review_queue
from db.engine import read, write
from db.queries import review as queries
from db.schema import LabelScore, Product
from tests.helpers import Seeded

Row = tuple[Product, LabelScore]


def found(catalogue: Catalogue, wanted: Filter, sort: Sort = review.AS_USUAL) -> list[int]:
    page = review_queue(catalogue, wanted, sort, per_page=100)
    assert page.total == len(page.items)
    return [item.product_id for item in page.items]


def expected(catalogue: Catalogue, belongs: Callable[[Product, LabelScore], bool]) -> set[int]:
    with read(catalogue.engine) as session:
        rows = session.execute(
            select(Product, LabelScore).join(LabelScore, LabelScore.product_id == Product.id)
        )
        return {product.id for product, score in rows if belongs(product, score)}


@pytest.fixture
def filled(catalogue: Catalogue, seeded: Seeded) -> Catalogue:
    """A catalogue with brands and prices of all kinds, and a few decisions."""
    prices = ("10", "9.5", "1,5", "", "n/a", "1.2.3", "0", "1e3")
    with write(catalogue.engine, touches=("products",)) as session:
        for number, product in enumerate(session.scalars(select(Product).order_by(Product.id))):
            product.attributes = {
                "brand": ("Ola", "O'Hara", "100%")[number % 3],
                "price": prices[number % len(prices)],
            }
            product.title = product.title + (" 50%_off" if number == 3 else "")
    for product_id in (seeded.wrong_ids[5], seeded.product_ids[-1]):
        item = review.product_item(catalogue, product_id)
        assert item is not None
        decide(
            *(catalogue, product_id, "keep"),
            reviewer="Ben",
            request_key=f"k{product_id}",
            seen_version=item.version,
            seen_sha256=item.image_sha256,
        )
    return catalogue


WHO_BELONGS: list[tuple[Filter, Callable[[Product, LabelScore], bool]]] = [
    (Filter("all"), lambda p, s: True),
    (Filter("all", category="dress"), lambda p, s: p.label_current == "dress"),
    (Filter("all", suggestion="hat"), lambda p, s: s.suggestion == "hat"),
    (Filter("all", at_least=0.1), lambda p, s: (s.score or 0) >= 0.1),
    (Filter("all", attribute="brand", value="O'Hara"), lambda p, s: p.id % 3 == 2),
    (Filter("all", attribute="brand", value="nobody"), lambda p, s: False),
    (Filter("all", attribute="no such", value="1"), lambda p, s: False),
    (Filter("all", state="kept"), lambda p, s: p.review_state == "kept"),
    (Filter("all", search="ab-00"), lambda p, s: p.sku.startswith("AB-00")),
    (Filter("all", search=" LINEN "), lambda p, s: True),
    (Filter("all", search="%_"), lambda p, s: "%_" in p.title),
    (Filter("all", search="no such"), lambda p, s: False),
    (Filter("wrong", at_least=0.95), lambda p, s: s.looks_wrong and s.score >= 0.95),
    (Filter("decided", reviewer="Ben"), lambda p, s: p.review_state == "kept"),
    (Filter("all", reviewer="nobody"), lambda p, s: False),
]


def test_a_filter_finds_what_a_loop_finds(filled: Catalogue) -> None:
    for wanted, belongs in WHO_BELONGS:
        assert set(found(filled, wanted)) == expected(filled, belongs), wanted


def test_the_run_that_brought_or_changed_it(filled: Catalogue, seeded: Seeded) -> None:
    assert len(found(filled, Filter("all", run=seeded.run_id))) == len(seeded.product_ids)
    assert found(filled, Filter("all", run=seeded.run_id + 1)) == []


def test_what_pays_first_is_chance_times_price_whatever_stands_there(filled: Catalogue) -> None:
    page = review_queue(filled, Filter("all"), Sort("value", "price"), per_page=100)
    known = {"10": 10.0, "9.5": 9.5, "1,5": 1.5, "0": 0.0}
    worths = []
    for item in page.items:
        price = known.get(item.attributes["price"])
        worth = None if price is None or item.score is None else price * item.score
        assert item.worth == (None if worth is None else pytest.approx(worth))
        worths.append(-1.0 if worth is None else worth)
    assert worths == sorted(worths, reverse=True)
    assert max(worths) > 0


def test_random_is_the_same_each_time_and_holds_everything(filled: Catalogue) -> None:
    first = found(filled, Filter("all"), Sort("random"))
    assert first == found(filled, Filter("all"), Sort("random"))
    assert first != sorted(first)
    assert sorted(first) == sorted(found(filled, Filter("all"), Sort("newest")))


def test_newest_first(filled: Catalogue) -> None:
    newest = found(filled, Filter("wrong"), Sort("newest"))
    assert newest == sorted(newest, reverse=True)


def test_all_that_match_can_be_walked_through(filled: Catalogue, seeded: Seeded) -> None:
    wanted, walked, after = Filter("wrong"), list[int](), 0
    with read(filled.engine) as session:
        while part := queries.ids(session, seeded.model_id, wanted, after=after, limit=2):
            walked += part
            after = part[-1]
    assert walked == sorted(found(filled, wanted))


def test_what_can_be_asked_for(filled: Catalogue, seeded: Seeded) -> None:
    offered = review.choices(filled)
    assert offered.attributes["brand"] == ("100%", "O'Hara", "Ola")
    assert offered.runs == ((seeded.run_id, "/deliveries/tonight"),)
    assert review.reviewers(filled) == ("Ana", "Ben")


def test_an_unknown_order_is_refused_in_words(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="no order 'price'"):
        review_queue(catalogue, Filter(), Sort("price"))


def test_a_retired_product_is_in_no_queue(filled: Catalogue, seeded: Seeded) -> None:
    with write(filled.engine) as session:
        session.execute(update(Product).values(retired_run_id=seeded.run_id))
    for queue in review.QUEUES:
        assert found(filled, Filter(queue)) == []
