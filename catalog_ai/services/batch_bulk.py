"""Decide the same about all that a filter finds: foretold first, then done as it was foretold.

Products are counted by label, decided about by the database, and never read one by one: all others
wait while a batch is written.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, astuple, dataclass

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import categories, deciding
from catalog_ai.services.batch_making import Maker, store
from catalog_ai.services.batch_outcome import (
    LEFT_KEPT,
    Change,
    Outcome,
    Tally,
    change_words,
    outcome_of,
    products,
)
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.labelling import same_label
from db.commands import at_once
from db.commands.at_once import Choice
from db.engine import read, write
from db.queries import batches as queries
from db.queries import models
from db.queries.batches import Group
from db.queries.wanted import Filter

ACTIONS = {
    "keep": "Keep the label",
    "accept": "Accept the suggestions",
    "relabel": "Give another label",
    "second_look": "Second look",
    "not_product": "Not a product photo",
}
MOST = 100_000  # products in one batch: others wait with their decisions meanwhile
_NO_MODEL = 0  # no model has this id: then no product has a score
_NO_SUGGESTION = "Nothing is suggested for it yet: choose a label."


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


@dataclass(frozen=True)
class _Asked:
    """Which products, but for `without`, and what is decided about them."""

    wanted: Filter
    action: str
    label: str | None
    without: Collection[int]


@dataclass(frozen=True)
class _Found:
    """What was asked for meets at this moment: a model, a label as it is written, the products."""

    model_id: int
    chosen: str | None
    groups: Sequence[Group]
    preview: Preview


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
        return _find(session, _Asked(wanted, action, label, without)).preview


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
    reviewer, asked = categories.reviewer_name(reviewer), _Asked(wanted, action, label, without)
    with in_plain_words(), read(catalogue.engine) as session:
        # Nobody has to wait for what is refused, or was done before.
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return outcome_of(stored)
        _as_shown(session, asked, shown)
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return outcome_of(stored)
        outcome = _decide(session, asked, _as_shown(session, asked, shown), reviewer, request_key)
    deciding.look_again(catalogue, *outcome.decisions)
    return outcome


def _as_shown(session: Session, asked: _Asked, shown: Preview) -> _Found:
    """Return what would be done now. Raises `ConflictError` where that is not what was shown."""
    found = _find(session, asked)
    if found.preview.fingerprint != shown.fingerprint:
        raise ConflictError(_other_than_shown(found.preview, shown))
    if shown.count > MOST:
        raise UsageError(f"{products(shown.count)} are too many at once: choose fewer by filters")
    return found


def _decide(
    session: Session, asked: _Asked, found: _Found, reviewer: str, request_key: str
) -> Outcome:
    choice = Choice(
        asked.action,
        deciding.STATES[asked.action],
        found.chosen,
        suggested=asked.action == "accept",
        same=_same(found, asked.action),
    )
    by = Maker(found.model_id or None, reviewer, request_key)
    parameters = {
        "filter": asdict(asked.wanted),
        "action": asked.action,
        "without": sorted(asked.without),
    }
    return store(
        *(session, "bulk", _tally(session, asked, found), by),
        lambda batch_id: at_once.decide_wanted(
            *(session, asked.wanted, asked.without, choice, found.model_id, by.signed(batch_id))
        ),
        parameters,
    )


def _find(session: Session, asked: _Asked) -> _Found:
    """Return what is found now, and what would become of it. Raises `UsageError`."""
    model = models.active(session)
    model_id = model.id if model else _NO_MODEL
    chosen = _chosen(session, asked.action, asked.label)
    groups = queries.groups(
        *(session, model_id, asked.wanted),
        by_suggestion=asked.action == "accept",
        without=asked.without,
    )
    return _Found(model_id, chosen, groups, _foretold(groups, asked.action, chosen))


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


def _foretold(groups: Sequence[Group], action: str, chosen: str | None) -> Preview:
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


def _same(found: _Found, action: str) -> list[tuple[str, str]]:
    """Return labels with what they would become, where that is the same in another spelling."""
    pairs = (
        (group.label or "", (group.suggestion if action == "accept" else found.chosen) or "")
        for group in found.groups
    )
    return [(one, other) for one, other in pairs if one != other and same_label(one, other)]


def _tally(session: Session, asked: _Asked, found: _Found) -> Tally:
    """Count what becomes of the products, and name the first that are left alone."""
    tally = Tally()
    for change in found.preview.changes:
        if change.state:
            tally.done(change.before, change.after, change.state, change.count)
    if found.preview.left:
        named = queries.unsuggested(
            *(session, found.model_id, asked.wanted), without=asked.without, limit=LEFT_KEPT
        )
        for product_id, sku in named:
            tally.leave(product_id, sku, _NO_SUGGESTION)
        tally.leave_others(found.preview.left - len(named))
    return tally


def _other_than_shown(now: Preview, shown: Preview) -> str:
    if (now.count, now.left) == (shown.count, shown.left):
        return "some of these products changed since they were shown: look at the preview again"
    return f"{now.count:,} match now, {shown.count:,} were shown: look at the preview again"
