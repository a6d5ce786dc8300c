"""Two browsers on one queue are shown different products."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.claiming import Claims, Following, claim
from catalog_ai.services.deciding import decide
from db.engine import read
from db.schema import Claim
from tests.helpers import Seeded

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


def ask(
    catalogue: Catalogue,
    ids: tuple[int, ...],
    who: str,
    *,
    minutes: float = 0.0,
    most: int = 1,
    keep: int | None = None,
) -> Claims:
    now = NOW + timedelta(minutes=minutes)
    return claim(catalogue, ids, holder=who, reviewer=who, most=most, keep=keep, now=now)


def test_the_second_is_given_the_next_one(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    assert ask(catalogue, ids, "Ana") == Claims(ids[:1], {})
    assert ask(catalogue, ids, "Ben") == Claims(ids[1:2], {ids[0]: "Ana"})
    assert ask(catalogue, ids, "Ana") == Claims(ids[:1], {ids[1]: "Ben"})


def test_going_on_lets_go_of_what_one_had(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    ask(catalogue, ids, "Ana")
    ask(catalogue, ids[3:], "Ana")
    assert ask(catalogue, ids, "Ben").mine == ids[:1]


def test_after_five_minutes_it_is_free_again(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    ask(catalogue, ids, "Ana")
    assert ask(catalogue, ids, "Ben", minutes=4.9).mine == ids[1:2]
    assert ask(catalogue, ids, "Cem", minutes=5.1).mine == ids[:1]


def test_who_still_looks_keeps_it(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    for minutes in (0.0, 4.0, 8.0):
        assert ask(catalogue, ids, "Ana", minutes=minutes).mine == ids[:1]
    assert ask(catalogue, ids, "Ben", minutes=12.0).mine == ids[1:2]


def test_a_page_is_claimed_whole(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    ask(catalogue, ids[2:3], "Ben")
    taken = ask(catalogue, ids, "Ana", most=4)
    assert taken == Claims((ids[0], ids[1], ids[3], ids[4]), {ids[2]: "Ben"})


def test_what_was_asked_for_by_name_is_not_replaced(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.wrong_ids
    ask(catalogue, ids, "Ana")
    assert ask(catalogue, ids, "Ben", keep=ids[0]) == Claims((), {ids[0]: "Ana"})
    assert ask(catalogue, ids, "Ben", keep=ids[4]).mine == ids[4:5]


def test_a_decision_lets_go(catalogue: Catalogue, seeded: Seeded) -> None:
    item = review.review_queue(catalogue).items[0]
    claim(catalogue, [item.product_id], holder="a", reviewer="Ana")
    decide(
        *(catalogue, item.product_id, "keep"),
        reviewer="Ana",
        request_key="k",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    with read(catalogue.engine) as session:
        assert session.scalars(select(Claim)).all() == []


def test_eight_at_once_have_eight_products(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = seeded.product_ids
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda who: ask(catalogue, ids, f"r{who}").mine, range(8)))
    assert sorted(number for mine in found for number in mine) == sorted(ids[:8])


def go_on(catalogue: Catalogue, product_id: int, following: int) -> None:
    """Keep a product's label as Ana, in a window of hers that shows another one next."""
    item = review.product_item(catalogue, product_id)
    assert item is not None
    decide(
        *(catalogue, product_id, "keep"),
        reviewer="Ana",
        request_key=f"keep-{product_id}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
        following=Following(following, "Ana"),
    )


def holders(catalogue: Catalogue) -> dict[int, str]:
    with read(catalogue.engine) as session:
        return dict(session.execute(select(Claim.product_id, Claim.holder)).all())


def test_a_decision_claims_what_comes_next(catalogue: Catalogue, seeded: Seeded) -> None:
    first, second, third = seeded.wrong_ids[:3]
    claim(catalogue, [first], holder="Ana", reviewer="Ana")
    claim(catalogue, [third], holder="Ben", reviewer="Ben")
    go_on(catalogue, first, second)
    assert holders(catalogue) == {second: "Ana", third: "Ben"}
    before = claimed_until(catalogue, second)
    assert claim(catalogue, [second], holder="Ana", reviewer="Ana").mine == (second,)
    assert claimed_until(catalogue, second) == before, "what is mine already is not written again"


def test_a_decision_takes_nothing_from_anybody(catalogue: Catalogue, seeded: Seeded) -> None:
    first, second = seeded.wrong_ids[:2]
    claim(catalogue, [first], holder="Ana", reviewer="Ana")
    claim(catalogue, [second], holder="Ben", reviewer="Ben")
    go_on(catalogue, first, second)
    assert holders(catalogue) == {second: "Ben"}


def claimed_until(catalogue: Catalogue, product_id: int) -> datetime:
    with read(catalogue.engine) as session:
        return session.get_one(Claim, product_id).until
