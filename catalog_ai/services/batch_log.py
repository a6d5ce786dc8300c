"""What was decided, the newest first: single decisions, and each batch as one line."""

from dataclasses import dataclass
from datetime import datetime

from catalog_ai.services import deciding
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.deciding import DecisionView
from db.engine import read
from db.queries import batches as queries
from db.queries.batches import BatchRow


@dataclass(frozen=True)
class BatchView:
    """One batch as pages show it; `undone_by` is who took it back, "" where it stands."""

    id: int
    kind: str
    words: str
    products: int
    reviewer: str
    made_at: datetime
    undone_by: str

    @property
    def can_undo(self) -> bool:
        """Whether it can be taken back: an undo cannot, nor what was taken back already."""
        return self.kind != "undo" and not self.undone_by


def batches(catalogue: Catalogue, limit: int | None = 20) -> tuple[BatchView, ...]:
    """Return batches, the newest first; `limit` None for all."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.latest(session, limit)
    return tuple(map(_view, rows))


def log(catalogue: Catalogue, limit: int = 20) -> tuple[DecisionView | BatchView, ...]:
    """Return what was decided, the newest first; a batch stands for its decisions."""
    single = deciding.decisions(catalogue, single=True, limit=limit)
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.latest(session, limit)
    placed: list[tuple[int, int, DecisionView | BatchView]] = []
    placed += [(view.id, 0, view) for view in single]
    place = 0
    for row in reversed(rows):  # one that changed no product follows the one before it
        place = max(place, row.last_decision_id or 0)
        placed.append((place, row.id, _view(row)))
    placed.sort(key=lambda found: found[:2], reverse=True)
    return tuple(view for _, _, view in placed[:limit])


def rows(
    catalogue: Catalogue, batch_id: int, *, after: int = 0, limit: int = 50
) -> tuple[DecisionView, ...]:
    """Return decisions of a batch in their order, beyond decision number `after`."""
    return deciding.decisions_of_batch(catalogue, batch_id, after=after, limit=limit)


def _view(row: BatchRow) -> BatchView:
    said = (row.id, row.kind, row.words, row.products, row.reviewer, row.made_at, row.undone_by)
    return BatchView(*said)
