from dataclasses import fields
from datetime import UTC, datetime, timedelta

from catalog_ai.services.changes import MadeFile, Waiting
from catalog_ai.services.exporting import FORMATS, KINDS
from catalog_ai.services.review import Filter, Sort
from pages._ui import file_views

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=3)


def test_the_button_says_how_much_it_would_hold() -> None:
    assert file_views.make_label(Waiting(38, None)) == "Make the change file (38 changes)"
    assert file_views.make_label(Waiting(0, None)) == "Make the change file"
    assert file_views.save_label(12, 1) == "Save change file 12 (1 change)"
    assert file_views.make_label(Waiting(1, None)) == "Make the change file (1 change)"
    assert file_views.make_label(Waiting(None, None)).endswith("(more than 5,000 decisions)")


def test_the_line_says_since_when() -> None:
    assert file_views.changes_line(Waiting(0, None), NOW) == "Nothing has changed so far."
    since = "since the last one, 3 hours ago"
    assert file_views.changes_line(Waiting(0, EARLIER), NOW) == f"Nothing has changed {since}."
    assert since in file_views.changes_line(Waiting(2, EARLIER), NOW)


def test_the_label_of_a_list_says_all_that_was_asked_for() -> None:
    assert file_views.list_label(Filter(), 1) == "Looks wrong: 1 product"
    assert file_views.list_label(Filter(category="hat"), 2) == "Looks wrong · hat: 2 products"
    pair = Filter("decided", category="hat", suggestion="dress", at_least=0.35, reviewer="Ana")
    assert file_views.list_label(pair, 1200) == (
        "Decided · hat → dress · at least 35% likely wrong · decided by Ana: 1,200 products"
    )
    others = Filter("all", None, "cap", None, "season", "summer", 7, None, "kept", " AB ")
    assert file_views.list_label(others, 0) == (
        "Everything · any label → cap · season summer · run 7 · kept · “AB”: 0 products"
    )
    asked = {field.name for field in fields(Filter)}
    assert asked == {
        *("queue", "category", "suggestion", "at_least", "attribute", "value"),
        *("run", "reviewer", "state", "search"),
    }, "whoever adds a filter adds its words"


def test_the_order_of_a_list_is_said() -> None:
    said = file_views.list_line(Sort("score"))
    assert said == "Exactly what these filters find, most suspicious first."
    assert "by chance × price" in file_views.list_line(Sort("value", "price"))


def test_an_earlier_file_is_a_line() -> None:
    made = MadeFile(12, "changes-abc.csv", 38, "Ana", EARLIER)
    assert file_views.made_line(made, NOW) == "Change file 12: 38 changes, Ana, 3 hours ago"
    nameless = MadeFile(12, "changes-abc.csv", 1, "", EARLIER)
    assert file_views.made_line(nameless, NOW) == "Change file 12: 1 change, 3 hours ago"


def test_every_kind_and_format_has_words() -> None:
    assert ("queue", *file_views.WHOLE_LISTS) == KINDS
    assert tuple(file_views.FORMATS) == FORMATS
    assert all(file_views.format_line(format) for format in FORMATS)
