"""The page Categories: rename, merge, add, remove, undo, and pairs that run into each other."""

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import categories, renaming, review
from catalog_ai.services.catalogue import Catalogue
from db.engine import read, write
from db.schema import Assessment, Batch, LabelScore, Overlap, Product
from pages._ui import category_views, frame
from pages._ui.viewmodels import count
from tests.helpers import CLASSES, Seeded, seed_catalogue

HOSTILE = "<b>x</b> [a](http://b) $y$ `c` *d*"


pytestmark = pytest.mark.usefixtures("as_served")


def opened(name: str = "Ana", **query: str) -> AppTest:
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.run()
    app.switch_page("pages/6_Categories.py")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    return app.text_input(key=frame.REVIEWER).set_value(name).run() if name else app


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.info, app.error, app.warning, app.caption, app.subheader)
    shown = [element.value for kind in kinds for element in kind]
    shown += [element.proto.body for element in app.get("html")]
    return "\n".join(str(text) for text in shown).replace("\\", "")


def press(app: AppTest, key: str) -> AppTest:
    return app.button(key=key).click().run()


def links(app: AppTest) -> list[str]:
    return [link.proto.label.replace("\\", "") for link in app.get("page_link")]


def pair(catalogue: Catalogue, seeded: Seeded, one: str, other: str, share: float) -> None:
    with write(catalogue.engine, touches=("scores",)) as session:
        border = list(seeded.product_ids[10:13])
        session.add(
            Overlap(
                **{"assessment_id": seeded.assessment_id, "one": one, "other": other},
                **{"share": share, "products": 214, "border": border},
            )
        )


