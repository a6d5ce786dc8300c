"""The review desk: what waits, why, what was decided, and taking it back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from catalog_ai.data.sources import NO_LABEL_WORDS, normal_label
from catalog_ai.errors import UsageError
from catalog_ai.services import evidence
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.evidence import Candidate, Neighbour
from catalog_ai.services.photos import ensure_thumbnail
from db.engine import read
from db.queries import decisions as decision_queries
from db.queries import models, products
from db.queries import review as queries

QUEUES = {
    "wrong": "Looks wrong",
    "second_look": "Second look",
    "unknown": "Not a known category",
    "decided": "Decided",
}
PER_PAGE = 12
_NO_MODEL = 0  # no model has this id: then no product has a score


@dataclass(frozen=True)
class QueueItem:
    """One product as a reviewer meets it.

    `score` is 0..1, higher = more likely wrong, None where there is nothing to judge. `version` and
    `image_sha256` say what was seen; hand them back with the decision.
    """

    product_id: int
    sku: str
    title: str
    label: str | None
    label_given: str | None
    suggestion: str
    confidence: float
    score: float | None
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    agreement: float | None
    evidence: str
    thumbnail: Path
    image: Path
    image_sha256: str
    version: int
    review_state: str
    trained_on: bool
    reason: str
    note_from_before: str


@dataclass(frozen=True)
class QueuePage:
    """A page of a queue; `total` is how many wait in it."""

    items: tuple[QueueItem, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Pair:
    """`count` products labelled `label` look like `suggestion`; about `wrong` of them truly are."""

    label: str
    suggestion: str
    count: int
    wrong: float


@dataclass(frozen=True)
class ReviewProgress:
    """How far reviewing is: "5 of 501, 496 left" is `decided`, `decided + left`, `left`."""

    decided: int
    left: int
    today: int
    by_queue: dict[str, int]
    by_category: dict[str, int]


def review_queue(
    catalogue: Catalogue,
    *,
    queue: str = "wrong",
    category: str | None = None,
    suggestion: str | None = None,
    page: int = 1,
    per_page: int = PER_PAGE,
) -> QueuePage:
    """Return a page of one of `QUEUES`; a page beyond the last is the last.

    `category` and `suggestion`, where given, are what a product carries, and what it should.

    Looks wrong: the most suspicious first. Not a known category: the surest suggestion first. The
    others: the latest decision first. Raises `UsageError` for an unknown queue.
    """
    if queue not in QUEUES:
        raise UsageError(f"there is no queue {queue!r}: choose from {', '.join(QUEUES)}")
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        model_id = model.id if model else _NO_MODEL
        total = queries.count(session, model_id, queue, category, suggestion)
        pages = max(1, -(-total // per_page))
        page = min(max(1, page), pages)
        rows = queries.page(
            *(session, model_id, queue, category, suggestion),
            offset=(page - 1) * per_page,
            limit=per_page,
        )
        around = _around(session, rows)
    return QueuePage(
        tuple(_item(catalogue, row, queue, *around) for row in rows), total, page, pages
    )


def pairs(catalogue: Catalogue) -> tuple[Pair, ...]:
    """Return in which ways labels look wrong, the way first in which most probably are."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        rows = queries.pairs(session, model.id) if model else []
    return tuple(Pair(row.label, row.suggestion, row.count, row.wrong) for row in rows)


def product_item(catalogue: Catalogue, product_id: int) -> QueueItem | None:
    """Return one product as a reviewer would meet it, None where it does not exist."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        row = queries.one(session, model.id if model else _NO_MODEL, product_id)
        if row is None:
            return None
        around = _around(session, [row])
    return _item(catalogue, row, _queue_of(row), *around)


def progress(catalogue: Catalogue, *, since: datetime | None = None) -> ReviewProgress:
    """Return how far reviewing is; `today` counts from `since`, by default midnight UTC."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        model_id = model.id if model else _NO_MODEL
        by_queue = {name: queries.count(session, model_id, name, None) for name in QUEUES}
        return ReviewProgress(
            decided=by_queue["decided"],
            left=sum(count for name, count in by_queue.items() if name != "decided"),
            today=queries.decided_count(session, since or midnight),
            by_queue=by_queue,
            by_category=queries.count_by_category(session, model_id, "wrong"),
        )


def categories(catalogue: Catalogue) -> tuple[str, ...]:
    """Return the categories to choose from: the active model's, and those that people decided on.

    What a feed calls its products is no category before somebody said so, unless the model knows
    none of its own.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        decided = decision_queries.labels_decided(session)
        delivered = [] if model and model.classes else products.label_spellings(session)
    written: dict[str, str] = {}
    for label in (*(model.classes if model else ()), *decided, *delivered):
        if normal_label(label) not in NO_LABEL_WORDS:
            written.setdefault(normal_label(label), label)
    return tuple(sorted(written.values(), key=str.casefold))


Around = tuple[dict[int, products.ProductRow], dict[int, decision_queries.DecisionRow]]


def _around(session: Session, rows: Sequence[queries.ReviewRow]) -> Around:
    """Return the look-alikes of all rows, and the decisions that stand for them."""
    standing = decision_queries.standing(session, [row.product.id for row in rows])
    return evidence.look_alikes(session, rows), standing


def _queue_of(row: queries.ReviewRow) -> str:
    state = row.product.review_state
    if state == "second_look":
        return "second_look"
    if state != "open":
        return "decided"
    if row.product.label_current is None or (row.score and not row.score.known_label):
        return "unknown"
    return "wrong" if row.score and row.score.looks_wrong else ""


def _item(
    catalogue: Catalogue,
    row: queries.ReviewRow,
    queue: str,
    near: dict[int, products.ProductRow],
    standing: dict[int, decision_queries.DecisionRow],
) -> QueueItem:
    product, score, settings = row.product, row.score, catalogue.settings
    decision = standing.get(product.id)
    return QueueItem(
        product_id=product.id,
        sku=product.sku,
        title=product.title,
        label=product.label_current,
        label_given=product.label_given,
        suggestion=score.suggestion if score else "",
        confidence=score.confidence if score else 0.0,
        score=score.score if score else None,
        candidates=evidence.candidates(score),
        neighbours=evidence.neighbours(settings, score, near),
        agreement=score.agreement if score else None,
        evidence=evidence.sentence(
            product, score, evidence.labels_around(score, near), queue, decision
        ),
        thumbnail=ensure_thumbnail(settings, product.stored_image, product.thumbnail),
        image=settings.home / product.stored_image,
        image_sha256=product.image_sha256,
        version=product.version,
        review_state=product.review_state,
        trained_on=row.trained_on,
        reason=queue,
        note_from_before=decision.note if decision else "",
    )
