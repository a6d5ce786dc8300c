"""The morning briefing: all that the page Today shows, in one call."""

from dataclasses import dataclass
from datetime import datetime

from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import jobs, models, review, runs, shop
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import review as review_queries
from db.queries import runs as run_queries

NEWEST = 12


@dataclass(frozen=True)
class Briefing:
    """What happened last night and where the work stands; `newest` are the last arrivals."""

    last_run: runs.RunView | None
    looks_wrong: int
    second_look: int
    unknown: int
    progress: review.ReviewProgress
    model: models.ModelView | None
    products: int
    by_category: dict[str, int]
    newest: tuple[shop.ProductCard, ...]
    worker: jobs.WorkerStatus


def today(catalogue: Catalogue, *, since: datetime | None = None) -> Briefing:
    """Return the briefing; `since` is the reader's midnight, by default UTC's."""
    status = catalogues.status(catalogue)
    progress = review.progress(catalogue, since=since)
    with in_plain_words(), read(catalogue.engine) as session:
        newest = run_queries.newest_product_ids(session, NEWEST)
        by_category = review_queries.products_by_label(session)
    return Briefing(
        last_run=_last_whole(runs.list_runs(catalogue)),
        looks_wrong=progress.by_queue["wrong"],
        second_look=progress.by_queue["second_look"],
        unknown=progress.by_queue["unknown"],
        progress=progress,
        model=models.active_model(catalogue),
        products=status.products,
        by_category=by_category,
        newest=shop.product_cards(catalogue, newest),
        worker=jobs.worker_status(catalogue),
    )


def _last_whole(history: tuple[runs.RunView, ...]) -> runs.RunView | None:
    """Return the newest run; one that only tried a few photos again is no delivery."""
    whole = (run for run in history if not run.options.get("partial"))
    return next(whole, next(iter(history), None))
