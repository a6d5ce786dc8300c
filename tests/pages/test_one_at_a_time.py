"""One product at a time: whose card a press is about, what is asked of the database, and when."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, update
from streamlit.testing.v1 import AppTest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import claiming, deciding, history, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import Decided
from catalog_ai.services.review import QueueItem
from db.engine import write
from db.schema import Claim, Product
from pages._ui import cache, frame, state
from pages._ui.desk import address
from tests.helpers import Seeded

DESK = "pages/1_Review_labels.py"


pytestmark = pytest.mark.usefixtures("as_served")


@pytest.fixture
def desk(seeded: Seeded) -> AppTest:
    """Ana's desk, with the first product of the queue."""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.session_state[frame.REVIEWER] = "Ana"
    app.run()
    app.switch_page(DESK).run()
    assert not app.exception
    return app


@pytest.fixture
def statements(catalogue: Catalogue) -> Iterator[list[str]]:
    """Return what is asked of the database from now on."""
    said: list[str] = []

    def note(*execution: Any) -> None:
        said.append(execution[2])

    event.listen(catalogue.engine, "before_cursor_execute", note)
    yield said
    event.remove(catalogue.engine, "before_cursor_execute", note)


def keep(app: AppTest) -> AppTest:
    return next(button for button in app.button if button.label.startswith("Keep")).click().run()


def keys(app: AppTest) -> set[str]:
    """Return the keys of the buttons that decide."""
    return {button.key for button in app.button if button.key and button.key[-1].isdigit()}


def kept_by_another(catalogue: Catalogue, item: QueueItem) -> Decided:
    return deciding.decide(
        *(catalogue, item.product_id, "keep"),
        reviewer="Ben",
        request_key="another process",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )


def test_no_button_of_a_card_is_one_of_the_next(desk: AppTest) -> None:
    first = keys(desk)
    assert len(first) > 6
    assert not first & keys(keep(desk)), "a press on what is seen would be about what is not"


def test_every_attribute_that_holds_numbers_can_weigh_the_chance(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    numbers = ("ean", "heel", "price", "returns", "stock", "views")
    attributes = dict.fromkeys(numbers, "12") | {"size": "M", "season": "2026 summer", "views": ""}
    with write(catalogue.engine, touches=("products",)) as session:
        session.execute(update(Product).values(attributes=attributes))
        some = update(Product).where(Product.id.in_(seeded.wrong_ids[1:]))
        session.execute(some.values(attributes=attributes | {"views": "3", "size": "L"}))
        one = update(Product).where(Product.id == seeded.wrong_ids[0])
        session.execute(one.values(attributes=attributes | {"stock": "900", "size": "40"}))
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.session_state[frame.REVIEWER] = "Ana"
    app.run()
    app.switch_page(DESK).run()
    offered = app.selectbox(key=address.SORT).options
    weighed = [words for words in offered if words.startswith(address.CHANCE_TIMES)]
    assert weighed == [address.CHANCE_TIMES + name for name in numbers]
    app.selectbox(key=address.SORT).set_value(address.CHANCE_TIMES + "stock").run()
    assert not app.exception
    assert "data-sku='AB-001'" in "".join(found.proto.body for found in app.get("html"))


def test_what_another_process_wrote_is_seen_at_the_next_rerun(
    desk: AppTest, catalogue: Catalogue
) -> None:
    total = review.review_queue(catalogue).total
    assert f"Looks wrong {total}" in [button.label for button in desk.button]
    kept_by_another(catalogue, review.review_queue(catalogue).items[-1])
    desk.run()
    assert f"Looks wrong {total - 1}" in [button.label for button in desk.button]


def test_revisions_are_read_once_a_rerun(desk: AppTest, statements: list[str]) -> None:
    desk.run()
    assert sum("FROM revisions" in said for said in statements) == 1
    statements.clear()
    keep(desk)
    assert sum("FROM revisions" in said for said in statements) == 1


def test_a_decision_asks_the_database_little(desk: AppTest, statements: list[str]) -> None:
    keep(desk)
    statements.clear()
    keep(desk)
    assert len([said for said in statements if said not in ("BEGIN", "BEGIN IMMEDIATE")]) < 36


def test_the_next_product_is_claimed_with_the_decision(
    desk: AppTest, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = review.review_queue(catalogue).items[1]
    at_commit: list[int] = []
    look_again = deciding.look_again

    def note(*which: Any) -> None:
        with write(catalogue.engine) as session:
            at_commit.extend(session.scalars(session.query(Claim.product_id).statement))
        look_again(*which)

    monkeypatch.setattr(deciding, "look_again", note)
    keep(desk)
    assert at_commit == [second.product_id]


def test_a_history_is_read_when_it_is_opened(
    desk: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    read: Callable[..., Any] = history.history

    def note(catalogue: Catalogue, product_id: int) -> Any:
        asked.append(product_id)
        return read(catalogue, product_id)

    note.__module__, note.__qualname__ = "tests", "note"
    monkeypatch.setattr(history, "history", note)
    keep(desk)
    assert asked == []
    desk.session_state["review.history"] = True
    desk.run()
    assert len(asked) == 1
    assert any("Delivered for the first time" in html.proto.body for html in desk.get("html"))


def test_notes_of_decided_products_are_forgotten(desk: AppTest, catalogue: Catalogue) -> None:
    item = review.review_queue(catalogue).items[0]
    desk.text_input(key=state.note_key(item)).set_value("the hem tells").run()
    keep(desk)
    assert deciding.decisions(catalogue)[0].note == "the hem tells"
    keep(desk)
    assert state.note_key(item) not in desk.session_state


def test_within_one_look_nothing_is_read_twice(
    catalogue: Catalogue, seeded: Seeded, statements: list[str]
) -> None:
    def total(opened: Catalogue) -> int:
        return review.review_queue(opened).total

    with cache.one_look(catalogue):
        first = cache.cached(catalogue, ("labels",), total)
        assert cache.cached(catalogue, ("labels",), total) == first
    assert sum("FROM revisions" in said for said in statements) == 1
    kept_by_another(catalogue, review.review_queue(catalogue).items[0])
    assert cache.cached(catalogue, ("labels",), total) == first - 1, "outside each looks itself"
    with pytest.raises(ZeroDivisionError), cache.one_look(catalogue):
        raise ZeroDivisionError
    claiming.claim(catalogue, seeded.wrong_ids[:1], holder="x", reviewer="Ana")
    statements.clear()
    cache.cached(catalogue, ("labels",), total)
    assert sum("FROM revisions" in said for said in statements) == 1, "an error ends the look too"


def test_what_is_asked_with_other_arguments_is_kept_apart(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    pages = [
        cache.cached(catalogue, ("labels",), review.review_queue, review.Filter(queue))
        for queue in ("wrong", "all", "wrong")
    ]
    assert pages[0] is pages[2]
    assert pages[1].total > pages[0].total
