"""Decide about many products as one: a contact sheet, or all that a filter finds.

A batch is one short transaction, in which nobody else can decide: what it reads is still true when
it writes. It has a row of its own, and one decision for each product, like any other decision.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from catalog_ai.services import categories, deciding
from catalog_ai.services.batch_bulk import ACTIONS as ACTIONS
from catalog_ai.services.batch_bulk import MOST as MOST
from catalog_ai.services.batch_bulk import Preview as Preview
from catalog_ai.services.batch_bulk import decide_all as decide_all
from catalog_ai.services.batch_bulk import preview as preview
from catalog_ai.services.batch_log import BatchView as BatchView
from catalog_ai.services.batch_log import batches as batches
from catalog_ai.services.batch_log import log as log
from catalog_ai.services.batch_log import rows as rows
from catalog_ai.services.batch_making import Maker, store_each
from catalog_ai.services.batch_outcome import Change as Change
from catalog_ai.services.batch_outcome import Left as Left
from catalog_ai.services.batch_outcome import Outcome as Outcome
from catalog_ai.services.batch_outcome import Tally, outcome_of
from catalog_ai.services.batch_undo import preview_undo as preview_undo
from catalog_ai.services.batch_undo import undo_batch as undo_batch
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.labelling import same_label
from db.engine import write
from db.queries import batches as queries
from db.queries import decisions as decision_queries
from db.queries import models
from db.queries.batches import Subject

_NO_MODEL = 0  # no model has this id: then no product has a score


@dataclass(frozen=True)
class Seen:
    """A product as it was drawn."""

    product_id: int
    version: int
    image_sha256: str


def decide_sheet(
    catalogue: Catalogue,
    seen: Sequence[Seen],
    ticked: Collection[int],
    *,
    reviewer: str,
    request_key: str,
) -> Outcome:
    """Accept what is suggested for the ticked products, keep the labels of all the others.

    A ticked one for which nothing else is suggested goes to a second look; one without a label has
    nothing to keep and stays. What changed since it was drawn is left alone. `request_key` is made
    when the sheet is drawn: sent twice, it is one batch. Raises `UsageError` for a missing name.
    """
    reviewer, as_drawn = categories.reviewer_name(reviewer), {one.product_id: one for one in seen}
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return outcome_of(stored)
        model = models.active(session)
        tally, by = Tally(), Maker(model.id if model else None, reviewer, request_key)
        subjects = queries.subjects(session, model.id if model else _NO_MODEL, list(as_drawn))
        same = [one for one in subjects if _is_as_drawn(one, as_drawn[one.id])]
        changed = [one for one in subjects if not _is_as_drawn(one, as_drawn[one.id])]
        _tell(session, changed, tally)
        decisions = [
            by.decision(one, *_of_sheet(one, one.id in ticked))
            for one in same
            if one.id in ticked or one.label_current is not None
        ]
        outcome = store_each(session, "sheet", decisions, tally, by)
    deciding.look_again(catalogue, *outcome.decisions)
    return outcome


def _is_as_drawn(subject: Subject, drawn: Seen) -> bool:
    return (subject.version, subject.image_sha256) == (drawn.version, drawn.image_sha256)


def _of_sheet(subject: Subject, ticked: bool) -> tuple[str, str | None]:
    if not ticked:
        return "keep", None
    if subject.suggestion is None or same_label(subject.suggestion, subject.label_current):
        return "second_look", None
    return "accept", subject.suggestion


def _tell(session: Session, changed: Sequence[Subject], tally: Tally) -> None:
    """Leave products that changed since they were drawn, and say who changed them."""
    last = decision_queries.standing(session, [subject.id for subject in changed])
    for subject in changed:
        reason = deciding.overtaken(subject, last.get(subject.id))
        tally.leave(subject.id, subject.sku, reason)
