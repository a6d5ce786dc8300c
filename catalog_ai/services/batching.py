"""Decide about many products as one: a contact sheet, or all that a filter finds.

A batch is one short transaction, in which nobody else can decide: what it reads is still true when
it writes. It has a row of its own, and one decision for each product, like any other decision.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, astuple, dataclass

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import categories, deciding
from catalog_ai.services.batch_log import BatchView as BatchView
from catalog_ai.services.batch_log import batches as batches
from catalog_ai.services.batch_log import log as log
from catalog_ai.services.batch_log import rows as rows
from catalog_ai.services.batch_making import Maker, store
from catalog_ai.services.batch_outcome import Change as Change
from catalog_ai.services.batch_outcome import Left as Left
from catalog_ai.services.batch_outcome import Outcome as Outcome
from catalog_ai.services.batch_outcome import Tally, change_words, outcome_of, products
from catalog_ai.services.batch_undo import preview_undo as preview_undo
from catalog_ai.services.batch_undo import undo_batch as undo_batch
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.labelling import same_label
from db.engine import read, write
from db.queries import batches as queries
from db.queries import decisions as decision_queries
from db.queries import models
from db.queries import review as review_queries
from db.queries.batches import Group, Subject
from db.queries.wanted import Filter

ACTIONS = {
    "keep": "Keep the label",
    "accept": "Accept the suggestions",
    "relabel": "Give another label",
    "second_look": "Second look",
    "not_product": "Not a product photo",
}
MOST = 100_000  # products in one batch: others wait with their decisions meanwhile
_AT_ONCE = 500  # products read at once
_NO_MODEL = 0  # no model has this id: then no product has a score
_NO_SUGGESTION = "Nothing is suggested for it yet: choose a label."


@dataclass(frozen=True)
class Seen:
    """A product as it was drawn."""

    product_id: int
    version: int
    image_sha256: str


@dataclass(frozen=True)
class Preview:
    """What a bulk change would do to `count` products; `left` have no suggestion to accept.

    `fingerprint` tells whether it is still the same products, labels and suggestions.
    """

    count: int
    left: int
    changes: tuple[Change, ...]
    sentence: str
    fingerprint: str


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
        outcome = store(session, "sheet", decisions, tally, by)
    deciding.look_again(catalogue, *outcome.decisions)
    return outcome


def preview(
    catalogue: Catalogue,
    wanted: Filter,
    action: str,
    label: str | None = None,
    *,
    without: Collection[int] = (),
) -> Preview:
    """Return what one of `ACTIONS` would do to all that is wanted, but for `without`.

    `label` goes with "relabel". Raises `UsageError` for an unknown action or label.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        return _preview(session, wanted, action, _chosen(session, action, label), without)


def decide_all(
    catalogue: Catalogue,
    wanted: Filter,
    action: str,
    label: str | None = None,
    *,
    without: Collection[int] = (),
    shown: Preview,
    reviewer: str,
    request_key: str,
) -> Outcome:
    """Decide the same about all that is wanted, but for `without`, as `shown` foretold it.

    `request_key` is made when the preview is drawn: sent twice, it is one batch. Raises
    `UsageError` as `preview` does, and `ConflictError` where it would be something else by now.
    """
    reviewer = categories.reviewer_name(reviewer)
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return outcome_of(stored)
        chosen = _chosen(session, action, label)
        now = _preview(session, wanted, action, chosen, without)
        if now.fingerprint != shown.fingerprint:
            raise ConflictError(_other_than_shown(now, shown))
        if now.count > MOST:
            raise UsageError(f"{products(now.count)} are too many at once: choose fewer by filters")
        model = models.active(session)
        model_id = model.id if model else _NO_MODEL
        tally, by = Tally(), Maker(model.id if model else None, reviewer, request_key)
        # All are found before the first is decided: what is decided may change who is found.
        found = review_queries.ids(session, model_id, wanted, limit=now.count + now.left + MOST)
        ids = sorted(set(found) - set(without))
        decisions = [
            by.decision(one, action, one.suggestion if action == "accept" else chosen)
            for one in _subjects(session, model_id, ids)
            if _can(one, action, tally)
        ]
        parameters = {"filter": asdict(wanted), "action": action, "without": sorted(without)}
        outcome = store(session, "bulk", decisions, tally, by, parameters)
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


def _subjects(session: Session, model_id: int, ids: Sequence[int]) -> Iterator[Subject]:
    for start in range(0, len(ids), _AT_ONCE):
        yield from queries.subjects(session, model_id, ids[start : start + _AT_ONCE])


def _can(subject: Subject, action: str, tally: Tally) -> bool:
    """Return whether there is something to decide, and leave the product where there is not."""
    can = action != "accept" or subject.suggestion is not None
    if not can:
        tally.leave(subject.id, subject.sku, _NO_SUGGESTION)
    return can


def _tell(session: Session, changed: Sequence[Subject], tally: Tally) -> None:
    """Leave products that changed since they were drawn, and say who changed them."""
    last = decision_queries.standing(session, [subject.id for subject in changed])
    for subject in changed:
        reason = deciding.overtaken(subject, last.get(subject.id))
        tally.leave(subject.id, subject.sku, reason)


def _chosen(session: Session, action: str, label: str | None) -> str | None:
    """Return the label that an action gives, in the catalogue's spelling. Raises `UsageError`."""
    if action not in ACTIONS:
        raise UsageError(f"there is no decision {action!r}: choose from {', '.join(ACTIONS)}")
    if action != "relabel":
        return None
    known = categories.known(session, models.active(session))
    found = known.of(label)
    if found is None:
        raise UsageError(f"{label!r} is no category: choose from {', '.join(known.names)}")
    return found


def _preview(
    session: Session,
    wanted: Filter,
    action: str,
    chosen: str | None,
    without: Collection[int],
) -> Preview:
    model, by_suggestion = models.active(session), action == "accept"
    groups = queries.groups(
        *(session, model.id if model else _NO_MODEL, wanted),
        by_suggestion=by_suggestion,
        without=without,
    )
    changes = tuple(_change(group, action, chosen) for group in groups)
    left = sum(change.count for change in changes if not change.state)
    count = sum(change.count for change in changes) - left
    words = ", ".join(change_words(changes)) if changes else "nothing to do"
    said = repr((action, chosen, [astuple(group) for group in groups]))
    fingerprint = hashlib.sha256(said.encode()).hexdigest()
    return Preview(count, left, changes, f"{products(count)}: {words}", fingerprint)


def _change(group: Group, action: str, chosen: str | None) -> Change:
    label = group.suggestion if action == "accept" else chosen
    if action == "accept" and label is None:
        return Change(group.label, group.label, "", group.count)
    if label is None or same_label(label, group.label):
        state = "kept" if label is not None else deciding.STATES[action]
        return Change(group.label, group.label, state, group.count)
    return Change(group.label, label, "changed", group.count)


def _other_than_shown(now: Preview, shown: Preview) -> str:
    if (now.count, now.left) == (shown.count, shown.left):
        return "some of these products changed since they were shown: look at the preview again"
    return f"{now.count:,} match now, {shown.count:,} were shown: look at the preview again"
