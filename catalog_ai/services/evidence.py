"""Why a label looks wrong, in words and pictures."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from catalog_ai.config import Settings
from catalog_ai.services.labelling import same_label
from catalog_ai.services.photos import ensure_thumbnail
from db.queries.decisions import DecisionRow
from db.queries.products import ProductRow
from db.queries.review import ScoreRow
from db.vectors import from_blob

SHOWN = 8  # look-alikes beside an item
CHOICES = 9  # candidates, one per digit key

__all__ = ["Candidate", "Neighbour", "Session", "candidates", "neighbours", "sentence"]


@dataclass(frozen=True)
class Neighbour:
    """A look-alike and the label it carries."""

    product_id: int
    sku: str
    label: str | None
    thumbnail: Path


@dataclass(frozen=True)
class Candidate:
    """A category and how likely it is, 0..1, out of fold."""

    label: str
    probability: float


def candidates(score: ScoreRow | None) -> tuple[Candidate, ...]:
    """Return up to nine categories, the likeliest first."""
    if score is None or not score.classes:
        return ()
    shares = from_blob(score.probabilities, len(score.classes)).tolist()
    ranked = sorted(zip(score.classes, shares, strict=True), key=lambda pair: -pair[1])
    return tuple(Candidate(label, share) for label, share in ranked[:CHOICES])


def neighbours(
    settings: Settings, score: ScoreRow | None, near: dict[int, ProductRow]
) -> tuple[Neighbour, ...]:
    """Return the closest look-alikes, the closest first."""
    ids = score.neighbours[:SHOWN] if score else ()
    return tuple(
        Neighbour(
            *(product.id, product.sku, product.label_current),
            ensure_thumbnail(settings, product.stored_image, product.thumbnail),
        )
        for product in (near[other] for other in ids if other in near)
    )


def sentence(
    product: ProductRow,
    score: ScoreRow | None,
    near: tuple[Neighbour, ...],
    queue: str,
    decision: DecisionRow | None,
) -> str:
    """Return one sentence that says why the product is shown."""
    if queue == "second_look":
        return _second_look(product, decision)
    if queue == "decided" and decision is not None:
        return f"{decision.reviewer} decided this on {_day(decision)}."
    if score is None:
        return "The worker has not looked at this label yet."
    if product.label_current is None:
        return f"Delivered without a label; its closest look-alikes suggest {score.suggestion}."
    if not score.known_label:
        return (
            f"Delivered as {product.label_current}, which is no category of the model; "
            f"{_count(near, score.suggestion)}."
        )
    return f"Labelled {product.label_current}; {_count(near, score.suggestion)}."


def _count(near: tuple[Neighbour, ...], suggestion: str) -> str:
    """Return "7 of its 8 closest look-alikes are dress"."""
    if not near:
        return f"the photo looks like {suggestion}"
    same = sum(same_label(other.label, suggestion) for other in near)
    if same == 0:
        return f"the photo itself looks like {suggestion}, its closest look-alikes do not"
    verb = "is" if same == 1 else "are"
    return f"{same} of its {len(near)} closest look-alikes {verb} {suggestion}"


def _second_look(product: ProductRow, decision: DecisionRow | None) -> str:
    if decision is None:
        return "Somebody asked for a second look."
    who = f"{decision.reviewer} on {_day(decision)}"
    if decision.state_after == "second_look":
        return f"{who} asked for a second look" + (f": {decision.note}" if decision.note else ".")
    if decision.image_sha256 != product.image_sha256:
        return f"The photo has changed since {who} decided on {decision.label_after or 'it'}."
    if not same_label(product.label_given, decision.label_given):
        now, then = product.label_given or "nothing", decision.label_given or "nothing"
        return (
            f"The feed now says {now}; {who} decided on {decision.label_after} when it said {then}."
        )
    return f"It changed after {who} decided."


def _day(decision: DecisionRow) -> str:
    return f"{decision.decided_at:%-d %b %Y}"
