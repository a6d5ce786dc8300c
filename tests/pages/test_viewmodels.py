"""What pages say, without a browser."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from catalog_ai.services.evidence import Neighbour
from catalog_ai.services.jobs import JobView
from catalog_ai.services.review import QUEUES, Pair, ReviewProgress
from catalog_ai.services.runs import RunItemView
from pages._ui import charts, viewmodels

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=26), "26 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_how_long_ago(passed: timedelta, expected: str) -> None:
    assert viewmodels.ago(NOW - passed, NOW) == expected


def test_times_are_the_readers() -> None:
    auckland = viewmodels.zone("Pacific/Auckland")
    assert viewmodels.local(NOW, auckland) == "Mon 23 Nov 2026, 22:00"
    assert viewmodels.midnight(NOW, auckland) == datetime(
        2026, 11, 23, tzinfo=ZoneInfo("Pacific/Auckland")
    )


def test_an_unknown_time_zone_is_utc() -> None:
    assert viewmodels.zone("Mars/Olympus") is UTC
    assert viewmodels.zone(None) is UTC


def test_progress_reads_as_people_say_it() -> None:
    assert viewmodels.progress_line(ReviewProgress(5, 496, 5, {}, {})) == "5 of 501, 496 left"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (("12", "12.90", "12,90"), True),
        (("", " ", "7"), True),
        (("36", "38", "40", "L", "M"), True),
        (("40", "L", "M", "S"), False),
        (("1", "a"), False),
        (("",), False),
        ((), False),
    ],
)
def test_an_attribute_weighs_where_most_of_what_is_known_are_numbers(
    values: tuple[str, ...], expected: bool
) -> None:
    assert viewmodels.are_numbers(values) is expected


def test_a_look_alike_says_in_a_word_whether_people_confirmed_it(tmp_path: Path) -> None:
    def near(label: str, confirmed: bool) -> Neighbour:
        return Neighbour(1, "AB-1", label, tmp_path / "none.jpg", confirmed)

    alike = [near("dress", True), near("skirt", False), near("hat", False)]
    item = SimpleNamespace(label="dress", suggestion="hat", neighbours=alike)
    confirmed, other, suggested = viewmodels.alikes(item).split("<div class='tile'>")[1:]
    assert "✓ same label" in confirmed
    assert "✓ confirmed" in confirmed
    assert "another label" in other
    assert "confirmed" not in other
    assert "→ as suggested" in suggested, "it speaks for the suggestion"


def test_an_empty_queue_says_where_something_waits() -> None:
    counts = dict.fromkeys(QUEUES, 0) | {"second_look": 1, "decided": 7, "all": 8}
    progress = SimpleNamespace(by_queue=counts)
    assert viewmodels.nothing_left_line(progress, "wrong") == (
        "Nothing is left here. 1 waits under “Second look”."
    )
    assert viewmodels.nothing_left_line(progress, "second_look") == "Nothing is left here."
    counts["unknown"] = 1200
    assert "1,200 wait under “Not a known category”" in viewmodels.nothing_left_line(
        progress, "all"
    )


def test_a_title_keeps_its_direction_to_itself() -> None:
    item = SimpleNamespace(
        **{"label": "dress", "label_given": "dress", "suggestion": "", "score": None},
        **{"sku": "A-1", "title": "פריט (M)", "evidence": "", "note_from_before": ""},
        trained_on=True,
    )
    said = viewmodels.facts(item)
    assert "<bdi>A-1</bdi> · <bdi>פריט (M)</bdi> · <bdi>the model learnt" in said


def test_text_is_never_markup() -> None:
    assert viewmodels.escaped("<script>'\"") == "&lt;script&gt;&#x27;&quot;"
    assert viewmodels.plain("[a](b) $c$ :red[d]") == r"\[a\]\(b\) \$c\$ \:red\[d\]"


def test_an_absent_label_has_words() -> None:
    assert viewmodels.escaped(None) == "no label"


def test_a_selection_gives_our_ids_never_indices() -> None:
    points = [{"point_index": 0, "customdata": [41]}, {"point_index": 1, "customdata": [7]}]
    event = {"selection": {"points": [*points, points[0], {"point_index": 3}]}}
    assert viewmodels.selected_ids(event) == [41, 7]
    assert viewmodels.selected_ids(None) == []


REFUSED = RunItemView(
    *(1, None, "A-1", "", "images/a.jpg", "quarantined", "damaged", "it is broken", None),
    *(None, None, "", None, "retried", None),
)


def a_try(state: str, **values: Any) -> JobView:
    told = {"message": "", "result": {}} | values
    return JobView(
        *(3, "ingest", "Try again", state, 0.0, told["message"], told["result"], "", NOW),
        *(None, None, {"source": "/feed", "only": ["images/a.jpg", "A-1"]}),
    )


@pytest.mark.parametrize(
    ("tries", "words", "can_try"),
    [
        ([], "It was asked to be tried again.", True),
        ([a_try("queued")], "Will be tried again as soon as the worker is free.", False),
        ([a_try("running")], "Is being tried again now.", False),
        ([a_try("done", result={"added": 1})], "Was tried again: it is in now.", False),
        (
            [a_try("done", result={"quarantined": 1})],
            "Was tried again and refused again: see the newest run.",
            True,
        ),
        ([a_try("lost", message="gone")], "Could not be tried again: gone", True),
        ([a_try("cancelled")], "Could not be tried again: cancelled", True),
        ([a_try("queued"), a_try("failed")], "Will be tried again", False),
        ([replace(a_try("queued"), parameters={"only": ["b.jpg"]})], "It was asked", True),
    ],
)
def test_what_became_of_the_last_try(tries: list[JobView], words: str, can_try: bool) -> None:
    found = viewmodels.tried(REFUSED, tries)
    assert found.words.startswith(words)
    assert found.can_try == can_try


def test_a_try_does_not_outlive_what_a_person_decides() -> None:
    done = [a_try("done", result={"added": 0, "quarantined": 0})]
    assert viewmodels.tried(replace(REFUSED, settled="dismissed"), done).words == "Dismissed."
    assert viewmodels.tried(replace(REFUSED, settled="open"), []) == viewmodels.NOTHING_TRIED
    gone = viewmodels.tried(replace(REFUSED, settled="open"), done)
    assert (gone.words, gone.can_try) == (
        "Was tried again: no product of the delivery has it now.",
        True,
    )


def test_a_row_cannot_be_tried_by_itself() -> None:
    row = replace(REFUSED, sku="", image="line 3", code="bad_row", settled="open")
    told = viewmodels.tried(row, [])
    assert (told.words, told.can_try) == ("Correct the row: the next run takes it in.", False)
    before = [replace(a_try("done"), parameters={"only": ["line 3"]})]
    assert viewmodels.tried(row, before) == told
    assert viewmodels.tried(replace(row, settled="dismissed"), []).words == "Dismissed."


def test_an_items_words_are_never_markup() -> None:
    hostile = "<b>x</b>"
    item = replace(
        *(REFUSED,),
        **dict.fromkeys(("sku", "title", "image", "code", "reason", "label_before"), hostile),
        **dict.fromkeys(("label_after", "label", "suggestion"), hostile),
    )
    for section in ("added", "moved", "wrong", "quarantined", "missing"):
        shown = viewmodels.run_card(section, item, hostile)
        assert "<b>x" not in shown
        assert "&lt;b&gt;x" in shown


def test_pairs_become_a_table_whose_cells_lead_to_their_queue() -> None:
    pairs = [
        Pair("top", "t-shirt", 38, 30.4),
        Pair("top", "dress", 3, 1.0),
        Pair("hat", "cap", 1, 1),
    ]
    assert viewmodels.pair_line(pairs[0]) == "top → t-shirt: 38 items, about 30 truly wrong"
    assert viewmodels.pair_line(pairs[2]) == "hat → cap: 1 item, about 1 truly wrong"
    maybe = Pair("hat", "cap", 1, 0.4)
    assert viewmodels.pair_line(maybe) == "hat → cap: 1 item, perhaps wrong"
    labels, suggestions, counts = viewmodels.pair_table(pairs)
    assert (labels, suggestions) == (["top", "hat"], ["t-shirt", "dress", "cap"])
    assert counts == [[38, 3, 0], [0, 0, 1]]
    link = viewmodels.pair_link("A & B", "<b>")
    assert parse_qs(link[1:]) == {"review.category": ["A & B"], "review.suggestion": ["<b>"]}


def test_names_that_look_alike_once_cut_have_rows_of_their_own() -> None:
    names = ["x" * 30 + "a", "x" * 30 + "b"]
    drawn = charts.doubts(names, ["hat"], [[2], [1]], viewmodels.pair_link)
    assert list(drawn.layout.yaxis.tickvals) == [0, 1]
    assert [row[0] for row in drawn.data[0].z] == [2, 1]
    assert [row[0][0] for row in drawn.data[0].customdata] == names


def test_a_table_of_pairs_shows_names_never_as_markup_and_links_every_count() -> None:
    hostile = "<b onclick='x'>" + "x" * 40
    drawn = charts.doubts([hostile], ["hat", "cap"], [[2, 0]], viewmodels.pair_link)
    assert "<b" not in drawn.layout.yaxis.ticktext[0] + drawn.data[0].customdata[0][0][0]
    (cell,) = drawn.layout.annotations
    assert cell.text.count("<") == 4
    assert "target='_self'><span style='color:#000'>2</span></a>" in cell.text


def test_a_confusion_matrix_shows_categories_as_they_are_written() -> None:
    drawn = charts.confusion(["38", "<b>40</b>"], [[3, 0], [1, 2]])
    for axis in (drawn.layout.xaxis, drawn.layout.yaxis):
        assert list(axis.ticktext) == ["38", "&lt;b&gt;40&lt;/b&gt;"]
        assert list(axis.tickvals) == [0, 1], "38 is a name, not a place on the axis"
    assert drawn.data[0].x is None


def test_who_chose_a_photo_is_told_to_choose_another() -> None:
    said = viewmodels.about_upload
    assert said("the photo is incomplete or damaged: deliver it again") == (
        "The photo is incomplete or damaged: choose another."
    )
    assert said("the file is larger than 50 MB: deliver a smaller").endswith("choose a smaller.")
    assert said("this is no photo: save it as one").endswith("photo: save it as one.")
