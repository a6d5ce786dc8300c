"""The contact sheet, the bulk change and the log, as the page shows them."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import batching, deciding, review
from catalog_ai.services.batch_outcome import Change
from catalog_ai.services.batching import Seen
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import Filter, QueueItem
from db.engine import write
from db.schema import LabelScore, Product
from pages._ui import frame, sheet_views
from pages._ui.desk import address
from tests.helpers import Seeded

HOSTILE = "<b>x</b> [a](http://b) $y$ `c` *d*"
TICKED = "review.ticked"


pytestmark = pytest.mark.usefixtures("as_served")


@pytest.fixture
def dresses(catalogue: Catalogue, seeded: Seeded) -> list[int]:
    """All that looks wrong is labelled dress; skirt is suggested for all but the last."""
    ids = list(seeded.wrong_ids)
    with write(catalogue.engine, touches=("labels", "scores")) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(label_current="dress"))
        scores = update(LabelScore).where(LabelScore.product_id.in_(ids))
        session.execute(scores.values(label="dress", suggestion="skirt"))
        last = update(LabelScore).where(LabelScore.product_id == ids[-1])
        session.execute(last.values(suggestion="dress"))
    return ids


def opened(view: str, *, reviewer: str = "Ana", **query: str) -> AppTest:
    """Return the desk in one of its views."""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.session_state[frame.REVIEWER] = reviewer
    app.run()
    app.switch_page("pages/1_Review_labels.py")
    app.query_params[address.VIEW] = address.VIEWS[view]
    for name, value in query.items():
        app.query_params[f"review.{name}"] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.error, app.success, app.warning, app.caption)
    shown = [element.value for kind in kinds for element in kind]
    shown += [element.proto.body for element in app.get("html")]
    return "\n".join(str(text) for text in shown).replace("\\", "")


def labels(app: AppTest) -> list[str]:
    return [button.label.replace("\\", "") for button in app.button]


def press(app: AppTest, label: str, place: int = 0) -> AppTest:
    found = [button for button in app.button if button.label.replace("\\", "") == label]
    assert found, f"{label!r} is none of {labels(app)}"
    done = found[place].click().run()
    assert not done.exception
    return done


def tick(app: AppTest, catalogue: Catalogue, wanted: Filter, *product_ids: int) -> AppTest:
    """Tick products as the browser would tell it."""
    items = review.review_queue(catalogue, wanted, per_page=32).items
    app.session_state[TICKED] = {sheet_views.sheet_name(items): set(product_ids)}
    return app.run()


def test_a_sheet_asks_for_a_category_first(dresses: list[int]) -> None:
    app = opened("sheet")
    assert "choose one" in words(app)
    app = press(app, "dress 6")
    assert "All 6 are right" in labels(app)
    assert app.session_state[address.CATEGORY] == "dress"


def test_labels_that_are_no_category_have_sheets_of_their_own(
    catalogue: Catalogue, dresses: list[int]
) -> None:
    odd = dresses[:2]
    with write(catalogue.engine, touches=("labels", "scores")) as session:
        session.execute(update(Product).where(Product.id.in_(odd)).values(label_current="Body"))
        scores = update(LabelScore).where(LabelScore.product_id.in_(odd))
        session.execute(scores.values(label="Body", known_label=False, looks_wrong=False))
    app = opened("sheet", queue="Not a known category")
    offered = app.selectbox(key=address.CATEGORY).options
    assert "Body" in offered
    assert "dress" not in offered, "no product of that queue carries a known category"
    assert "dress" not in labels(app)
    app = press(app, "Body")
    assert "2 products here" in words(app)
    assert "Body" in opened("sheet", queue="Everything").selectbox(key=address.CATEGORY).options
    assert "Body" not in opened("sheet").selectbox(key=address.CATEGORY).options


def test_one_key_decides_about_a_whole_sheet(catalogue: Catalogue, dresses: list[int]) -> None:
    app = opened("sheet", category="dress")
    app = tick(app, catalogue, Filter("wrong", "dress"), *dresses[:2])
    app = press(app, "2 → skirt, the other 4 are right")
    (batch,) = batching.batches(catalogue)
    assert batch.words == "6 products of dress: 4 kept, 2 → skirt"
    assert (batch.kind, batch.reviewer) == ("sheet", "Ana")
    assert "6 products of dress: 4 kept, 2 → skirt." in words(app)
    assert "Nothing is left here" in words(app)
    app = press(app, "Undo")
    assert "Undone: 6 products of dress" in words(app)
    assert review.review_queue(catalogue).total == 6
    assert "All 6 are right" in labels(app), "nothing is ticked on the sheet that came back"


def test_what_was_left_alone_is_listed(catalogue: Catalogue, dresses: list[int]) -> None:
    app = opened("sheet", category="dress")
    item = review.product_item(catalogue, dresses[0])
    assert item is not None
    seen = [Seen(item.product_id, item.version, item.image_sha256)]
    batching.decide_sheet(catalogue, seen, set(), reviewer="Ben", request_key="ben")
    app = press(app, "All 6 are right")
    assert "5 products of dress: 5 kept. 1 product left as it was." in words(app)
    assert "<b>AB-001</b> Ben kept dress just now" in words(app)


def test_a_name_is_needed(dresses: list[int]) -> None:
    for view in ("sheet", "bulk"):
        app = opened(view, reviewer="", category="dress")
        assert "Type your name" in words(app)
        (button,) = [b for b in app.button if "right" in b.label or "suggestions" in b.label]
        assert button.disabled


def test_a_bulk_change_shows_what_it_would_do_and_does_it(
    catalogue: Catalogue, dresses: list[int]
) -> None:
    app = opened("bulk", category="dress")
    table = "<td dir='auto'>dress</td><td dir='auto'><b>skirt</b></td><td>5</td>"
    assert table in words(app)
    app = press(app, "Accept the suggestions: 6 products")
    assert batching.batches(catalogue)[0].words == "6 products of dress: 1 kept, 5 → skirt"
    assert "Nothing matches these filters" in words(app)


def test_what_was_ticked_is_left_out(catalogue: Catalogue, dresses: list[int]) -> None:
    app = opened("bulk", category="dress")
    scope = f"bulk.{sheet_views.filter_name(Filter('wrong', 'dress'))}"
    app.session_state[TICKED] = {scope: set(dresses[:2])}
    app = app.run()
    assert "2 products left out by you" in words(app)
    press(app, "Accept the suggestions: 4 products")
    assert batching.batches(catalogue)[0].products == 4
    left = review.review_queue(catalogue).items
    assert {item.product_id for item in left} == set(dresses[:2])


def test_a_bulk_change_of_something_else_by_now_is_refused(
    catalogue: Catalogue, dresses: list[int]
) -> None:
    app = opened("bulk", category="dress")
    with write(catalogue.engine) as session:  # no revision is raised: the page cannot know
        session.execute(update(Product).where(Product.id == dresses[0]).values(version=9))
    app = press(app, "Accept the suggestions: 6 products")
    assert "look at the preview again" in words(app)
    assert batching.batches(catalogue) == ()


def sheet_of(catalogue: Catalogue, *product_ids: int) -> None:
    items = [review.product_item(catalogue, product_id) for product_id in product_ids]
    seen = [Seen(item.product_id, item.version, item.image_sha256) for item in items if item]
    key = f"sheet {product_ids}"
    batching.decide_sheet(catalogue, seen, {product_ids[0]}, reviewer="Ana", request_key=key)


def test_a_batch_is_a_line_of_the_log_and_its_rows_come_when_asked_for(
    catalogue: Catalogue, dresses: list[int]
) -> None:
    sheet_of(catalogue, *dresses[:3])
    app = opened("log", reviewer="Ben")
    assert "3 products of dress: 2 kept, 1 → skirt · Ana, just now" in words(app)
    assert "AB-002" not in words(app)
    app = press(app, "Rows")
    assert "**AB-002** kept dress" in words(app)
    app = press(app, "Undo: dress again")
    made = deciding.decisions(catalogue)[0]
    assert (made.action, made.product_id, made.reviewer) == ("undo", dresses[0], "Ben")


def test_undo_of_a_batch_says_what_it_gives_back_first(
    catalogue: Catalogue, dresses: list[int]
) -> None:
    sheet_of(catalogue, *dresses[:3])
    app = press(opened("log", reviewer="Ben"), "Undo")
    gives = "<td dir='auto'>skirt</td><td dir='auto'><b>dress</b>, open again</td><td>1</td>"
    assert gives in words(app)
    assert "<td dir='auto'>dress, open again</td><td>2</td>" in words(app)
    app = press(app, "Undo 3 products")
    assert "(undone by Ben)" in words(app)
    assert batching.batches(catalogue)[0].kind == "undo"
    assert review.review_queue(catalogue).total == 6


@pytest.mark.parametrize("view", ["sheet", "bulk", "log"])
def test_names_are_never_markup(catalogue: Catalogue, dresses: list[int], view: str) -> None:
    sheet_of(catalogue, dresses[5])
    with write(catalogue.engine, touches=("labels", "scores")) as session:
        product = update(Product).where(Product.id.in_(dresses))
        session.execute(product.values(label_current=HOSTILE, title=HOSTILE))
        session.execute(update(LabelScore).values(label=HOSTILE, suggestion=f"{HOSTILE} too"))
    sheet_of(catalogue, *dresses[:2])
    app = opened(view, reviewer=HOSTILE)
    kinds = (app.markdown, app.caption, app.warning, app.info)
    in_markdown = [element.value for kind in kinds for element in kind]
    in_markdown += [button.label for button in app.button]
    assert "[a](" not in "\n".join(in_markdown)
    assert "<b>x" not in "\n".join(element.proto.body for element in app.get("html"))


def item(**values: object) -> QueueItem:
    fields = dict.fromkeys(QueueItem.__dataclass_fields__)
    fields |= {"product_id": 1, "version": 1, "label": "dress", "suggestion": "skirt"}
    return QueueItem(**(fields | {"sku": "A", "title": "", "reason": "wrong"} | values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("suggestions", "ticked", "said"),
    [
        (["skirt"], [], "This one is right"),
        (["skirt", "hat", "dress"], [], "All 3 are right"),
        (["skirt", "hat", "dress"], [0], "1 → skirt, the other 2 are right"),
        (["skirt", "skirt", "dress"], [0, 1], "2 → skirt, the other one is right"),
        (["skirt", "hat", "dress"], [0, 1], "2 → their suggestions, the other one is right"),
        (["skirt", "Dress", ""], [0, 1, 2], "1 → skirt, 2 for a second look"),
    ],
)
def test_the_button_says_what_it_does(suggestions: list[str], ticked: list[int], said: str) -> None:
    items = [item(product_id=n, suggestion=name) for n, name in enumerate(suggestions)]
    assert sheet_views.action_words(items, set(ticked)) == said


def test_what_has_no_label_is_not_called_right() -> None:
    items = [item(product_id=n, label=None) for n in range(3)]
    assert sheet_views.action_words(items, {0}) == "1 → skirt, 2 stay without a label"


def test_the_value_one_sorts_by_is_on_the_tile() -> None:
    assert sheet_views.value(item(score=0.831)) == "83%"
    assert sheet_views.value(item(score=0.8, worth=1234.56)) == "1,234.6"
    assert sheet_views.value(item(reason="odd", score=0.1, oddity=0.9)) == "90% odd"
    assert sheet_views.value(item(confidence=0.5)) == "50% sure"


def test_a_sheet_has_another_name_as_soon_as_anything_on_it_changed() -> None:
    names = {
        sheet_views.sheet_name(items)
        for items in ([item()], [item(version=2)], [item(suggestion="hat")], [item(), item()])
    }
    assert len(names) == 4


def test_kinds_of_change_beyond_the_first_are_counted() -> None:
    changes = [Change(f"a{n}", "b", "changed", 10 - n) for n in range(4)]
    table = sheet_views.changes_table(changes, 2)
    assert "2 more kinds of change</td><td>15</td>" in table
    assert "a2" not in table


def test_a_batch_that_was_taken_back_says_by_whom() -> None:
    now = datetime.now(UTC)
    batch = batching.BatchView(1, "bulk", "2 products: 2 kept", 2, "Ana", now, "Ben")
    said = sheet_views.batch_line(batch, now)
    assert said == "2 products: 2 kept (undone by Ben) · Ana, just now"
    assert not batch.can_undo
