"""Decide about a product, and take a decision back. Each is one short transaction."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from catalog_ai.data.sources import normal_label
from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import claiming, jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import categories, reviewer_name
from catalog_ai.services.claiming import Following
from catalog_ai.services.evidence import what_was_done
from catalog_ai.services.labelling import same_label
from catalog_ai.services.photos import ensure_thumbnail
from db.commands import claims, rechecks
from db.commands import decisions as commands
from db.commands.decisions import NewDecision
from db.engine import read, write
from db.queries import batches, models, products
from db.queries import decisions as queries
from db.queries import review as review_queries

STATES = {
    "keep": "kept",
    "accept": "changed",
    "relabel": "changed",
    "not_product": "not_product",
    "second_look": "second_look",
}
_LOOK_AGAIN = 200  # decisions: then labels are judged anew, by what people said of the others
ACTIONS = tuple(STATES)
Standing = products.ProductRow | batches.Subject  # a product as it is now
Made = queries.DecisionRow | batches.Member  # a stored decision


@dataclass(frozen=True)
class Decided:
    """A stored decision, and a sentence that says what it did."""

    decision_id: int
    product_id: int
    sku: str
    sentence: str


@dataclass(frozen=True)
class DecisionView:
    """One decision as pages show it."""

    id: int
    product_id: int
    sku: str
    action: str
    label_before: str | None
    label_after: str | None
    reviewer: str
    decided_at: datetime
    note: str
    undone: bool
    undoes_id: int | None
    thumbnail: Path


def decide(
    catalogue: Catalogue,
    product_id: int,
    action: str,
    *,
    label: str | None = None,
    reviewer: str,
    request_key: str,
    seen_version: int,
    seen_sha256: str,
    note: str = "",
    following: Following | None = None,
) -> Decided:
    """Store what `reviewer` decided about a product as they saw it.

    `action` is one of `ACTIONS`; `label` goes with "relabel". `request_key` is made when the card
    is drawn: sent twice, it is one decision. `following` is claimed in the same breath. Raises
    `UsageError` for a missing name or an unknown label, `ConflictError` where the product changed
    since it was shown.
    """
    reviewer = reviewer_name(reviewer)
    if action not in ACTIONS:
        raise UsageError(f"there is no decision {action!r}: choose from {', '.join(ACTIONS)}")
    chosen = _category(catalogue, label) if action == "relabel" else None
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return _decided(session, stored)
        model_id = models.active_id(session)
        row = review_queries.one(session, model_id, product_id)
        if row is None:
            raise UsageError("this product is no longer in the catalogue: reload the page")
        product, score = row.product, row.score
        if (product.version, product.image_sha256) != (seen_version, seen_sha256):
            raise ConflictError(_overtaken(session, product))
        if action == "accept":
            if score is None:
                raise UsageError("there is no suggestion to accept yet: choose a label")
            chosen = score.suggestion
        decision = NewDecision(
            product_id=product_id,
            action=action,
            label_given=product.label_given,
            label_before=product.label_current,
            label_after=product.label_current,
            state_before=product.review_state,
            state_after=STATES[action],
            suggestion=score.suggestion if score else None,
            score=score.score if score else None,
            image_sha256=product.image_sha256,
            model_version_id=model_id or None,
            reviewer=reviewer,
            note=note.strip(),
            request_key=request_key,
        )
        if chosen is not None:
            decision = _with_label(decision, chosen)
        decided = _store(session, decision, product)
        claiming.go_on(session, following, reviewer, datetime.now(UTC))
    look_again(catalogue, decided.decision_id, decided.decision_id)
    return decided


def look_again(catalogue: Catalogue, first: int, last: int) -> None:
    """Ask for labels to be judged anew where enough was decided, as of decisions first to last."""
    if last // _LOOK_AGAIN > (first - 1) // _LOOK_AGAIN:
        jobs.enqueue(catalogue, "assess")


def undo(catalogue: Catalogue, decision_id: int, *, reviewer: str, request_key: str) -> Decided:
    """Take a decision back: the product is again what it was before. Anybody may.

    Raises `UsageError` where there is nothing to take back, `ConflictError` where somebody decided
    again or the feed delivered another label or photo since.
    """
    reviewer = reviewer_name(reviewer)
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = queries.by_request_key(session, request_key)
        if stored is not None:
            return _decided(session, stored)
        before, product = _undoable(session, decision_id)
        decision = taking_back(before, product, reviewer=reviewer, request_key=request_key)
        undone = _store(session, decision, product)
    look_again(catalogue, undone.decision_id, undone.decision_id)
    return undone


def taking_back(before: Made, product: Standing, *, reviewer: str, request_key: str) -> NewDecision:
    """Return the decision that takes another back: label and state as they were before it."""
    return NewDecision(
        product_id=product.id,
        action="undo",
        label_given=product.label_given,
        label_before=before.label_after,
        label_after=before.label_before,
        state_before=before.state_after,
        state_after=before.state_before,
        suggestion=before.suggestion,
        score=before.score,
        image_sha256=product.image_sha256,
        model_version_id=None,
        reviewer=reviewer,
        note="",
        request_key=request_key,
        undoes_id=before.id,
    )


def _undoable(
    session: Session, decision_id: int
) -> tuple[queries.DecisionRow, products.ProductRow]:
    """Return a decision that can be taken back, and its product."""
    before = queries.by_id(session, decision_id)
    if before is None:
        raise UsageError(f"there is no decision number {decision_id}: choose one in the list")
    if before.action == "undo":
        raise UsageError("what was undone cannot be undone again: decide about the product anew")
    if before.undone:
        raise ConflictError("this decision was taken back already: nothing is left to undo")
    product = _product(session, before)
    if queries.standing(session, [product.id])[product.id].id != before.id:
        raise ConflictError(_overtaken(session, product))
    if not is_as_left(product, before):
        raise ConflictError(
            f"another label or photo was delivered for {product.sku} since: look at it again and "
            "decide anew"
        )
    return before, product


def is_as_left(product: Standing, before: Made) -> bool:
    """Return whether a product is as a decision left it: same label, state, photo and feed."""
    now = (product.label_current, product.review_state, product.image_sha256)
    then = (before.label_after, before.state_after, before.image_sha256)
    return now == then and same_label(product.label_given, before.label_given)


def decisions(
    catalogue: Catalogue,
    *,
    product_id: int | None = None,
    single: bool = False,
    limit: int | None = 50,
) -> tuple[DecisionView, ...]:
    """Return decisions, the newest first; `limit` None for all, `single` for those of no batch."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.latest(session, product_id=product_id, single=single, limit=limit)
        known = products.by_ids(session, [row.product_id for row in rows])
    return tuple(_view(catalogue, row, known[row.product_id]) for row in rows)


