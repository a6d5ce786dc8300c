"""Why a label looks wrong, in words and pictures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy.orm import Session

from catalog_ai.config import Settings
from catalog_ai.services.labelling import same_label
from catalog_ai.services.photos import ensure_thumbnail
from db.queries import products
from db.queries.decisions import DecisionRow
from db.queries.products import ProductRow
from db.queries.review import ReviewRow, ScoreRow
from db.queries.wanted import CONFIRMED
from db.vectors import from_blob

SHOWN = 8  # look-alikes beside an item
CHOICES = 9  # candidates, one per digit key


@dataclass(frozen=True)
class Neighbour:
    """A look-alike and the label it carries; `confirmed` where a person kept or chose that."""

    product_id: int
    sku: str
    label: str | None
    thumbnail: Path
    confirmed: bool


@dataclass(frozen=True)
class Seen:
    """What is around a product: its closest look-alikes (the closest first), the latest decision
    that stands, and its twin."""

    around: Sequence[ProductRow] = ()
    decision: DecisionRow | None = None
    twin: ProductRow | None = None


class Labelled(Protocol):
    """A product, as far as the sentence speaks of it."""

    @property
    def label_current(self) -> str | None: ...
    @property
    def label_given(self) -> str | None: ...
    @property
    def image_sha256(self) -> str: ...


class Agreement(NamedTuple):
    """How many of the closest look-alikes carry a label, and of how many people confirmed it."""

    carry: int
    confirmed: int


class Judgement(NamedTuple):
    """What is said of a label: of `around` look-alikes so many carry the suggestion, or `own`."""

    suggestion: str
    known_label: bool
    around: int
    suggested: Agreement
    own: Agreement


@dataclass(frozen=True)
class Candidate:
    """A category and how likely it is, 0..1, out of fold."""

    label: str
    probability: float


def candidates(score: ScoreRow | None) -> tuple[Candidate, ...]:
    """Return up to nine categories, the likeliest first."""
    if score is None or not score.classes:
        return ()
    shares: dict[str, float] = {}  # of two that were merged since, the sum
    numbers = from_blob(score.probabilities, len(score.classes)).tolist()
    for name, share in zip(score.classes, numbers, strict=True):
        shares[name] = shares.get(name, 0.0) + share
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return tuple(Candidate(label, share) for label, share in ranked[:CHOICES])


def look_alikes(session: Session, rows: Iterable[ReviewRow]) -> dict[int, ProductRow]:
    """Return id → product for the closest look-alikes and the twins of all rows."""
    scores = [row.score for row in rows if row.score]
    near = {other for score in scores for other in score.neighbours[:SHOWN]}
    near |= {score.twin_id for score in scores if score.twin_id}
    return products.by_ids(session, sorted(near))


def neighbours(
    settings: Settings, score: ScoreRow | None, near: dict[int, ProductRow]
) -> tuple[Neighbour, ...]:
    """Return the closest look-alikes out of `near`, the closest first."""
    return tuple(neighbour(settings, product) for product in closest(score, near))


def neighbour(settings: Settings, product: ProductRow) -> Neighbour:
    """Return a product as it is shown beside another."""
    return Neighbour(
        *(product.id, product.sku, product.label_current),
        ensure_thumbnail(settings, product.stored_image, product.thumbnail),
        _is_confirmed(product),
    )


def closest(score: ScoreRow | None, near: dict[int, ProductRow]) -> list[ProductRow]:
    """Return the closest look-alikes as products out of `near`, the closest first."""
    ids = score.neighbours[:SHOWN] if score else ()
    return [near[other] for other in ids if other in near]


def sentence(product: ProductRow, score: ScoreRow | None, queue: str, seen: Seen) -> str:
    """Return one sentence that says why the product is shown in this queue."""
    judged = None if score is None else _judgement(product.label_current, score, seen.around)
    return explained(product, judged, queue, seen.decision, seen.twin)


def explained(
    product: Labelled,
    judged: Judgement | None,
    queue: str,
    decision: DecisionRow | None = None,
    twin: ProductRow | None = None,
) -> str:
    """Return the same sentence for who has counted already what the look-alikes carry."""
    label = product.label_current
    if queue == "second_look":
        return _second_look(product, decision)
    if queue == "decided" and decision is not None:
        return f"{what_was_done(decision)} on {_day(decision)}."
    if judged is None:
        return "The worker has not looked at this label yet."
    if queue == "odd":
        return "This may be no photo of a product: hardly anything in the catalogue looks like it."
    if queue == "twins" and twin is not None:
        return (
            f"Labelled {label or 'nothing'}; {twin.sku}, all but the same "
            f"photo, is {twin.label_current}."
        )
    around = _comparison(label, judged)
    if queue == "disputed" and decision is not None:
        done = f"{what_was_done(decision)} on {_day(decision)}"
        return f"{done}; the model in use now is sure of {judged.suggestion}, and {around}."
    if label is None:
        return f"Delivered without a label; {around}."
    if not judged.known_label:
        return f"Delivered as {label}, which is no category yet; {around}."
    return f"Labelled {label}; {around}."


def what_was_done(decision: DecisionRow) -> str:
    """Return who decided what: "Ana kept dress"."""
    done = {
        "keep": f"kept {decision.label_after or 'it without a label'}",
        "not_product": "marked it as not a product photo",
        "second_look": "asked for a second look",
    }
    return f"{decision.reviewer} {done.get(decision.action, f'chose {decision.label_after}')}"


def _judgement(label: str | None, score: ScoreRow, around: Sequence[ProductRow]) -> Judgement:
    suggested, own = (_agreement(around, name) for name in (score.suggestion, label))
    return Judgement(score.suggestion, score.known_label, len(around), suggested, own)


def _agreement(around: Sequence[ProductRow], label: str | None) -> Agreement:
    """Count who carries a label; without a label nobody does."""
    alike = [other for other in around if label and same_label(other.label_current, label)]
    return Agreement(len(alike), sum(map(_is_confirmed, alike)))


@lru_cache(maxsize=4096)  # a file of a million products says much the same of most
def _comparison(label: str | None, judged: Judgement) -> str:
    """Return what speaks for the suggestion: "7 of its 8 closest look-alikes are dress"."""
    suggestion, _, around, suggested, own = judged
    if not around:
        return f"the photo looks like {suggestion}"
    if own.carry > suggested.carry:
        return (
            f"the photo itself looks like {suggestion}, though {_share(own, around)} "
            f"{'is' if own.carry == 1 else 'are'} {label}"
        )
    if not suggested.carry:
        return f"the photo itself looks like {suggestion}, its closest look-alikes do not"
    verb = "is" if suggested.carry == 1 else "are"
    return f"{_share(suggested, around)} {verb} {suggestion}"


def _share(alike: Agreement, around: int) -> str:
    if around == 1:
        return f"its closest look-alike{_by_people(alike)}"
    return f"{alike.carry} of its {around} closest look-alikes{_by_people(alike)}"


def _by_people(alike: Agreement) -> str:
    """Return how many of these labels people confirmed, as an aside: ", all confirmed by people,".

    What a person said of a look-alike counts for more than what the feed delivered.
    """
    if not alike.confirmed:
        return ""
    if alike.confirmed < alike.carry:
        return f", {alike.confirmed} of them confirmed by people,"
    return f",{' all' if alike.confirmed > 1 else ''} confirmed by people,"


def _is_confirmed(product: ProductRow) -> bool:
    return product.review_state in CONFIRMED


def _second_look(product: Labelled, decision: DecisionRow | None) -> str:
    if decision is None:
        return "This waits for a second look."
    since = f"{what_was_done(decision)} on {_day(decision)}"
    if decision.state_after == "second_look":
        return f"{since}: {decision.note}" if decision.note else f"{since}."
    if decision.image_sha256 != product.image_sha256:
        return f"The photo has changed since {since}."
    then, now = decision.label_given or "nothing", product.label_given or "nothing"
    return f"The feed changed its label from {then} to {now} after {since}."


def _day(decision: DecisionRow) -> str:
    return f"{decision.decided_at:%-d %b %Y}"
