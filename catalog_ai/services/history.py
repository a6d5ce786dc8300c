"""The history of a product: what deliveries brought, what people decided, what was taken back."""

from dataclasses import dataclass
from datetime import datetime

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import history as queries
from db.queries.history import DecisionMade, DeliveryRow

MOST = 50
_NOTHING = "no label"
_DELIVERED = {
    "added": "Delivered for the first time",
    "updated": "Delivered again with other details or another photo",
    "retired": "No longer delivered: hidden since",
    "missing": "Delivered without its photo",
}


@dataclass(frozen=True)
class HistoryLine:
    """One thing that happened: `words` say what and who, `note` what was written with it.

    `undone_by` is who took it back, "" where it stands. A delivery has a `run_id`, a decision a
    `decision_id`.
    """

    happened_at: datetime
    words: str
    note: str = ""
    undone_by: str = ""
    run_id: int | None = None
    decision_id: int | None = None


def history(catalogue: Catalogue, product_id: int) -> tuple[HistoryLine, ...]:
    """Return what happened to a product, the newest first, `MOST` lines at most."""
    with in_plain_words(), read(catalogue.engine) as session:
        delivered = queries.deliveries(session, product_id, MOST)
        decided = queries.decisions(session, product_id, MOST)
    merged = _merged([_decision(row) for row in decided], [_delivery(row) for row in delivered])
    return tuple(merged[:MOST])


def _merged(one: list[HistoryLine], other: list[HistoryLine]) -> list[HistoryLine]:
    """Return both as one, the newest first; a clock that was set back changes neither's order."""
    merged = []
    while one and other:
        later = one if one[0].happened_at >= other[0].happened_at else other
        merged.append(later.pop(0))
    return [*merged, *one, *other]


def _delivery(row: DeliveryRow) -> HistoryLine:
    words = _DELIVERED.get(row.outcome, f"Delivered, but not used: {row.reason}")
    if row.label_before is not None or row.label_after is not None:
        moved = f"{row.label_before or _NOTHING} → {row.label_after or _NOTHING}"
        words = f"A delivery changed its label: {moved}"
    return HistoryLine(row.happened_at, words, note=row.source, run_id=row.run_id)


def _decision(row: DecisionMade) -> HistoryLine:
    words = f"{row.reviewer} {_done(row)}"
    if row.batch:
        words += f", together with others ({row.batch})"
    if row.shown_again:
        words += ", when it was shown a second time"
    return HistoryLine(
        row.happened_at, words, row.note, undone_by=row.undone_by or "", decision_id=row.id
    )


def _done(row: DecisionMade) -> str:
    after = row.label_after or _NOTHING
    done = {
        "keep": f"kept {after}",
        "not_product": "marked it as not a product photo",
        "second_look": "asked for a second look",
        "undo": f"took a decision back: {after} again",
    }
    return done.get(row.action, f"changed its label: {row.label_before or _NOTHING} → {after}")
