from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event

from catalog_ai.services import jobs, review
from catalog_ai.services.briefing import NEWEST, today
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import decide
from db.engine import write
from db.schema import Run, RunItem
from tests.helpers import Seeded, seed_catalogue

MOST_QUERIES = 30


def test_the_first_morning_is_empty(catalogue: Catalogue) -> None:
    briefing = today(catalogue)
    assert (briefing.last_run, briefing.model, briefing.newest) == (None, None, ())
    assert (briefing.products, briefing.looks_wrong, briefing.progress.left) == (0, 0, 0)
    assert briefing.by_category == {}
    assert not briefing.worker.running


def test_the_briefing_agrees_with_the_pages_it_leads_to(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    jobs.enqueue(catalogue, "assess")
    briefing = today(catalogue)
    assert briefing.last_run is not None
    assert briefing.last_run.id == seeded.run_id
    assert briefing.looks_wrong == review.review_queue(catalogue).total == 6
    assert (
        briefing.second_look
        == review.review_queue(catalogue, review.Filter("second_look")).total
        == 1
    )
    assert briefing.unknown == review.review_queue(catalogue, review.Filter("unknown")).total == 2
    assert briefing.progress == review.progress(catalogue)
    assert briefing.model is not None
    assert briefing.model.version == seeded.version
    assert briefing.products == sum(briefing.by_category.values()) == len(seeded.product_ids)
    assert list(briefing.by_category.values()) == sorted(
        briefing.by_category.values(), reverse=True
    )
    assert [card.product_id for card in briefing.newest] == list(seeded.product_ids[:NEWEST])
    assert briefing.worker.queued == 1


def test_the_newest_are_of_the_last_run_that_brought_any(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        runs = [Run(source="/feed", started_at=datetime.now(UTC)) for _ in range(2)]
        session.add_all(runs)
        session.flush()
        for run, outcome, product_id in ((runs[0], "added", 4), (runs[1], "updated", 5)):
            session.add(
                RunItem(run_id=run.id, product_id=product_id, sku="", image="", outcome=outcome)
            )
    assert [card.product_id for card in today(catalogue).newest] == [4]


def test_since_is_the_readers_midnight(catalogue: Catalogue, seeded: Seeded) -> None:
    item = review.review_queue(catalogue).items[0]
    decide(
        catalogue,
        item.product_id,
        "keep",
        reviewer="Ana",
        request_key="one",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    now = datetime.now(UTC)
    assert today(catalogue, since=now - timedelta(hours=1)).progress.today == 1
    assert today(catalogue, since=now + timedelta(hours=1)).progress.today == 0


def test_a_large_catalogue_asks_no_more_than_a_small_one(catalogue: Catalogue) -> None:
    seed_catalogue(catalogue, 120, flagged=40)
    asked: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append(statement)

    event.listen(catalogue.engine, "before_cursor_execute", note)
    today(catalogue)
    event.remove(catalogue.engine, "before_cursor_execute", note)
    assert 0 < len(asked) < MOST_QUERIES
