"""What of a batch can be taken back: the database's answer beside that of a slow loop."""

from collections import Counter
from random import Random

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.orm import Session

from db.commands import at_once
from db.commands.at_once import Signed
from db.commands.batches import add_batch
from db.engine import read, write
from db.queries import restorable
from db.schema import Claim, Decision, Product
from tests.db.rows import NOW, add_products

SAME = [("HAT", "hat"), ("", " ")]  # the feed's label now and then
COUNT = 300


def add_decision(session: Session, product_id: int, key: str, **columns: object) -> int:
    values = {
        **{"product_id": product_id, "action": "keep", "label_given": "hat"},
        **{"label_before": "hat", "label_after": "cap", "state_before": "open"},
        **{"state_after": "changed", "image_sha256": "abc", "reviewer": "Ana", "note": ""},
        **{"request_key": key, "decided_at": NOW, **columns},
    }
    made = session.scalar(insert(Decision).returning(Decision.id), [values])
    assert made is not None
    return made


def undo(session: Session, product_id: int, decision_id: int) -> None:
    key = f"undo {decision_id}"
    add_decision(session, product_id, key, action="undo", undoes_id=decision_id, reviewer="Ben")


def happens(session: Session, chance: Random, product_id: int, decision_id: int) -> None:
    """Let one of the things come about that happen to a product after a batch, or none of them."""
    key = f"later {product_id}"
    event = chance.choice(("nothing", "undone", "decided", "decided and undone", "delivered"))
    if event == "undone":
        undo(session, product_id, decision_id)
    if event.startswith("decided"):
        later = add_decision(session, product_id, key)
        if event.endswith("undone"):
            undo(session, product_id, later)
    if event == "delivered":
        values = chance.choice(
            (
                *({"label_given": given} for given in ("HAT", "skirt", "", None)),
                {"label_current": None},
                {"review_state": "second_look"},
                {"image_sha256": "new"},
            )
        )
        session.execute(update(Product).where(Product.id == product_id).values(**values))


@pytest.fixture
def batch_id(engine: Engine) -> int:
    """A batch of many products, to each of which something happened since."""
    chance = Random(7)
    with write(engine) as session:
        like = {"label_current": "cap", "review_state": "changed"}
        batch = add_batch(session, "bulk", "many", {}, COUNT, "Ana", "batch", NOW)
        for number, product_id in enumerate(add_products(session, COUNT, **like)):
            given = chance.choice(("hat", None, " "))
            session.execute(
                update(Product).where(Product.id == product_id).values(label_given=given)
            )
            add_decision(session, product_id, f"before {number}")
            columns = {"batch_id": batch, "label_given": given}
            made = add_decision(session, product_id, f"batch {number}", **columns)
            happens(session, chance, product_id, made)
        session.execute(
            insert(Claim), [{"product_id": 1, "holder": "h", "reviewer": "Cleo", "until": NOW}]
        )
        return batch


def by_loop(session: Session, batch_id: int) -> list[Decision]:
    found = []
    every = list(session.scalars(select(Decision).order_by(Decision.id)))
    undone = {row.undoes_id for row in every}
    for row in every:
        product = session.get_one(Product, row.product_id)
        of_it = [one for one in every if one.product_id == row.product_id]
        standing = [one.id for one in of_it if one.action != "undo" and one.id not in undone]
        given = product.label_given or "", row.label_given or ""
        if (
            row.batch_id == batch_id
            and standing
            and standing[-1] == row.id
            and product.label_current == row.label_after
            and product.review_state == row.state_after
            and product.image_sha256 == row.image_sha256
            and (given[0] == given[1] or given in SAME)
        ):
            found.append(row)
    return found


def test_what_can_be_taken_back_is_what_a_loop_finds(engine: Engine, batch_id: int) -> None:
    with read(engine) as session:
        expected = by_loop(session, batch_id)
        ids = [row.id for row in expected]
        query = restorable.rows([Decision.id], batch_id, SAME)
        assert list(session.scalars(query)) == ids
        assert COUNT / 4 < len(ids) < COUNT / 1.3
        others = restorable.others(session, batch_id, SAME, COUNT)
        assert restorable.size(session, batch_id) == COUNT
        rest = select(Decision.id).where(Decision.batch_id == batch_id, Decision.id.not_in(ids))
        assert [row.id for row in others] == list(session.scalars(rest.order_by(Decision.id)))
        assert {row.undone_by for row in others} == {"", "Ben"}
        assert [row.id for row in restorable.others(session, batch_id, SAME, 3)] == [
            row.id for row in others[:3]
        ]
        counted = Counter((row.label_after, row.label_before, row.state_before) for row in expected)
        found = restorable.counts(session, batch_id, SAME)
        assert {(one.label, one.before, one.state): one.count for one in found} == counted
        spelled = restorable.spelled_otherwise(session, batch_id)
    assert len(set(spelled)) == len(spelled) > len(SAME)
    assert set(SAME) <= set(spelled)


def test_taking_back_writes_what_was_before(engine: Engine, batch_id: int) -> None:
    with write(engine) as session:
        expected = {row.product_id: row.id for row in by_loop(session, batch_id)}
        before = versions(session)
        number = add_batch(session, "undo", "back", {}, 0, "Cleo", "undo", NOW, batch_id)
        at_once.take_back(session, batch_id, SAME, Signed(number, "Cleo", NOW))
    with read(engine) as session:
        made = list(session.scalars(select(Decision).where(Decision.batch_id == number)))
        assert {row.product_id: row.undoes_id for row in made} == expected
        for row in made:
            product = session.get_one(Product, row.product_id)
            assert (product.label_current, product.review_state) == ("hat", "open")
            assert (row.label_before, row.label_after) == ("cap", "hat")
            assert (row.state_before, row.state_after) == ("changed", "open")
            assert (row.action, row.reviewer, row.label_given) == (
                *("undo", "Cleo"),
                product.label_given,
            )
        after = versions(session)
        assert {i for i in after if after[i] != before[i]} == set(expected)
        assert all(after[i] == before[i] + 1 for i in expected)
        assert session.scalars(select(Claim.product_id)).all() == ([] if 1 in expected else [1])


def versions(session: Session) -> dict[int, int]:
    return {row.id: row.version for row in session.execute(select(Product.id, Product.version))}
