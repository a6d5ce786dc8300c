import re
from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from catalog_ai.errors import UsageError
from catalog_ai.services import jobs, run_page, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.reporting import run_item
from catalog_ai.services.run_page import unfinished, write_again, write_page
from db.commands import runs as commands
from db.engine import write
from db.schema import LabelScore, Product, Run
from tests.helpers import Seeded, seed_catalogue

NOW = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
NOT_YET = "The worker has not looked at them yet; this page is written again when it has."


class Page(HTMLParser):
    """What a browser makes of a page: its text, and its elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page_of(catalogue: Catalogue, tmp_path: Path) -> Callable[[int], Page]:
    """Write a run's page and return it as a browser sees it."""

    def written(run_id: int) -> Page:
        write_page(catalogue, run_id, tmp_path / "run.html")
        return Page((tmp_path / "run.html").read_text())

    return written


def add(catalogue: Catalogue, items: list[dict[str, Any]], page: str = "", **values: Any) -> int:
    """Write a run of these items and return its number."""
    with write(catalogue.engine, touches=("runs",)) as session:
        number = commands.start_run(session, "/feed", 1, NOW, page=page)
        commands.add_items(session, number, items)
        commands.set_counts(session, number, **{"state": "done", "finished_at": NOW} | values)
    return number


def added(*numbers: int) -> list[dict[str, Any]]:
    return [run_item("added", f"{n}.jpg", product_id=n, sku=f"S-{n}") for n in numbers]


def forget_scores(catalogue: Catalogue) -> None:
    with write(catalogue.engine) as session:
        session.execute(delete(LabelScore))


