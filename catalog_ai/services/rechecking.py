"""A check on ourselves: one decision in fifty is shown again, to see how consistent reviews are.

Nobody is told beforehand. Who answers as before changes nothing; who answers differently sends the
product to a second look, with a note that says both.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.evaluation.side_by_side import interval
from catalog_ai.services import categories, claiming, deciding, review
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.claiming import Following
from catalog_ai.services.deciding import Decided
from catalog_ai.services.evidence import look_alikes, what_was_done
from catalog_ai.services.labelling import same_label
from catalog_ai.services.photos import ensure_thumbnail
from catalog_ai.services.review import QueueItem
from db.commands import claims
from db.commands import decisions as commands
from db.commands import rechecks as recheck_commands
from db.commands.decisions import NewDecision
from db.engine import read, write
from db.queries import decisions, models, products
from db.queries import rechecks as queries
from db.queries.decisions import DecisionRow
from db.queries.products import ProductRow
from db.queries.review import ReviewRow, ScoreRow
from db.vectors import from_blob

DISTANCE = 20  # decisions: after so many nobody remembers, and nobody sees two in a row
_SHOWN = 12


@dataclass(frozen=True)
class Recheck:
    """A decision that is shown again: `item` looks as its product did the first time."""

    decision_id: int
    item: QueueItem


@dataclass(frozen=True)
class Disagreement:
    """A product of which two different things were said; `note` tells both."""

    product_id: int
    sku: str
    note: str
    answered_at: datetime
    thumbnail: Path


@dataclass(frozen=True)
class Agreement:
    """How consistent the reviews are: of `answered` second showings `agreed` ended like the first.

    Of them, `by_same_person` and `by_others` are (answered, agreed). The true share lies between
    `least` and `most`, 0..1, with 95 %. `waiting` will be shown again.
    """

    answered: int
    agreed: int
    by_same_person: tuple[int, int]
    by_others: tuple[int, int]
    least: float
    most: float
    waiting: int
    disagreements: tuple[Disagreement, ...]


def due(
    catalogue: Catalogue,
    *,
    reviewer: str,
    skipped: Sequence[int] = (),
    now: datetime | None = None,
) -> Recheck | None:
    """Return what `reviewer` is to be shown again next, None where nothing is due.

    The oldest of the chosen decisions that stands, whoever made it, after `DISTANCE` later ones and
    not sooner after the last second showing. `skipped` are products that `reviewer` left aside.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        model_id = models.active_id(session)
        number = queries.due(
            session,
            model_id,
            reviewer=" ".join(reviewer.split()),
            distance=DISTANCE,
            skipped=tuple(skipped),
            now=now or datetime.now(UTC),
        )
        first = None if number is None else decisions.by_id(session, number)
        row = None if first is None else queries.seen(session, model_id, first.product_id)
        if first is None or row is None:
            return None
        then = _as_then(row, first)
        near = look_alikes(session, [then])
    return Recheck(first.id, review.met_again(catalogue, then, near))


