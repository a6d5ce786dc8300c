"""The history of ingest runs and what each could not use."""

from collections.abc import Sequence

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import runs as queries
from db.queries.runs import RunItemRow as RunItemView
from db.queries.runs import RunRow as RunView

__all__ = ["RunItemView", "RunView", "list_runs", "run_items"]

TROUBLES = ("quarantined", "missing", "unlisted")


def list_runs(catalogue: Catalogue, *, limit: int = 30) -> tuple[RunView, ...]:
    """Return runs, the newest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        return tuple(queries.latest(session, limit))


def run_items(
    catalogue: Catalogue, run_id: int, *, outcomes: Sequence[str] = TROUBLES, limit: int = 500
) -> tuple[RunItemView, ...]:
    """Return what became of a run's photos and rows, in the order in which it met them."""
    with in_plain_words(), read(catalogue.engine) as session:
        return tuple(queries.items(session, run_id, outcomes, limit))
