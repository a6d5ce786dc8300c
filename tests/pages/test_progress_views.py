"""How reviewing goes, in words, as charts, and as a view of the desk."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from catalog_ai.services import deciding, rechecking, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.progressing import CategoryLeft, Day, Progress, Promise
from catalog_ai.services.rechecking import Agreement, Disagreement
from db.commands import rechecks
from db.engine import write
from db.schema import Product
from pages._ui import charts
from pages._ui import progress_views as views
from tests.helpers import seed_catalogue

NOW = datetime(2026, 11, 26, 4, 30, tzinfo=UTC)
HOSTILE = "<b>x</b> [a](http://b) $y$"
SCRIPT = """
from catalog_ai.services.catalogue import open_catalogue
from pages._ui.desk import progress
progress.show(open_catalogue())
"""
PROGRESS = Progress(
    days=(),
    promises=(
        Promise(0.1, 0.2, 9, 9, 0.7, 1.0),
        Promise(0.2, 0.3, 20, 2, 0.02, 0.3),
        Promise(0.3, 0.4, 12, 2, 0.04, 0.45),
        Promise(0.4, 0.5, 5, 5, 0.5, 1.0),
    ),
    answers=50,
    were_wrong=12,
    count=70,
    wrong=30.6,
    sure=22.2,
    ahead=50,
    ahead_wrong=27.8,
    categories=(CategoryLeft("dress", 40, 20.4), CategoryLeft("hat", 30, 10.2)),
)
AGREEMENT = Agreement(48, 46, (20, 20), (28, 26), 0.8602, 0.9885, 3, ())


def test_it_says_when_to_stop() -> None:
    assert views.found_line(PROGRESS) == (
        "Of the last 50 decisions about a known category 12 found a label that was truly wrong; "
        "among those that were 20 to 40% likely wrong it was 1 in 8."
    )
    assert views.left_line(PROGRESS) == (
        "About 31 wrong labels are left among the 70 that look wrong, 22 of them among those more "
        "than 60% likely wrong; the next 50 hold about 28."
    )


def test_it_says_so_of_one_and_of_none() -> None:
    one = replace(PROGRESS, answers=1, were_wrong=0, promises=())
    assert views.found_line(one) == (
        "The last decision about a known category found no wrong label."
    )
    assert views.found_line(replace(one, were_wrong=1)).endswith("a label that was truly wrong.")
    assert views.found_line(replace(one, answers=0)) == ""
    last = replace(PROGRESS, count=1, wrong=0.7, sure=0.0, ahead=1, ahead_wrong=0.7)
    assert views.left_line(last) == (
        "About 1 wrong label is left among the 1 that look wrong; the next one is 70% likely wrong."
    )
    assert views.left_line(replace(last, count=0)) == "No label looks wrong any more."


@pytest.mark.parametrize(
    ("wrong", "decided", "words"),
    [(0, 12, "none of 12"), (4, 32, "1 in 8"), (3, 4, "3 of 4"), (2, 4, "1 in 2")],
)
def test_a_share_in_words(wrong: int, decided: int, words: str) -> None:
    assert views.one_in(wrong, decided) == words


def test_agreement_in_words() -> None:
    assert views.agreement_line(AGREEMENT) == "46 of 48 alike: between 86 and 99 in a hundred"
    assert views.agreement_parts(AGREEMENT) == (
        "By the same person 20 of 20 · by another one 26 of 28 · 3 decisions will be shown again"
    )
    none = Agreement(0, 0, (0, 0), (0, 0), 0.0, 1.0, 0, ())
    assert views.agreement_line(none) == "Nothing has been shown a second time yet."
    assert views.agreement_parts(none) == ""


def test_a_day_begins_at_the_readers_midnight() -> None:
    """On 25 October 2026 Berlin's clocks went back; in Kolkata it is the 26th already."""
    berlin = ZoneInfo("Europe/Berlin")
    found = views.midnights(datetime(2026, 10, 27, 12, tzinfo=UTC), berlin, 4)
    assert [one.astimezone(UTC).hour for one in found] == [22, 22, 23, 23]
    assert [one.day for one in found] == [24, 25, 26, 27]
    late = datetime(2026, 11, 25, 20, tzinfo=UTC)
    assert views.midnights(late, ZoneInfo("Asia/Kolkata"))[-1].day == 26
    assert len(views.midnights(late, UTC)) == 30


