from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError

from db.commands.decisions import NewDecision, decide
from db.engine import read, write
from db.queries import decisions
from db.schema import Decision, Product

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def product_id(engine: Engine) -> int:
    with write(engine) as session:
        product = Product(
            sku="AB-1",
            label_given="shirt",
            label_current="shirt",
            image_path="a.jpg",
            image_sha256="abc",
            stored_image="images/a.jpg",
            thumbnail="thumbnails/a.jpg",
            created_at=NOW,
            updated_at=NOW,
        )
        session.add(product)
        session.flush()
        return product.id


def change(product_id: int, key: str, **columns: object) -> NewDecision:
    decision = NewDecision(
        product_id=product_id,
        action="relabel",
        label_given="shirt",
        label_before="shirt",
        label_after="dress",
        state_before="open",
        state_after="changed",
        suggestion="dress",
        score=0.9,
        image_sha256="abc",
        model_version_id=None,
        reviewer="Ana",
        note="",
        request_key=key,
    )
    return replace(decision, **columns)


def store(engine: Engine, decision: NewDecision, version: int, now: datetime = NOW) -> int | None:
    with write(engine, touches=("labels",)) as session:
        return decide(session, decision, version, now)


def test_the_row_and_the_product_change_together(engine: Engine, product_id: int) -> None:
    later = NOW + timedelta(minutes=1)
    number = store(engine, change(product_id, "one"), 1, later)
    with read(engine) as session:
        product = session.get_one(Product, product_id)
        assert (product.label_current, product.review_state) == ("dress", "changed")
        assert (product.label_given, product.version, product.updated_at) == ("shirt", 2, later)
        stored = decisions.by_id(session, number or 0)
        assert stored == decisions.by_request_key(session, "one")
        assert stored is not None
        assert (stored.reviewer, stored.decided_at, stored.undone) == ("Ana", later, False)


def test_an_overtaken_decision_leaves_no_trace(engine: Engine, product_id: int) -> None:
    assert store(engine, change(product_id, "one"), 1) is not None
    assert store(engine, change(product_id, "two", label_after="hat"), 1) is None
    with read(engine) as session:
        assert session.get_one(Product, product_id).label_current == "dress"
        assert session.scalar(select(func.count()).select_from(Decision)) == 1


def test_one_key_is_one_row(engine: Engine, product_id: int) -> None:
    store(engine, change(product_id, "one"), 1)
    with pytest.raises(IntegrityError):
        store(engine, change(product_id, "one", label_after="hat"), 2)
    with read(engine) as session:
        assert session.get_one(Product, product_id).label_current == "dress"


def test_a_decision_is_taken_back_once(engine: Engine, product_id: int) -> None:
    first = store(engine, change(product_id, "one"), 1)
    back = {"action": "undo", "undoes_id": first, "label_after": "shirt", "state_after": "open"}
    assert store(engine, change(product_id, "two", **back), 2) is not None
    with pytest.raises(IntegrityError):
        store(engine, change(product_id, "three", **back), 3)


@pytest.mark.parametrize(
    "tampering", ["UPDATE decisions SET reviewer = 'Eve'", "DELETE FROM decisions"]
)
def test_decisions_are_never_altered(engine: Engine, product_id: int, tampering: str) -> None:
    store(engine, change(product_id, "one"), 1)
    with pytest.raises(DatabaseError), write(engine) as session:
        session.execute(text(tampering))
    with read(engine) as session:
        assert session.scalars(select(Decision.reviewer)).all() == ["Ana"]


def test_what_stands_is_the_latest_not_taken_back(engine: Engine, product_id: int) -> None:
    """Order is by id: a clock that was set back changes nothing."""
    first = store(engine, change(product_id, "one"), 1)
    second = store(engine, change(product_id, "two", label_after="hat"), 2, NOW - timedelta(days=1))
    with read(engine) as session:
        assert decisions.standing(session, [product_id])[product_id].id == second
        assert [row.id for row in decisions.latest(session)] == [second, first]
        assert decisions.last_id(session) == second
    store(engine, change(product_id, "three", action="undo", undoes_id=second), 3)
    with read(engine) as session:
        standing = decisions.standing(session, [product_id])[product_id]
        assert (standing.id, standing.undone) == (first, False)
        assert [row.undone for row in decisions.latest(session)] == [False, True, False]
    store(engine, change(product_id, "four", action="undo", undoes_id=first), 4)
    with read(engine) as session:
        assert decisions.standing(session, [product_id]) == {}


def test_before_the_first_there_is_none(engine: Engine) -> None:
    with read(engine) as session:
        assert decisions.last_id(session) is None
        assert decisions.latest(session) == []
        assert decisions.by_id(session, 1) is None
