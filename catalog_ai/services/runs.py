"""The history of ingest runs: what each brought, what it could not use, and what became of that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from catalog_ai.config import Settings
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.photos import ensure_thumbnail
from catalog_ai.services.remedies import remedy
from db.commands import jobs as job_commands
from db.commands import runs as commands
from db.engine import read, write
from db.queries import jobs as job_queries
from db.queries import runs as queries
from db.queries.runs import RunRow as RunView

__all__ = [
    "RunItemView",
    "RunView",
    "attention",
    "dismiss",
    "get_run",
    "list_runs",
    "retry",
    "run_items",
    "settle",
    "settled_counts",
]

TROUBLES = ("quarantined", "missing", "unlisted")


@dataclass(frozen=True)
class RunItemView:
    """One photo or row of a run, with its product's words and a thumbnail where there is one.

    `settled` is one of `db.schema.SETTLED`; `suggestion` is "" and `score` None where nobody judged
    the label.
    """

    id: int
    product_id: int | None
    sku: str
    title: str
    image: str
    outcome: str
    code: str
    reason: str
    label: str | None
    label_before: str | None
    label_after: str | None
    suggestion: str
    score: float | None
    settled: str
    thumbnail: Path | None

    @property
    def remedy(self) -> str:
        """What to do about what cannot be tried again, "" where it can."""
        return remedy(self.code, self.image, self.reason)


def list_runs(catalogue: Catalogue, *, limit: int = 30) -> tuple[RunView, ...]:
    """Return runs, the newest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        return tuple(queries.latest(session, limit))


def get_run(catalogue: Catalogue, run_id: int) -> RunView:
    """Return one run. Raises `UsageError` where there is none of that number."""
    with in_plain_words(), read(catalogue.engine) as session:
        found = queries.one(session, run_id)
    if found is None:
        raise UsageError(f"there is no run number {run_id}: the page Nightly runs lists them")
    return found


def attention(run: RunView) -> int:
    """Return how many photos and rows a run could not use and nobody has dealt with."""
    return run.waiting + run.missing + run.unlisted


def run_items(
    catalogue: Catalogue,
    run_id: int,
    *,
    outcomes: Sequence[str] = TROUBLES,
    settled: str | None = None,
    offset: int = 0,
    limit: int = 500,
) -> tuple[RunItemView, ...]:
    """Return what became of a run's photos and rows, in the order in which it met them.

    `settled` keeps those that a person has dealt with in that way.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.items(session, run_id, outcomes, limit, offset=offset, settled=settled)
    return views(catalogue.settings, rows)


def settled_counts(catalogue: Catalogue, run_id: int) -> dict[str, int]:
    """Return settled ("open", "retried", "dismissed") → how many of a run's quarantined items."""
    with in_plain_words(), read(catalogue.engine) as session:
        return queries.settled_counts(session, run_id)


def settle(catalogue: Catalogue, item_id: int, settled: str) -> None:
    """Dismiss a quarantined item ("dismissed"), or put it back among those that wait ("open").

    Raises `UsageError` for anything else, and where no quarantined item has that number.
    """
    if settled not in {"open", "dismissed"}:
        raise UsageError(f"an item cannot be settled as {settled!r}: choose open or dismissed")
    with in_plain_words(), write(catalogue.engine, touches=("runs",)) as session:
        if not commands.settle_item(session, item_id, settled):
            raise _no_item(item_id)


def dismiss(catalogue: Catalogue, item_ids: Iterable[int]) -> None:
    """Dismiss several quarantined items, all or none. Raises `UsageError` as `settle` does."""
    with in_plain_words(), write(catalogue.engine, touches=("runs",)) as session:
        for item_id in item_ids:
            if not commands.settle_item(session, item_id, "dismissed"):
                raise _no_item(item_id)


def retry(catalogue: Catalogue, item_id: int, *, requested_by: str = "") -> int:
    """Ask the worker to take a quarantined photo, or folder, in again, and return the job's id.

    Raises `UsageError` where no quarantined item has that number, and for one that has a remedy.
    """
    with in_plain_words(), write(catalogue.engine, touches=("runs", "jobs")) as session:
        item = queries.item(session, item_id)
        run = queries.one(session, item.run_id) if item else None
        if item is not None and (told := remedy(item.code, item.image, item.reason)):
            raise UsageError(told)
        if item is None or run is None or not commands.settle_item(session, item_id, "retried"):
            raise _no_item(item_id)
        wish = {"source": run.source, "only": _names(item), "options": run.options}
        return job_queries.queued_twin(session, "ingest", wish) or job_commands.add_job(
            session, "ingest", wish, requested_by, datetime.now(UTC)
        )


def views(settings: Settings, rows: Iterable[queries.RunItemRow]) -> tuple[RunItemView, ...]:
    """Return database rows as pages show them."""
    shared = [name for name in RunItemView.__dataclass_fields__ if name != "thumbnail"]
    return tuple(
        RunItemView(
            **{name: getattr(row, name) for name in shared}, thumbnail=_thumbnail(settings, row)
        )
        for row in rows
    )


def _names(item: queries.RunItemRow) -> list[str]:
    """Return what a try looks for: a photo, and its product; a folder by what lies in it."""
    if item.sku:
        return [item.image, item.sku]
    return [item.image, f"{item.image}/"] if item.code == "unreadable" else [item.image]


def _thumbnail(settings: Settings, row: queries.RunItemRow) -> Path | None:
    """Return the picture of an item; one that was refused has only what its run says shows it."""
    small = row.thumbnail or ("" if row.outcome in TROUBLES else row.product_thumbnail)
    if not small:
        return None
    if small == row.product_thumbnail:
        path = ensure_thumbnail(settings, row.stored_image, small)
    else:
        path = settings.home / small
    return path if path.is_file() else None


def _no_item(item_id: int) -> UsageError:
    return UsageError(f"no refused photo or row has the number {item_id}: reload Nightly runs")
