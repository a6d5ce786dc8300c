"""Take a batch back: every product of it that is still as the batch left it."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import categories, deciding, renaming
from catalog_ai.services.batch_making import Maker, store
from catalog_ai.services.batch_outcome import LEFT_KEPT, Outcome, Tally, outcome_of
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.labelling import same_label
from db.commands import at_once
from db.engine import read, write
from db.queries import batches as queries
from db.queries import decisions as decision_queries
from db.queries import restorable
from db.queries.batches import BatchRow, Member

Also = Callable[[Session, BatchRow], None]
# What a kind of batch changed beside labels, and how it is changed back.
_ALSO: dict[str, Also] = {"rename": renaming.forget_renaming}


def preview_undo(catalogue: Catalogue, batch_id: int) -> Outcome:
    """Return what undoing a batch would give back and leave alone. Raises as `undo_batch` does."""
    with in_plain_words(), read(catalogue.engine) as session:
        tally, _ = _foretell(session, _undoable(session, batch_id))
        return tally.outcome()


def undo_batch(
    catalogue: Catalogue,
    batch_id: int,
    *,
    reviewer: str,
    request_key: str,
    also: Also | None = None,
) -> Outcome:
    """Take a batch back: its products are again what they were before it. Anybody may.

    What was decided again, delivered anew or taken back on its own since is left alone. `also` is
    done in the same transaction; a renaming gives its names back without. Raises `UsageError` where
    there is nothing to take back, `ConflictError` where somebody did so already.
    """
    reviewer = categories.reviewer_name(reviewer)
    with in_plain_words(), write(catalogue.engine, touches=("labels", "scores")) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return outcome_of(stored)
        batch = _undoable(session, batch_id)
        also = also or _ALSO.get(batch.kind)
        by, (tally, same) = Maker(None, reviewer, request_key), _foretell(session, batch)
        if not tally.outcome().products and also is None:
            return tally.outcome()
        outcome = store(
            *(session, "undo", tally, by),
            lambda undo_id: at_once.take_back(session, batch.id, same, by.signed(undo_id)),
            words=f"Undone: {batch.words}",
            undoes_id=batch.id,
        )
        if also is not None:
            also(session, batch)
    deciding.look_again(catalogue, *outcome.decisions)
    return outcome


def _undoable(session: Session, batch_id: int) -> BatchRow:
    batch = queries.by_id(session, batch_id)
    if batch is None:
        raise UsageError(f"there is no batch number {batch_id}: choose one in the list")
    if batch.kind == "undo":
        raise UsageError("what was undone cannot be undone again: decide about the products anew")
    if batch.undone_by:
        raise ConflictError(f"{batch.undone_by} took this back already: nothing is left to undo")
    return batch


def _foretell(session: Session, batch: BatchRow) -> tuple[Tally, list[tuple[str, str]]]:
    """Return what can be given back and what is left alone, and labels of the feed that are one."""
    found = restorable.spelled_otherwise(session, batch.id)
    same = [(now, then) for now, then in found if same_label(now, then)]
    tally, back = Tally(), restorable.counts(session, batch.id, same)
    for one in back:
        tally.done(one.label, one.before, one.state, one.count)
    left = restorable.size(session, batch.id) - sum(one.count for one in back)
    if left:
        named = restorable.others(session, batch.id, same, LEFT_KEPT)
        last = decision_queries.standing(session, [one.product_id for one in named])
        for before in named:
            reason = _why_not(before, last.get(before.product_id))
            tally.leave(before.product_id, before.sku, reason)
        tally.leave_others(left - len(named))
    return tally, same


def _why_not(before: Member, last: decision_queries.DecisionRow | None) -> str:
    """Return why a decision cannot be taken back; `last` stands for its product now."""
    if before.undone_by:
        return f"{before.undone_by} took this one back already."
    if last is not None and last.id != before.id:
        return f"{deciding.done_when(last)}."
    return "Another label or photo was delivered since."