def answer(
    catalogue: Catalogue,
    decision_id: int,
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
    """Store what `reviewer` says of a product that is shown again, and whether they agree.

    `action`, `label`, `note`, `following` and what was seen are as in `deciding.decide`, about the
    `Recheck.item`.
    Raises `UsageError` as that does, `ConflictError` where the product changed since.
    """
    reviewer = categories.reviewer_name(reviewer)
    if action not in deciding.ACTIONS:
        known = ", ".join(deciding.ACTIONS)
        raise UsageError(f"there is no decision {action!r}: choose from {known}")
    with in_plain_words(), write(catalogue.engine, touches=("labels",)) as session:
        stored = decisions.by_request_key(session, request_key)
        if stored is not None:
            return _decided(session, stored)
        first, product = _shown(session, decision_id)
        if (product.version, product.image_sha256) != (seen_version, seen_sha256):
            last = decisions.standing(session, [product.id]).get(product.id)
            raise ConflictError(deciding.overtaken(product, last))
        said = replace(_said(session, first, reviewer, action, label), note=note.strip())
        agrees = _is_alike(first, said)
        row = _row(first, said, product, agrees=agrees, request_key=request_key)
        now = datetime.now(UTC)
        number = commands.decide(session, row, product.version, now)
        assert number is not None  # nobody else writes meanwhile, and the version was compared
        claims.release(session, [product.id])
        claiming.go_on(session, following, reviewer, now)
        recheck_commands.answered(session, first.id, number, agrees=agrees, now=now)
        made = decisions.by_id(session, number)
        assert made is not None
        decided = _decided(session, made)
    deciding.look_again(catalogue, decided.decision_id, decided.decision_id)
    return decided


def agreement(catalogue: Catalogue) -> Agreement:
    """Return how consistent the reviews are."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows, waiting = queries.tallies(session), queries.waiting(session)
        apart = queries.disagreements(session, _SHOWN)
    same, others = (
        _counted([row for row in rows if row.same is wanted]) for wanted in (True, False)
    )
    answered, agreed = same[0] + others[0], same[1] + others[1]
    least, most = interval(agreed, answered)
    shown = tuple(
        Disagreement(
            *(row.product.id, row.product.sku, row.note, row.answered_at),
            ensure_thumbnail(catalogue.settings, row.product.stored_image, row.product.thumbnail),
        )
        for row in apart
    )
    return Agreement(answered, agreed, same, others, least, most, waiting, shown)


def _counted(rows: Sequence[queries.TallyRow]) -> tuple[int, int]:
    """Return (answered, agreed)."""
    return sum(row.count for row in rows), sum(row.count for row in rows if row.agrees)


def _as_then(row: ReviewRow, first: DecisionRow) -> ReviewRow:
    """Return a product as it was before `first`, with today's candidates and look-alikes."""
    product = replace(
        row.product,
        label_current=first.label_before,
        label_given=first.label_given,
        review_state="open",
    )
    score = row.score
    if score is not None:
        suggestion = first.suggestion or score.suggestion
        score = replace(
            score,
            label=first.label_before,
            known_label=any(same_label(name, first.label_before) for name in score.classes),
            suggestion=suggestion,
            confidence=_confidence(score, suggestion),
            score=first.score,
        )
    return replace(row, product=product, score=score)


def _confidence(score: ScoreRow, suggestion: str) -> float:
    """Return how sure the suggestion is by today's probabilities."""
    shares = from_blob(score.probabilities, len(score.classes)).tolist()
    named = [share for name, share in zip(score.classes, shares, strict=True) if name == suggestion]
    return sum(named) if named else score.confidence


def _shown(session: Session, decision_id: int) -> tuple[DecisionRow, ProductRow]:
    """Return a decision that is shown again, and its product."""
    first = decisions.by_id(session, decision_id)
    if first is None or not queries.is_chosen(session, decision_id):
        raise UsageError(f"decision number {decision_id} is not shown again: reload the page")
    product = products.by_id(session, first.product_id)
    assert product is not None  # a foreign key holds it
    return first, product


def _said(
    session: Session, first: DecisionRow, reviewer: str, action: str, label: str | None
) -> DecisionRow:
    """Return the answer as if nothing had been decided before: what it makes of the product."""
    chosen = first.label_before
    if action == "accept":
        if first.suggestion is None:
            raise UsageError("there is no suggestion to accept: choose a label")
        chosen = first.suggestion
    elif action == "relabel":
        names = categories.known(session, models.active(session))
        found = names.of(label)
        if found is None:
            known = ", ".join(sorted(names.names, key=str.casefold))
            raise UsageError(f"{label!r} is no category: choose from {known}")
        chosen = found
    if action in {"accept", "relabel"} and same_label(chosen, first.label_before):
        action, chosen = "keep", first.label_before
    return replace(
        first,
        reviewer=reviewer,
        action=action,
        label_after=chosen,
        state_after=deciding.STATES[action],
    )


def _is_alike(first: DecisionRow, said: DecisionRow) -> bool:
    return first.state_after == said.state_after and same_label(first.label_after, said.label_after)


def _row(
    first: DecisionRow,
    said: DecisionRow,
    product: ProductRow,
    *,
    agrees: bool,
    request_key: str,
) -> NewDecision:
    """Return the row to store: it leaves the product as it is, or asks for a second look."""
    same = "not_product" if first.state_after == "not_product" else "keep"
    both = f"{what_was_done(first)}; shown it again, {what_was_done(said)}"
    both += f": {said.note}" if said.note else ""
    return NewDecision(
        product_id=product.id,
        action=same if agrees else "second_look",
        label_given=product.label_given,
        label_before=product.label_current,
        label_after=product.label_current,
        state_before=product.review_state,
        state_after=product.review_state if agrees else "second_look",
        suggestion=first.suggestion,
        score=first.score,
        image_sha256=product.image_sha256,
        model_version_id=None,
        reviewer=said.reviewer,
        note=said.note if agrees else both,
        request_key=request_key,
    )


def _decided(session: Session, row: DecisionRow) -> Decided:
    """Return a stored answer with its sentence; only now it says that it was one."""
    product = products.by_id(session, row.product_id)
    assert product is not None  # a foreign key holds it
    if row.action == "second_look":
        words = f"{product.sku} waits for a second look: {row.note}"
    elif row.action == "not_product":
        words = f"{product.sku} is not a product photo"
    else:
        words = f"{product.sku} is {row.label_after or 'without a label'}"
    if row.action != "second_look":
        words += ", as was decided before"
    return Decided(row.id, row.product_id, product.sku, f"{words} (it was shown a second time).")
