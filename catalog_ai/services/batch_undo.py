"""Take a batch back: every product of it that is still as the batch left it."""

from collections.abc import Callable, Iterator

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import categories, deciding, renaming
from catalog_ai.services.batch_making import Maker, store
from catalog_ai.services.batch_outcome import Outcome, Tally, outcome_of
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read, write
from db.queries import batches as queries
from db.queries import decisions as decision_queries
from db.queries.batches import BatchRow, Member, Subject

_AT_ONCE = 500  # decisions looked at at once
_NO_MODEL = 0  # no model has this id: what is suggested now does not matter here
Also = Callable[[Session, BatchRow], None]
# What a kind of batch changed beside labels, and how it is changed back.
_ALSO: dict[str, Also] = {"rename": renaming.forget_renaming}


def preview_undo(catalogue: Catalogue, batch_id: int) -> Outcome:
    """Return what undoing a batch would give back and leave alone. Raises as `undo_batch` does."""
    with in_plain_words(), read(catalogue.engine) as session:
        batch, tally = _undoable(session, batch_id), Tally()
        for _, before in _restorable(session, batch, tally):
            tally.done(before.label_after, before.label_before, before.state_before)
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
        tally, by = Tally(), Maker(None, reviewer, request_key)
        decisions = [by.undo(*found) for found in _restorable(session, batch, tally)]
        if not decisions and also is None:
            return tally.outcome()
        outcome = store(
            *(session, "undo", decisions, tally, by),
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


def _restorable(
    session: Session, batch: BatchRow, tally: Tally
) -> Iterator[tuple[Subject, Member]]:
    """Yield products with the decision that can be taken back; leave the others alone."""
    after = 0
    while part := queries.members(session, batch.id, after=after, limit=_AT_ONCE):
        after = part[-1].id
        ids = [before.product_id for before in part]
        subjects = {one.id: one for one in queries.subjects(session, _NO_MODEL, ids)}
        standing = queries.standing_ids(session, ids)
        overtaken = [one.product_id for one in part if standing.get(one.product_id) != one.id]
        last = decision_queries.standing(session, overtaken)
        for before in part:
            subject = subjects[before.product_id]
            reason = _why_not(subject, before, standing.get(subject.id), last.get(subject.id))
            if reason:
                tally.leave(subject.id, subject.sku, reason)
            else:
                yield subject, before


def _why_not(
    subject: Subject,
    before: Member,
    standing: int | None,
    last: decision_queries.DecisionRow | None,
) -> str:
    """Return why a decision cannot be taken back, "" where it can."""
    if before.undone_by:
        return f"{before.undone_by} took this one back already."
    if standing != before.id and last is not None:
        return f"{deciding.done_when(last)}."
    if not deciding.is_as_left(subject, before):
        return "Another label or photo was delivered since."
    return ""
