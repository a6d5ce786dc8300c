"""What the desk's address says is what it shows, wherever one comes from."""

import pytest
from streamlit.testing.v1 import AppTest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import deciding, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import Filter
from pages._ui import frame, state
from pages._ui.desk import address
from tests.helpers import Seeded

DESK = "pages/1_Review_labels.py"
DECIDES = "review.sheet.decide."

pytestmark = pytest.mark.usefixtures("as_served")


@pytest.fixture
def app(seeded: Seeded) -> AppTest:
    """The dashboard in Ana's browser, at its first page."""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.session_state[frame.REVIEWER] = "Ana"
    return app.run()


def follow(app: AppTest, path: str, **query: str) -> AppTest:
    """Follow a link within the session: the address has what it says, and nothing else."""
    app.query_params.clear()
    for name, value in query.items():
        app.query_params[f"review.{name}" if name != "item" else name] = value
    app.switch_page(path).run()
    assert not app.exception
    return app


def large(app: AppTest) -> str:
    """Return the SKU that is shown large."""
    html = "".join(found.proto.body for found in app.get("html"))
    return html.split("data-sku='")[1].split("'")[0]


def test_a_link_from_another_page_is_the_whole_truth(app: AppTest, catalogue: Catalogue) -> None:
    two = review.review_queue(catalogue).items[:2]
    one, other = (str(item.label) for item in two)
    follow(app, DESK, category=one, view="Contact sheet")
    assert app.session_state[address.VIEW] == "Contact sheet"
    follow(app, "pages/6_Categories.py")
    follow(app, DESK, queue="Everything", category=other)
    assert app.session_state[address.VIEW] == "One at a time", "the link said nothing of a sheet"
    assert app.session_state[address.CATEGORY] == other
    wanted = Filter(queue="all", category=other)
    expected = review.review_queue(catalogue, wanted=wanted).items[0].sku
    assert large(app) == expected, "and the card is one of what the address asks for"
    follow(app, "pages/6_Categories.py")
    follow(app, DESK, item=str(two[1].product_id))
    assert app.session_state[address.CATEGORY] == address.ALL
    assert large(app) == two[1].sku


def test_who_comes_back_without_a_word_finds_what_was_left(
    app: AppTest, catalogue: Catalogue
) -> None:
    label = str(review.review_queue(catalogue).items[1].label)
    follow(app, DESK, category=label)
    follow(app, "pages/6_Categories.py")
    follow(app, DESK)
    assert app.session_state[address.CATEGORY] == label
    assert large(app) == review.review_queue(catalogue, wanted=Filter(category=label)).items[0].sku


def test_a_page_in_the_address_is_the_page_that_is_shown(
    app: AppTest, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages._ui.desk.item.PER_PAGE", 2)
    third = review.review_queue(catalogue).items[2]
    follow(app, DESK, page="2")
    assert large(app) == third.sku
    for odd in ("nonsense", "-1", "9" * 30):
        follow(app, "pages/6_Categories.py")
        follow(app, DESK, page=odd)
        assert large(app) == review.review_queue(catalogue).items[0].sku


def test_whose_first_card_was_taken_finds_the_note_again(
    app: AppTest, catalogue: Catalogue
) -> None:
    follow(app, DESK)
    item = review.review_queue(catalogue).items[0]
    assert large(app) == item.sku
    app.text_input(key=state.note_key(item)).set_value("the hem tells").run()
    deciding.decide(
        *(catalogue, item.product_id, "keep"),
        reviewer="Ben",
        request_key="Ben's",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    next(button for button in app.button if button.label.startswith("Accept")).click().run()
    assert any("Ben" in warning.value for warning in app.warning)
    assert large(app) == item.sku, "it left the queue, not the screen"
    assert app.text_input(key=state.note_key(item)).value == "the hem tells"


def test_the_same_sheet_twice_turns_one_page(app: AppTest, catalogue: Catalogue) -> None:
    wanted = Filter(queue="all", category=str(review.review_queue(catalogue).items[0].label))
    follow(app, DESK, queue="Everything", category=str(wanted.category), view="Contact sheet")
    buttons = [button for button in app.button if (button.key or "").startswith(DECIDES)]
    assert len(buttons) == 1
    before = buttons[0].key
    buttons[0].click().run()
    after = [button.key for button in app.button if (button.key or "").startswith(DECIDES)]
    assert before not in after, "a second press would be about a sheet that nobody has seen"
