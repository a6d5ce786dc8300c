"""Every page in each of its states: empty, not ready, full, and in error."""

import os
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.errors import DatabaseError
from catalog_ai.services import deciding, jobs, review, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.reporting import run_item
from db.commands import runs as commands
from db.engine import write
from db.schema import (
    Assessment,
    LabelScore,
    ModelVersion,
    Product,
    Projection,
    ProjectionPoint,
    RunItem,
)
from pages._ui import frame, viewmodels
from pages._ui.viewmodels import count
from tests.helpers import Seeded, seed_catalogue

PAGES = {
    "Today": None,
    "Review labels": "pages/1_Review_labels.py",
    "Shop the look": "pages/2_Shop_the_look.py",
    "Embedding map": "pages/3_Embedding_map.py",
    "Models": "pages/4_Models.py",
    "Nightly runs": "pages/5_Nightly_runs.py",
    "Categories": "pages/6_Categories.py",
}
HOSTILE = "<b>x</b> [a](http://b) $y$ `c` *d*"


pytestmark = pytest.mark.usefixtures("as_served")


def opened(title: str, **query: str) -> AppTest:
    """Return a page as the browser would see it; the way there leads over the first page."""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.run()
    path = PAGES[title]
    if path is not None:
        app.switch_page(path)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
    return app


def words(app: AppTest) -> str:
    """Return all text on a page."""
    kinds = (app.markdown, app.info, app.error, app.success, app.warning, app.caption, app.code)
    shown = [element.value for kind in kinds for element in kind]
    shown += [element.proto.body for element in app.get("html")]
    return "\n".join(str(text) for text in shown)


def press(app: AppTest, label: str) -> AppTest:
    """Click the button of that label."""
    found = [button for button in app.button if button.label.replace("\\", "") == label]
    assert found, f"{label!r} is none of {[button.label for button in app.button]}"
    return found[0].click().run()


def named(app: AppTest, name: str = "Ana") -> AppTest:
    """Type a name into the sidebar."""
    return app.text_input(key=frame.REVIEWER).set_value(name).run()


@pytest.mark.parametrize("title", PAGES)
def test_an_empty_catalogue_says_what_to_run(title: str) -> None:
    app = opened(title)
    assert not app.exception
    assert app.title[0].value == title
    assert "python -m catalog_ai." in words(app)


@pytest.mark.parametrize("title", PAGES)
def test_a_full_catalogue_is_shown(title: str, seeded: Seeded) -> None:
    app = opened(title)
    assert not app.exception
    assert not app.error
    assert app.title[0].value == title


@pytest.mark.parametrize("title", PAGES)
def test_long_names_are_shown_whole(title: str, catalogue: Catalogue) -> None:
    seed_catalogue(catalogue, long_names=True)
    assert not opened(title).exception