def test_categories_are_listed_with_their_counts(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened()
    for row in categories.overview(catalogue).categories:
        assert category_views.line(row) in words(app)
        if row.looks_wrong:
            assert category_views.wrong_words(row) in links(app)
    assert "text_input(key='categories.find')" not in str(app), "few need no search"


def test_a_category_is_renamed_with_a_preview_and_an_undo(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    app = press(opened(), "categories.open.hat")
    assert app.query_params["category"] == "hat"
    app.text_input(key="categories.new.hat").set_value("Cap").run()
    assert "would become “Cap”. A delivery that says “hat”" in words(app)
    button = app.button(key="categories.do")
    total = sum(
        row.products for row in categories.overview(catalogue).categories if row.name == "hat"
    )
    assert button.label == f"Rename {count(total, 'product')}"
    button.click().run()
    assert not app.exception
    assert f"“hat” is “Cap” now: {count(total, 'product')}." in words(app)
    assert "Cap" in review.categories(catalogue)
    assert "category" not in app.query_params
    press(app, "categories.undo")
    assert review.categories(catalogue) == CLASSES
    assert "(undone)" in words(app)
    assert not app.exception


def test_a_category_is_merged(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened(category="hat")
    app.selectbox(key="categories.into.hat").set_value("shoes").run()
    assert app.button(key="categories.do").label.startswith("Merge")
    press(app, "categories.do")
    assert "hat" not in review.categories(catalogue)


def test_after_an_undo_the_same_can_be_done_again(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened()
    for _ in range(2):
        press(app, "categories.open.hat")
        app.selectbox(key="categories.into.hat").set_value("shoes").run()
        press(app, "categories.do")
        assert "hat" not in review.categories(catalogue)
        press(app, "categories.undo")
        assert "hat" in review.categories(catalogue)


def test_ten_clicks_are_one_renaming(catalogue: Catalogue, seeded: Seeded) -> None:
    """A click that was under way when the first one was done carries the first one's key."""
    made = set()
    app = opened(category="hat")
    app.text_input(key="categories.new.hat").set_value("Cap").run()
    keys = app.session_state["categories.keys"]
    (key,) = [value for (sources, *_), value in keys.items() if sources == ("hat",)]
    for _ in range(10):
        made.add(renaming.rename(catalogue, ["hat"], "Cap", reviewer="Ana", request_key=key))
    press(app, "categories.do")
    assert len(made) == 1
    with read(catalogue.engine) as session:
        assert len(session.scalars(select(Batch)).all()) == 1


def test_the_second_of_two_people_is_told(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened("Bo", category="hat")
    app.text_input(key="categories.new.hat").set_value("Cap").run()
    renaming.rename(catalogue, ["hat"], "Headgear", reviewer="Ana", request_key="x")
    press(app, "categories.do")
    assert "Ana renamed “hat” to “Headgear” in between: reload the page" in words(app)
    assert not app.exception
    assert "Headgear" in review.categories(catalogue)


def test_nothing_can_be_changed_without_a_name(seeded: Seeded) -> None:
    app = opened("", category="hat")
    app.text_input(key="categories.new.hat").set_value("Cap").run()
    assert app.button(key="categories.do").disabled
    assert app.button(key="categories.make.Polo").disabled
    assert app.text_input(key="categories.add").disabled
    assert "Type your name" in words(app)


def test_a_name_that_cannot_be_is_said_in_place(seeded: Seeded) -> None:
    app = opened(category="hat")
    app.text_input(key="categories.new.hat").set_value("not sure").run()
    assert "says that there is no category" in words(app)
    assert not app.exception
    assert "Not categories yet" in words(app), "the rest of the page stands"


def test_a_label_of_few_products_becomes_a_category_or_is_merged_in_one_click(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    like = categories.overview(catalogue).few[0].like
    app = opened()
    assert app.button(key="categories.few.Polo").label.replace("\\", "") == f"Merge into {like}"
    press(app, "categories.few.Polo")
    assert f"“Polo” is “{like}” now: 1 product." in words(app)
    press(app, "categories.undo")
    press(app, "categories.make.Polo")
    assert "Polo is a category now." in words(app)
    assert "Polo" in review.categories(catalogue)


def test_a_category_is_added_and_removed(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened()
    app.text_input(key="categories.add").set_value("Sofa").run()
    assert "Sofa is a category now." in words(app)
    assert app.text_input(key="categories.add").value == ""
    press(app, "categories.open.Sofa")
    press(app, "categories.remove.Sofa")
    assert review.categories(catalogue) == CLASSES
    assert not app.exception


def test_pairs_are_shown_with_their_border_and_can_be_merged(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    pair(catalogue, seeded, "dress", "hat", 0.17)
    app = opened()
    assert "**dress** and **hat**" in words(app)
    assert "1 in 6 of these 214 products could as well be the other one." in words(app)
    assert words(app).count("class='muted clip'") == 3
    assert "Look at dress that looks like hat" in links(app)
    press(app, "categories.pair.0")
    app.radio(key="categories.stays.0").set_value("dress").run()
    assert "would become “dress”" in words(app)
    press(app, "categories.merge")
    assert "hat" not in review.categories(catalogue)
    assert "None: each category is told apart" in words(app)


def test_a_link_of_a_pair_leads_to_its_products(catalogue: Catalogue, seeded: Seeded) -> None:
    first = review.pairs(catalogue)[0]
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.run()
    app.switch_page("pages/1_Review_labels.py")
    for name, value in category_views.pair_query(first.label, first.suggestion).items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert app.session_state["review.category"] == first.label
    assert app.session_state["review.suggestion"] == first.suggestion


def test_before_the_first_assessment_the_doctor_says_so(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine, touches=("scores",)) as session:
        session.query(LabelScore).delete()
        session.query(Assessment).delete()
    assert "has not compared the labels with their photos yet" in words(opened())


def test_many_categories_come_in_pages_and_can_be_found(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue)
    with write(catalogue.engine, touches=("labels",)) as session:
        for number, product_id in enumerate(seeded.product_ids):
            values = {"label_current": f"Kind {number:02d} {HOSTILE}", "review_state": "changed"}
            session.execute(update(Product).where(Product.id == product_id).values(values))
    for number in range(40):
        categories.add(catalogue, f"Sort {number:02d}", reviewer="Ana")
    app = opened()
    assert not app.exception
    assert HOSTILE not in words(app)
    assert words(app).count("class='category'") == 30
    app.text_input(key="categories.find").set_value("kind 07").run()
    assert words(app).count("class='category'") == 1
    app.text_input(key="categories.find").set_value("").run()
    app.segmented_control(key="categories.sort").set_value("products").run()
    assert not app.exception
    name = f"Kind 07 {HOSTILE}"
    press(app, f"categories.open.{name}")
    app.text_input(key=f"categories.new.{name}").set_value(HOSTILE).run()
    assert not app.exception
    press(app, "categories.do")
    assert HOSTILE in review.categories(catalogue)
    assert not app.exception