def test_a_page_says_what_came_and_what_needs_a_person(
    seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    page = page_of(seeded.run_id)
    assert "24 of 26 products came in on" in page.text
    assert "; 11 need you." in page.text
    for words in ("New 24", "Labels that look wrong 6", "Could not be used 2", "damaged"):
        assert words in page.text
    assert "the photo is incomplete or damaged: deliver it again" in page.text
    assert len(page.all("img")) == 24 + 6
    assert NOT_YET not in page.text
    assert "Changed" not in page.text  # no heading over nothing


def test_a_page_needs_nothing_from_outside(
    seeded: Seeded, page_of: Callable[[int], Page], tmp_path: Path
) -> None:
    page = page_of(seeded.run_id)
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert not page.all("script") and not page.all("link")
    assert all(str(link["href"]).startswith("#") for link in page.all("a"))
    style = (tmp_path / "run.html").read_text().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    for wanted in ("prefers-color-scheme: dark", "@media print"):
        assert wanted in style


def test_every_link_of_the_overview_leads_somewhere(
    seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    page = page_of(seeded.run_id)
    targets = {attributes["id"] for attributes in page.all("section")}
    assert {str(link["href"])[1:] for link in page.all("a")} == targets


def test_names_are_never_markup(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    with write(catalogue.engine) as session:
        session.execute(
            update(Product)
            .where(Product.id == seeded.product_ids[0])
            .values(title=HOSTILE, label_current=HOSTILE)
        )
    items = added(seeded.product_ids[0])
    items += [
        run_item("updated", HOSTILE, product_id=1, label_before=HOSTILE, label_after=HOSTILE),
        run_item("quarantined", HOSTILE, sku=HOSTILE, code="bad_name", reason=HOSTILE),
        run_item("missing", HOSTILE),
        run_item("unlisted", HOSTILE),
    ]
    page = page_of(add(catalogue, items, message=HOSTILE))
    assert page.text.count("<script>alert(1)</script>") >= 8
    assert not page.all("script")
    assert not any("onerror" in attributes for _, attributes in page.elements)


def test_each_name_reads_in_its_own_direction(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).values(title="فستان صيفي من الكتان"))
    page = page_of(add(catalogue, added(seeded.product_ids[0])))
    assert "فستان صيفي من الكتان" in page.text
    named = [attributes for attributes in page.all("div") if attributes.get("class") == "text"]
    assert named and all(attributes["dir"] == "auto" for attributes in named)


def test_a_moved_category_is_shown_as_before_and_after(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    moved = run_item(
        "updated", "a.jpg", product_id=seeded.product_ids[9], label_before="hat", label_after="polo"
    )
    page = page_of(add(catalogue, [moved], updated=1))
    assert "Categories that moved 1" in page.text
    assert "hat → polo" in page.text
    assert len(page.all("img")) == 1


def test_only_so_many_are_shown_and_the_rest_is_counted(
    catalogue: Catalogue, page_of: Callable[[int], Page]
) -> None:
    many = seed_catalogue(catalogue, 60)
    forget_scores(catalogue)
    items = [run_item("quarantined", f"{n}.jpg", code="damaged", reason="x") for n in range(1282)]
    page = page_of(add(catalogue, items + added(*many.product_ids)))
    assert "and 1,234 more" in page.text
    assert "and 12 more" in page.text
    assert len(page.all("img")) == 48
    assert len(page.all("li")) == 48 + 48


def test_a_missing_thumbnail_leaves_an_empty_frame(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).values(thumbnail="gone.jpg", stored_image="gone.png"))
    forget_scores(catalogue)
    page = page_of(add(catalogue, added(seeded.product_ids[0])))
    assert page.all("img") == []
    assert any(attributes.get("class") == "frame" for attributes in page.all("div"))


def test_before_the_assessment_the_page_says_so(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    forget_scores(catalogue)
    page = page_of(seeded.run_id)
    assert NOT_YET in page.text
    assert "#wrong" not in {link["href"] for link in page.all("a")}


@pytest.mark.parametrize(("state", "words"), [("stopped", "was stopped"), ("failed", "failed")])
def test_a_run_that_did_not_end_well_says_so(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page], state: str, words: str
) -> None:
    number = add(catalogue, [], state=state, seen=9, added=4, message="the disk is full")
    page = page_of(number)
    assert f"{words} after 4 of 9 products." in page.text
    assert "the disk is full" in page.text


def test_what_was_dismissed_says_so(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    item = runs.run_items(catalogue, seeded.run_id, outcomes=("quarantined",))[0]
    runs.settle(catalogue, item.id, "dismissed")
    page = page_of(seeded.run_id)
    assert "damaged · dismissed" in page.text
    assert "; 10 need you." in page.text


def test_a_row_says_how_it_comes_in(
    catalogue: Catalogue, seeded: Seeded, page_of: Callable[[int], Page]
) -> None:
    number = add(catalogue, [run_item("quarantined", "line 3", code="bad_row", reason="torn")])
    assert "bad_row · Correct the row: the next run takes it in." in page_of(number).text


def test_a_page_says_when_it_was_written_and_where_the_rest_is(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    """It is the night as it was: what is settled later changes nothing in a file."""
    path = tmp_path / "run.html"
    write_page(catalogue, seeded.run_id, path, now=NOW)
    written = path.read_bytes()
    when = f"{NOW.astimezone():%A %-d %B, %H:%M}"
    said = f"Written on {when}: what people have settled since then shows on the page Nightly runs"
    assert said in Page(written.decode()).text
    (item, *_) = runs.run_items(catalogue, seeded.run_id, outcomes=("quarantined",))
    runs.settle(catalogue, item.id, "dismissed")
    assert path.read_bytes() == written


def test_a_run_that_is_none_is_no_page(catalogue: Catalogue, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run number 7"):
        write_page(catalogue, 7, tmp_path / "run.html")
    assert list(tmp_path.glob("*.html")) == []


def test_half_a_letter_does_not_lose_the_page(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_page, "headline", lambda *_: "broken \ud800 name")
    write_page(catalogue, seeded.run_id, tmp_path / "run.html")
    assert "broken ? name" in (tmp_path / "run.html").read_text()


# --- written again by the worker -----------------------------------------------------------------


def test_the_worker_writes_the_page_again_once_it_has_looked(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    forget_scores(catalogue)
    path = tmp_path / "run.html"
    number = add(catalogue, added(*seeded.product_ids), page=str(path))
    write_page(catalogue, number, path)
    assert NOT_YET in path.read_text()
    assert unfinished(catalogue) == (number,)
    jobs.enqueue(catalogue, "assess")
    assert jobs.run_jobs(catalogue, loop=False) == 0
    assert NOT_YET not in path.read_text()
    assert "Run 2 of" in path.read_text()
    assert unfinished(catalogue) == ()


def test_a_page_that_says_all_is_left_alone(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    add(catalogue, added(*seeded.product_ids), page=str(tmp_path / "run.html"))
    jobs.enqueue(catalogue, "assess")
    assert jobs.run_jobs(catalogue, loop=False) == 0
    assert not (tmp_path / "run.html").exists()


def test_of_runs_that_share_a_file_the_newest_has_it(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    forget_scores(catalogue)
    one, other = str(tmp_path / "run.html"), str(tmp_path / "other.html")
    products = added(*seeded.product_ids)
    add(catalogue, products, page=one)
    second = add(catalogue, products, page=other)
    third = add(catalogue, products, page=one)
    assert unfinished(catalogue) == (third, second)
    add(catalogue, [], page=one)  # brought nothing to look at, and the file is its own
    assert unfinished(catalogue) == (second,)


def test_a_run_under_way_writes_its_page_itself(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    forget_scores(catalogue)
    number = add(catalogue, added(1), page=str(tmp_path / "run.html"), state="running")
    assert unfinished(catalogue) == ()
    with write(catalogue.engine) as session:
        session.execute(update(Run).where(Run.id == number).values(state="stopped"))
    assert unfinished(catalogue) == (number,)


def test_a_page_that_cannot_be_written_fails_no_job(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget_scores(catalogue)
    gone = tmp_path / "share" / "run.html"
    taken = tmp_path / "folder.html"
    taken.mkdir()
    for path in (gone, taken):
        add(catalogue, added(*seeded.product_ids), page=str(path))
    jobs.enqueue(catalogue, "assess")
    assert jobs.run_jobs(catalogue, loop=False) == 0
    first, second = capsys.readouterr().err.splitlines()
    assert str(taken) in first
    assert second == f"the page {gone} of run 2 was not written: the folder {gone.parent} is gone"
    assert not gone.parent.exists()


def test_no_page_is_no_trouble(catalogue: Catalogue, capsys: pytest.CaptureFixture[str]) -> None:
    write_again(catalogue, ())
    assert capsys.readouterr().err == ""