def decisions_of_batch(
    catalogue: Catalogue, batch_id: int, *, after: int = 0, limit: int = 50
) -> tuple[DecisionView, ...]:
    """Return decisions of a batch in their order, beyond decision number `after`."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.of_batch(session, batch_id, after=after, limit=limit)
        known = products.by_ids(session, [row.product_id for row in rows])
    return tuple(_view(catalogue, row, known[row.product_id]) for row in rows)


def _store(session: Session, decision: NewDecision, product: products.ProductRow) -> Decided:
    stored = commands.decide(session, decision, product.version, datetime.now(UTC))
    if stored is None:
        raise ConflictError(_overtaken(session, product))
    claims.release(session, [product.id])
    if decision.undoes_id is None:
        rechecks.pick(session, [stored])
    else:
        rechecks.reopen(session, decision.undoes_id)
    words = _sentence(product.sku, decision.action, decision.label_before, decision.label_after)
    return Decided(stored, product.id, product.sku, words)


def _with_label(decision: NewDecision, label: str) -> NewDecision:
    """Setting the label that is there already is keeping it."""
    if same_label(decision.label_before, label):
        return replace(decision, action="keep", state_after="kept")
    return replace(decision, label_after=label)


def _decided(session: Session, row: queries.DecisionRow) -> Decided:
    product = _product(session, row)
    words = _sentence(product.sku, row.action, row.label_before, row.label_after)
    return Decided(row.id, row.product_id, product.sku, words)


def _product(session: Session, decision: queries.DecisionRow) -> products.ProductRow:
    product = products.by_id(session, decision.product_id)
    assert product is not None  # a foreign key holds it
    return product


def _category(catalogue: Catalogue, label: str | None) -> str:
    """Return `label` in the catalogue's spelling."""
    known = {normal_label(name): name for name in categories(catalogue)}
    found = known.get(normal_label(label or ""))
    if found is None:
        raise UsageError(f"{label!r} is no category: choose from {', '.join(known.values())}")
    return found


def _overtaken(session: Session, product: products.ProductRow) -> str:
    """Return who decided what in between, and that nothing else was stored."""
    return overtaken(product, queries.standing(session, [product.id]).get(product.id))


def overtaken(product: Standing, last: queries.DecisionRow | None) -> str:
    """Return who decided what in between; `last` is the product's latest decision that stands."""
    if last is None or last.state_after != product.review_state:
        return f"{product.sku} has changed since you saw it: look again and decide once more."
    return f"{done_when(last)}: {product.sku} is as they left it, nothing of yours was stored."


def done_when(decision: queries.DecisionRow) -> str:
    """Return who decided what and when: "Ana kept dress 5 minutes ago"."""
    return f"{what_was_done(decision)} {_ago(decision.decided_at)}"


def _ago(moment: datetime) -> str:
    minutes = int((datetime.now(UTC) - moment) / timedelta(minutes=1))
    if minutes < 1:
        return "just now"
    if minutes < 120:
        return f"{minutes} minute{'' if minutes == 1 else 's'} ago"
    return f"on {moment:%-d %b %Y}"


def _sentence(sku: str, action: str, before: str | None, after: str | None) -> str:
    if action == "keep":
        return f"{sku} stays {after or 'without a label'}."
    if action == "not_product":
        return f"{sku} is not a product photo."
    if action == "second_look":
        return f"{sku} waits for a second look."
    if action == "undo":
        return f"Undone: {sku} is {after or 'without a label'} again."
    return f"{sku} is now {after} (was {before or 'without a label'})."


def _view(
    catalogue: Catalogue, row: queries.DecisionRow, product: products.ProductRow
) -> DecisionView:
    return DecisionView(
        id=row.id,
        product_id=row.product_id,
        sku=product.sku,
        action=row.action,
        label_before=row.label_before,
        label_after=row.label_after,
        reviewer=row.reviewer,
        decided_at=row.decided_at,
        note=row.note,
        undone=row.undone,
        undoes_id=row.undoes_id,
        thumbnail=ensure_thumbnail(catalogue.settings, product.stored_image, product.thumbnail),
    )
