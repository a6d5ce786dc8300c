"""Store a batch: its own row, and a decision for each of its products."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.services import deciding
from catalog_ai.services.batch_outcome import Outcome, Tally, batch_words, remembered
from catalog_ai.services.labelling import same_label
from db.commands import decisions as commands
from db.commands import rechecks
from db.commands.at_once import Signed
from db.commands.batches import add_batch
from db.commands.decisions import NewDecision
from db.queries import decisions as queries
from db.queries.batches import Subject


@dataclass(frozen=True)
class Maker:
    """What all decisions of a batch have in common."""

    model_id: int | None
    reviewer: str
    request_key: str
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def decision(self, subject: Subject, action: str, label: str | None) -> NewDecision:
        """Return a decision as a person makes it: the label that is there already is kept."""
        if label is not None and same_label(label, subject.label_current):
            action, label = "keep", None
        return NewDecision(
            product_id=subject.id,
            action=action,
            label_given=subject.label_given,
            label_before=subject.label_current,
            label_after=subject.label_current if label is None else label,
            state_before=subject.review_state,
            state_after=deciding.STATES[action],
            suggestion=subject.suggestion,
            score=subject.score,
            image_sha256=subject.image_sha256,
            model_version_id=self.model_id,
            reviewer=self.reviewer,
            note="",
            request_key=self._key(subject.id),
        )

    def signed(self, batch_id: int) -> Signed:
        """Return what decisions that are made in one statement have in common."""
        return Signed(batch_id, self.reviewer, self.now)

    def _key(self, product_id: int) -> str:
        """Return the key of one product's decision: 64 characters, however long the batch's is."""
        return hashlib.sha256(f"{self.request_key}-{product_id}".encode()).hexdigest()


def store(
    session: Session,
    kind: str,
    tally: Tally,
    by: Maker,
    decide: Callable[[int], None],
    parameters: dict[str, Any] | None = None,
    *,
    words: str = "",
    undoes_id: int | None = None,
) -> Outcome:
    """Store a batch, whose decisions `decide` makes of its id, and return what it did.

    Where the tally counts no change there is no batch. But one that undoes another is stored in any
    case: it may give back more than labels.
    """
    outcome = tally.outcome(words=words)
    if not outcome.products and undoes_id is None:
        return outcome
    before = queries.last_id(session) or 0
    batch_id = add_batch(
        session,
        kind,
        words or batch_words(outcome.changes),
        {**(parameters or {}), **remembered(outcome)},
        outcome.products,
        by.reviewer,
        by.request_key,
        by.now,
        undoes_id,
    )
    decide(batch_id)
    numbers = before + 1, queries.last_id(session) or 0
    return replace(tally.outcome(batch_id, words), decisions=numbers)


def store_each(
    session: Session, kind: str, decisions: Sequence[NewDecision], tally: Tally, by: Maker
) -> Outcome:
    """Store decisions that people made photo by photo, as one batch."""

    def decide(batch_id: int) -> None:
        rechecks.pick(session, commands.decide_many(session, decisions, batch_id, by.now))

    for decision in decisions:
        tally.done(decision.label_before, decision.label_after, decision.state_after)
    return store(session, kind, tally, by, decide)
