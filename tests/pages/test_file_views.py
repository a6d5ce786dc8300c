from datetime import UTC, datetime, timedelta

from catalog_ai.services.changes import MadeFile, Waiting
from catalog_ai.services.exporting import FORMATS, KINDS
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


def test_an_earlier_file_is_a_line() -> None:
    made = MadeFile(12, "changes-abc.csv", 38, "Ana", EARLIER)
    assert file_views.made_line(made, NOW) == "Change file 12: 38 changes, Ana, 3 hours ago"
    nameless = MadeFile(12, "changes-abc.csv", 1, "", EARLIER)
    assert file_views.made_line(nameless, NOW) == "Change file 12: 1 change, 3 hours ago"


def test_every_kind_and_format_has_words() -> None:
    assert tuple(file_views.KINDS) == KINDS
    assert tuple(file_views.FORMATS) == FORMATS
    assert all(file_views.format_line(format) for format in FORMATS)