def test_bars_of_each_day() -> None:
    days = [Day(NOW + timedelta(days=n), n, 0, 1, 0) for n in range(3)]
    lines = views.day_lines(days)
    assert [line[0] for line in lines] == ["Kept", "Second look, or no product photo"]
    patterns = [line[2] for line in views.day_lines([Day(NOW, 1, 1, 1, 1)])]
    assert len(set(patterns)) == 4, "never by colour alone"
    drawn = charts.by_day("Decisions a day", views.day_names(days), lines)
    assert [tuple(bar.y) for bar in drawn.data] == [(0, 1, 2), (1, 1, 1)]
    assert tuple(drawn.data[0].x) == ("26 Nov", "27 Nov", "28 Nov")
    assert drawn.layout.yaxis.dtick == 1, "no half decisions"


def test_what_was_said_against_what_people_found() -> None:
    point = Promise(0.2, 0.3, 20, 2, 0.05, 0.3)
    words = views.promise_words(point)
    assert words == "said 20% to 30%: 2 of 20 truly wrong (between 5 and 30 in a hundred)"
    drawn = charts.promises("t", [0.25], [0.1], [(0.05, 0.3)], [words])
    promised, found = drawn.data
    assert (tuple(promised.x), tuple(promised.y)) == ((0, 1), (0, 1))
    assert found.error_y.array[0] == pytest.approx(0.2)
    assert found.error_y.arrayminus[0] == pytest.approx(0.05)


def test_what_is_left_by_category() -> None:
    html = views.left_bars(PROGRESS)
    assert "40, about 20 wrong" in html
    assert "width:100%" in html and "width:75%" in html
    many = tuple(CategoryLeft(f"{HOSTILE}{n}", 20 - n, 1.0) for n in range(17))
    html = views.left_bars(replace(PROGRESS, categories=many))
    assert "and 15 in 3 other categories" in html
    assert "<b>x</b>" not in html


def test_every_category_leads_to_its_queue() -> None:
    """By the name as it is, whatever is in it; what has no label has no queue of this kind."""
    left = (CategoryLeft(HOSTILE + "'&", 3, 1.0), CategoryLeft(None, 1, 1.0))
    html = views.left_bars(replace(PROGRESS, categories=left))
    (address,) = re.findall(r"<a href='([^']*)'>", html)
    assert parse_qs(unescape(address)[1:]) == {"review.category": [HOSTILE + "'&"]}
    assert "<span dir='auto'>no label</span>" in html


def test_a_disagreement_is_shown_as_it_was_written() -> None:
    one = Disagreement(1, HOSTILE, HOSTILE, NOW - timedelta(hours=5), Path("gone.jpg"))
    html = views.disagreement(one, NOW)
    assert "<b>x</b> [" not in html
    assert "5 hours ago" in html


@pytest.fixture
def app(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The view alone, over the catalogue of this test."""
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    return AppTest.from_string(SCRIPT, default_timeout=30)


def words_of(app: AppTest) -> str:
    assert not app.exception
    texts = [one.value for kind in (app.markdown, app.caption, app.subheader) for one in kind]
    html = [str(one.proto.body) for one in app.get("html")]
    shown = " ".join([*texts, *html, *(f"{m.label}: {m.value}" for m in app.metric)])
    return shown.replace("\\", "")  # Markdown's own signs are shown as they are


def test_the_view_of_an_empty_catalogue(app: AppTest) -> None:
    said = words_of(app.run())
    assert "Nothing was decided in the last 30 days" in said
    assert "No label looks wrong any more" in said
    assert "One decision in fifty is shown again later" in said


def test_the_view_after_a_disagreement(
    app: AppTest, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rechecks, "ONE_IN", 1)
    monkeypatch.setattr(rechecking, "DISTANCE", 0)
    seeded = seed_catalogue(catalogue)
    with write(catalogue.engine, touches=("products",)) as session:
        one = update(Product).where(Product.id == seeded.wrong_ids[0])
        session.execute(one.values(sku=HOSTILE))
    item = review.product_item(catalogue, seeded.wrong_ids[0])
    assert item is not None
    seen = {"seen_version": item.version, "seen_sha256": item.image_sha256}
    deciding.decide(catalogue, item.product_id, "keep", reviewer="Ana", request_key="1", **seen)
    shown = rechecking.due(catalogue, reviewer="Ben")
    assert shown is not None
    seen["seen_version"] = shown.item.version
    rechecking.answer(
        catalogue, shown.decision_id, "accept", reviewer="Ben", request_key="2", **seen
    )
    said = words_of(app.run())
    assert "0 of 1 alike: between 0 and 79 in a hundred" in said
    assert "Ana kept hat; shown it again, Ben chose dress" in said
    assert "<b>x</b>" not in said
    assert "Left to look at: 9" in said
    assert "Wrong labels among them, about: 5" in said
    assert len(app.get("plotly_chart")) == 2
