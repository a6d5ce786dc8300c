"""The files of the desk: the change file made and saved, the earlier ones, all others."""

import pytest
from streamlit.testing.v1 import AppTest

from catalog_ai.services import changes, deciding, exporting, review
from catalog_ai.services.catalogue import Catalogue
from db.engine import read
from db.queries import exports
from pages._ui import frame
from pages._ui.viewmodels import count
from tests.helpers import Seeded

pytestmark = pytest.mark.usefixtures("as_served")


def _page() -> None:
    from catalog_ai.services.catalogue import open_catalogue
    from pages._ui.desk import files

    files.show(open_catalogue())


def opened(reviewer: str = "Ana") -> AppTest:
    app = AppTest.from_function(_page, default_timeout=30)
    app.session_state[frame.REVIEWER] = reviewer
    return app.run()


def button(app: AppTest, words: str) -> AppTest:
    """Press the button whose label begins so, once Markdown's own signs are shown as they are."""
    (found,) = [one for one in app.button if one.label.replace("\\", "").startswith(words)]
    return found.click().run()


def downloads(app: AppTest) -> list[str]:
    """Return the labels of what can be saved."""
    return [one.proto.label for one in app.get("download_button")]


def words(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.warning, app.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def accept(catalogue: Catalogue, product_id: int) -> None:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    deciding.decide(
        *(catalogue, product_id, "accept"),
        reviewer="Ana",
        request_key=f"key-{product_id}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )


def test_an_empty_catalogue_has_nothing_to_make(catalogue: Catalogue) -> None:
    app = opened()
    assert not app.exception
    assert "Nothing has changed so far." in words(app)
    (make,) = [one for one in app.button if one.label.startswith("Make")]
    assert make.disabled
    button(app, "Looks wrong: 0 products")
    assert "nobody has looked for wrong labels yet" in words(app).replace("\\", "")


def test_the_change_file_is_made_then_saved_then_found_again(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    changes.make(catalogue, created_by="the seed")
    for product_id in seeded.wrong_ids[:2]:
        accept(catalogue, product_id)
    app = opened()
    assert downloads(app) == []
    button(app, "Make the change file (2 changes)")
    assert not app.exception
    made = changes.made_files(catalogue)[0]
    assert (made.rows, made.made_by) == (2, "Ana")
    assert downloads(app) == [f"Save change file {made.number} (2 changes)"]
    assert "Nothing has changed since the last one" in words(app)
    app.run()
    assert len(downloads(app)) == 1, "it stays until another is asked for"
    first = changes.made_files(catalogue)[-1]
    app.button(key=f"files.again.{first.number}").click().run()
    assert downloads(app) == [f"Save change file {first.number} (1 change)"]
    assert len(changes.made_files(catalogue)) == 2


def test_older_change_files_are_folded_away(catalogue: Catalogue, seeded: Seeded) -> None:
    for product_id in seeded.wrong_ids[:5]:
        accept(catalogue, product_id)
        changes.make(catalogue)
    app = opened()
    (folded,) = app.expander
    assert [one.key for one in folded.button] == ["files.again.2", "files.again.1"]
    again = [one.key for one in app.button if str(one.key).startswith("files.again")]
    assert len(again) == 5


def test_somebody_else_was_faster(catalogue: Catalogue, seeded: Seeded) -> None:
    accept(catalogue, seeded.wrong_ids[0])
    app = opened()
    changes.make(catalogue, created_by="Ben")
    button(app, "Make the change file")
    assert "nothing has changed since change file" in words(app)
    assert downloads(app) == []
    assert "nothing has changed since change file" not in words(app.run()), "said once"


@pytest.mark.parametrize("format", exporting.FORMATS)
@pytest.mark.parametrize("kind", exporting.KINDS)
def test_every_other_file_comes_in_every_format(
    catalogue: Catalogue, seeded: Seeded, kind: str, format: str
) -> None:
    app = opened()
    app.segmented_control(key="files.format").set_value(format).run()
    app.button(key=f"download.{kind}").click().run()
    assert not app.exception
    rows = exporting.export(catalogue, kind, format, created_by="Ana").rows
    assert downloads(app) == [f"Save {rows} row{'' if rows == 1 else 's'}"]
    with read(catalogue.engine) as session:
        pages, ours = exports.latest(session, kind)
    assert (pages.file_name, pages.created_by) == (ours.file_name, "Ana")


def test_the_desks_list_is_what_its_filters_find(catalogue: Catalogue, seeded: Seeded) -> None:
    """No more than that: another filter takes the file away that was made for the one before."""
    app = opened()
    app.selectbox(key="review.category").set_value("hat").run()
    app.selectbox(key="review.sort").set_value("Newest first").run()
    wanted = review.Filter(category="hat")
    items = review.review_queue(catalogue, wanted, review.Sort("newest")).items
    assert 0 < len(items) < len(seeded.wrong_ids)
    button(app, f"Looks wrong · hat: {count(len(items), 'product')}")
    assert not app.exception
    assert downloads(app) == [f"Save {count(len(items), 'row')}"]
    assert "Exactly what these filters find, newest first" in words(app)
    file = exporting.export(catalogue, "queue", wanted=wanted, sort=review.Sort("newest"))
    with read(catalogue.engine) as session:
        pages, ours = exports.latest(session, "queue")
    assert (pages.sha256, pages.rows) == (ours.sha256, file.rows)
    app.selectbox(key="review.category").set_value("dress").run()
    assert downloads(app) == []


def test_a_link_brings_its_filters_to_the_files(catalogue: Catalogue, seeded: Seeded) -> None:
    app = AppTest.from_function(_page, default_timeout=30)
    app.query_params["review.queue"] = "Everything"
    app.query_params["review.search"] = "*AB*-00"
    app.run()
    assert not app.exception
    label = app.button(key="download.queue").label
    assert label == "Everything · “\\*AB\\*\\-00”\\: 0 products"


def test_names_are_never_markup(catalogue: Catalogue, seeded: Seeded) -> None:
    changes.make(catalogue, created_by="<b>x</b> [a](http://b) *d*")
    assert "[a](http://b)" not in words(opened())