@pytest.mark.parametrize("title", PAGES)
def test_an_error_is_one_sentence(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Catalogue:
        raise DatabaseError("the disk is full: free some space and start again")

    monkeypatch.setattr(frame, "open_catalogue", broken)
    app = opened(title)
    assert not app.exception
    shown = [error.value.replace("\\", "") for error in app.error]
    assert shown == ["the disk is full: free some space and start again"]


@pytest.mark.parametrize("title", PAGES)
def test_names_are_never_markup(title: str, catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("products",)) as session:
        for product_id in seeded.product_ids:
            product = session.get(Product, product_id)
            assert product is not None
            product.title, product.label_current = HOSTILE, HOSTILE
    app = opened(title)
    assert not app.exception
    assert HOSTILE not in words(app)


def test_before_the_first_assessment_review_says_so(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("scores",)) as session:
        session.query(LabelScore).delete()
        session.query(Assessment).delete()
    app = opened("Review labels")
    assert "has not looked for wrong labels yet" in words(app)
    assert "python -m catalog_ai.worker" in words(app)
    press(app, "Look for wrong labels")
    assert not app.exception


def test_before_the_first_map_the_page_says_so(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("projections",)) as session:
        session.query(ProjectionPoint).delete()
        session.query(Projection).delete()
    assert "has not been drawn yet" in words(opened("Embedding map"))


def test_without_a_model_shop_says_what_to_run(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("models",)) as session:
        session.query(ModelVersion).update({"is_active": False})
    app = opened("Shop the look", item=str(seeded.product_ids[0]))
    assert not app.exception
    assert "no model to search with" in words(app)


def test_nothing_can_be_decided_without_a_name(seeded: Seeded) -> None:
    app = opened("Review labels")
    keep = next(button for button in app.button if button.label.startswith("Keep"))
    assert keep.disabled
    assert "Type your name" in words(app)


def test_a_decision_goes_on_to_the_next_item_and_can_be_undone(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first, second = review.review_queue(catalogue).items[:2]
    app = named(opened("Review labels"))
    press(app, f"Accept {first.suggestion}")
    assert f"is now {first.suggestion}" in words(app).replace("\\", "")
    assert app.query_params["item"] == str(second.product_id)
    made = deciding.decisions(catalogue)[0]
    assert (made.product_id, made.reviewer) == (first.product_id, "Ana")
    press(app, "Undo")
    assert review.review_queue(catalogue).items[0].product_id == first.product_id
    assert app.query_params["item"] == str(first.product_id)


def test_a_way_of_looking_wrong_leads_to_its_queue(catalogue: Catalogue, seeded: Seeded) -> None:
    pair = review.pairs(catalogue)[0]
    app = opened("Review labels", **{"review.view": "Pairs"})
    press(app, viewmodels.pair_line(pair))
    assert not app.exception
    assert app.session_state["review.category"] == pair.label
    assert app.session_state["review.suggestion"] == pair.suggestion
    first = review.review_queue(
        catalogue, review.Filter(category=pair.label, suggestion=pair.suggestion)
    )
    assert f"{count(first.total, 'product')} here" in words(app)


def test_a_link_opens_the_queue_of_a_pair(catalogue: Catalogue, seeded: Seeded) -> None:
    pair = review.pairs(catalogue)[-1]
    query = {"review.category": pair.label, "review.suggestion": pair.suggestion}
    app = opened("Review labels", **query)
    assert f"{count(pair.count, 'product')} here" in words(app)


def test_a_candidate_relabels(catalogue: Catalogue, seeded: Seeded) -> None:
    item = review.review_queue(catalogue).items[0]
    chosen = next(other for other in item.candidates if other.label != item.label)
    app = named(opened("Review labels"))
    press(app, viewmodels.candidate(chosen))
    assert deciding.decisions(catalogue)[0].label_after == chosen.label


def test_the_second_reviewer_is_told_and_nothing_is_lost(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    item = review.review_queue(catalogue).items[0]
    app = named(opened("Review labels"), "Bob")
    deciding.decide(
        catalogue,
        item.product_id,
        "keep",
        reviewer="Ana",
        request_key="first",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    button = next(b for b in app.button if b.label.startswith("Keep"))
    button.click().run()
    assert "Ana kept" in words(app).replace("\\", "")
    assert len([d for d in deciding.decisions(catalogue) if d.product_id == item.product_id]) == 1


def test_a_link_opens_queue_and_item(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened("Review labels", item=str(seeded.second_look_id))
    card = review.product_item(catalogue, seeded.second_look_id)
    assert card is not None
    assert card.sku in words(app)


def test_shop_shows_neighbours_of_a_product_with_their_distance(seeded: Seeded) -> None:
    app = opened("Shop the look", item=str(seeded.product_ids[0]))
    assert words(app).count("distance") == 12


def test_a_photo_that_is_none_is_refused_in_a_sentence(
    seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened("Shop the look")
    app.file_uploader(key="shop.photo").upload("look.jpg", b"not a photo", "image/jpeg").run()
    assert not app.exception
    assert "no JPEG, PNG or WebP photo" in words(app)


def refuse(catalogue: Catalogue, run_id: int, count: int) -> None:
    """Let a run refuse `count` photos more."""
    with write(catalogue.engine, touches=("runs",)) as session:
        rows = [
            run_item("quarantined", f"{HOSTILE}-{n}.jpg", code="damaged", reason=HOSTILE)
            for n in range(count)
        ]
        commands.add_items(session, run_id, rows)
        commands.set_counts(session, run_id, quarantined=count + 2)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_runs_list_what_could_not_be_used(seeded: Seeded) -> None:
    app = opened("Nightly runs")
    assert "24 of 26 products came in on" in app.subheader[0].value
    assert "the photo is incomplete or damaged: deliver it again" in words(app)
    assert labels(app).count("Try again") == labels(app).count("Dismiss") == 2


def test_each_section_of_a_run_can_be_seen(seeded: Seeded) -> None:
    app = opened("Nightly runs")
    sections = app.pills[0]
    assert sections.options == [
        *("New 24", "Labels that look wrong 6", "Could not be used 2"),
        *("Rows whose photo did not come 1", "Photos that no row mentions 1"),
    ]
    for name, shown in (
        *(("added", "Linen"), ("wrong", "99% likely wrong")),
        *(("missing", "ZZ-3.jpg"), ("unlisted", "ZZ-4.jpg")),
    ):
        app.pills[0].set_value(name).run()
        assert not app.exception
        assert shown in words(app)
        assert "Try again" not in labels(app)


def test_a_product_without_a_picture_is_shown_all_the_same(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    app = opened("Nightly runs")
    app.pills[0].set_value("added").run()
    assert "run-empty'" not in words(app)
    shutil.rmtree(catalogue.settings.thumbnails)  # since the page was drawn
    app.run()
    assert not app.exception
    assert words(app).count("run-empty'") == len(seeded.product_ids)


def test_a_refused_photo_is_dismissed_and_reopened(catalogue: Catalogue, seeded: Seeded) -> None:
    app = press(opened("Nightly runs"), "Dismiss")
    assert "Dismissed." in words(app)
    assert labels(app).count("Dismiss") == 1
    assert runs.settled_counts(catalogue, seeded.run_id) == {"dismissed": 1, "open": 1}
    app.toggle(key="runs.hide").set_value(True).run()
    assert "Reopen" not in labels(app)
    assert labels(app).count("Dismiss") == 1
    app.toggle(key="runs.hide").set_value(False).run()
    press(app, "Reopen")
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 2}
    assert labels(app).count("Dismiss") == 2


def test_a_refused_photo_is_tried_again(catalogue: Catalogue, seeded: Seeded) -> None:
    app = press(named(opened("Nightly runs")), "Try again")
    assert "Will be tried again as soon as the worker is free." in words(app)
    assert labels(app).count("Try again") == 1
    job = jobs.list_jobs(catalogue)[0]
    assert (job.kind, job.requested_by) == ("ingest", "Ana")
    jobs.run_jobs(catalogue, loop=False)
    app.run()
    assert "the folder /deliveries/tonight is gone" in words(app)
    assert labels(app).count("Try again") == 2


def test_a_row_is_corrected_or_dismissed(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("runs",)) as session:
        waiting = session.query(RunItem).filter(RunItem.outcome == "quarantined")
        item = waiting.order_by(RunItem.id).first()
        assert item is not None
        item.image, item.sku, item.code = "line 3", "", "bad_row"
    app = opened("Nightly runs")
    assert "Correct the row: the next run takes it in." in words(app)
    assert (labels(app).count("Try again"), labels(app).count("Dismiss")) == (1, 2)
    press(app, "Dismiss")
    assert "Dismissed." in words(app)
    assert runs.settled_counts(catalogue, seeded.run_id) == {"dismissed": 1, "open": 1}


def test_hundreds_of_refused_photos_come_in_pages(catalogue: Catalogue, seeded: Seeded) -> None:
    refuse(catalogue, seeded.run_id, 600)
    app = opened("Nightly runs")
    assert not app.exception
    assert HOSTILE not in words(app)
    assert labels(app).count("Dismiss") == 24
    press(app, "Dismiss all shown (24)")
    assert labels(app).count("Reopen") == 24
    assert runs.settled_counts(catalogue, seeded.run_id) == {"dismissed": 24, "open": 578}
    app.toggle(key="runs.hide").set_value(True).run()
    assert labels(app).count("Dismiss") == 24
    assert runs.get_run(catalogue, seeded.run_id).waiting == 578


def test_a_click_on_what_is_gone_is_said_in_a_sentence(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    app = opened("Nightly runs")
    with write(catalogue.engine) as session:
        session.query(RunItem).filter(RunItem.outcome == "quarantined").delete()
    press(app, "Dismiss")
    assert not app.exception
    assert "no refused photo or row has the number" in words(app)


def test_a_run_of_nothing_says_so(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("runs",)) as session:
        session.query(RunItem).delete()
        commands.set_counts(session, seeded.run_id, missing=0, unlisted=0, seen=24)
    app = opened("Nightly runs")
    assert not app.exception
    assert "nothing needs you" in app.subheader[0].value
    assert "It brought nothing new" in words(app)


def test_what_is_dismissed_needs_nobody_today(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened("Today")
    assert "4 photos or rows to look into" in [link.proto.label for link in app.get("page_link")]
    items = runs.run_items(catalogue, seeded.run_id, outcomes=("quarantined",))
    runs.dismiss(catalogue, [item.id for item in items])
    app.run()
    assert "2 photos or rows to look into" in [link.proto.label for link in app.get("page_link")]


def test_models_can_be_trained_from_the_page(catalogue: Catalogue, seeded: Seeded) -> None:
    app = opened("Models")
    press(app, "Start")
    assert [job.kind for job in jobs.list_jobs(catalogue)] == ["train"]
    assert "No worker is running" in words(app)


def test_a_deep_link_has_frame_and_navigation(seeded: Seeded) -> None:
    """Streamlit runs a linked page's file alone; its frame must not depend on the first page."""
    app = AppTest.from_file(str(PROJECT_ROOT / "streamlit_app.py"), default_timeout=30)
    app.switch_page("pages/5_Nightly_runs.py").run()
    assert not app.exception
    assert app.text_input(key=frame.REVIEWER).label == "Your name"


def test_the_tests_never_touch_a_real_catalogue(catalogue: Catalogue) -> None:
    assert Path(os.environ["CATALOG_HOME"]) == catalogue.settings.home
