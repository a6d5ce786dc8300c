"""The review desk: what waits, why, what was decided, and taking it back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.orm import Session

from catalog_ai.errors import UsageError
from catalog_ai.services import evidence
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import categories as categories
from catalog_ai.services.evidence import Candidate, Neighbour
from catalog_ai.services.photos import ensure_thumbnail
from db.engine import read
from db.queries import decisions as decision_queries
from db.queries import models, products
from db.queries import review as queries
from db.queries import runs as run_queries
from db.queries.wanted import Filter as Filter
from db.queries.wanted import Sort as Sort

QUEUES = {
    "wrong": "Looks wrong",
    "unlabelled": "No label",
    "unknown": "Not a known category",
    "odd": "Not a product photo?",
    "twins": "Twins that differ",
    "second_look": "Second look",
    "disputed": "Confirmed, now in doubt",
    "decided": "Decided",
    "all": "Everything",
}
# One product is in one of these at most; odd photos and twins are looked at for another reason.
LEFT = ("wrong", "unlabelled", "unknown", "second_look", "disputed")
SORTS = {
    "score": "Most suspicious first",
    "value": "What pays first",
    "newest": "Newest first",
    "random": "Random",
}
STATES = {
    "open": "Not decided",
    "kept": "Kept",
    "changed": "Changed",
    "not_product": "Not a product photo",
    "second_look": "Second look",
}
PER_PAGE = 12
EVERYTHING_WRONG = Filter("wrong")
AS_USUAL = Sort("score")


@dataclass(frozen=True)
class QueueItem:
    """One product as a reviewer meets it.

    `score` is 0..1, higher = more likely wrong, None where there is nothing to judge. `version` and
    `image_sha256` say what was seen; hand them back with the decision. `twin` is a product that is
    all but the same photo and carries another label, `asked_by` is who wants a second look.
    `oddity` is 0..1, higher = less like a photo of a product; `worth` is the score times the
    attribute that one sorts by.
    """

    product_id: int
    sku: str
    title: str
    label: str | None
    label_given: str | None
    suggestion: str
    confidence: float
    score: float | None
    agreement: float | None
    thumbnail: Path
    image: Path
    image_sha256: str
    version: int
    review_state: str
    trained_on: bool
    reason: str
    attributes: dict[str, str] = field(default_factory=dict)
    oddity: float | None = None
    worth: float | None = None
    candidates: tuple[Candidate, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    evidence: str = ""
    note_from_before: str = ""
    twin: Neighbour | None = None
    asked_by: str = ""


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
    """How far reviewing is: "5 of 501, 496 left" is `decided`, `decided + left`, `left`.

    What was decided and is in doubt again is left, not decided: each product counts once.
    """

    decided: int
    left: int
    today: int
    by_queue: dict[str, int]
    by_category: dict[str, int]


def review_queue(
    catalogue: Catalogue,
    wanted: Filter = EVERYTHING_WRONG,
    sort: Sort = AS_USUAL,
    *,
    page: int = 1,
    per_page: int = PER_PAGE,
    whole: bool = True,
) -> QueuePage:
    """Return a page of what is wanted out of one of `QUEUES`; a page beyond the last is the last.

    Without `whole` items come as tiles need them: no evidence, look-alikes, candidates or twin.

    Unless sorted otherwise: the most suspicious first; without a known label the surest suggestion
    first; second looks and what was decided, the latest decision first. Raises `UsageError` for an
    unknown queue or order.
    """
    check(wanted, sort)
    with in_plain_words(), read(catalogue.engine) as session:
        model_id = models.active_id(session)
        total = queries.count(session, model_id, wanted)
        pages = max(1, -(-total // per_page))
        page = min(max(1, page), pages)
        rows = queries.page(
            session, model_id, wanted, sort, offset=(page - 1) * per_page, limit=per_page
        )
        around = _around(session, rows) if whole else None
        worths: dict[int, float] = {}
        if sort.by == "value" and sort.attribute:
            numbers = [row.product.id for row in rows]
            worths = queries.worths(session, model_id, numbers, sort.attribute)
    items = (_item(catalogue, row, wanted.queue, around) for row in rows)
    shown = tuple(replace(item, worth=worths.get(item.product_id)) for item in items)
    return QueuePage(shown, total, page, pages)


def check(wanted: Filter, sort: Sort) -> None:
    """Raise `UsageError` for a queue or an order that there is not."""
    if wanted.queue not in QUEUES:
        raise UsageError(f"there is no queue {wanted.queue!r}: choose from {', '.join(QUEUES)}")
    if sort.by not in SORTS:
        raise UsageError(f"there is no order {sort.by!r}: choose from {', '.join(SORTS)}")


def pairs(catalogue: Catalogue) -> tuple[Pair, ...]:
    """Return in which ways labels look wrong, the way first in which most probably are."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.pairs(session, models.active_id(session))
    return tuple(Pair(row.label, row.suggestion, row.count, row.wrong) for row in rows)


def product_item(
    catalogue: Catalogue, product_id: int, *, queue: str | None = None
) -> QueueItem | None:
    """Return one product as a reviewer would meet it, None where it does not exist.

    `queue` is the one in which it is met, by default the one that it is in.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        row = queries.one(session, models.active_id(session), product_id)
        if row is None:
            return None
        around = _around(session, [row])
    return _item(catalogue, row, queue or _queue_of(row), around)


def photos(catalogue: Catalogue, product_id: int) -> tuple[Path, ...]:
    """Return the stored photos of a product, upright and up to 800 pixels, the main one first."""
    with in_plain_words(), read(catalogue.engine) as session:
        product = products.by_id(session, product_id)
        further = products.further_photos(session, [product_id]).get(product_id, ())
    names = [] if product is None else [product.stored_image]
    return tuple(
        catalogue.settings.home / name for name in names + [p.stored_image for p in further]
    )


def met_again(
    catalogue: Catalogue, row: queries.ReviewRow, near: dict[int, products.ProductRow]
) -> QueueItem:
    """Return a product as a reviewer meets it in "wrong", whatever was decided about it."""
    return _item(catalogue, row, "wrong", (near, {}))


def progress(catalogue: Catalogue, *, since: datetime | None = None) -> ReviewProgress:
    """Return how far reviewing is; `today` counts from `since`, by default midnight UTC."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with in_plain_words(), read(catalogue.engine) as session:
        model_id = models.active_id(session)
        wrong = _by_label(queries.pairs(session, model_id))
        names = [name for name in QUEUES if name not in {"wrong", "all"}]
        counts = queries.counts(session, model_id, [Filter(name) for name in names])
        by_queue = dict(zip(names, counts, strict=True))
        by_queue = {"wrong": sum(wrong.values())} | by_queue | {"all": products.count(session)}
        return ReviewProgress(
            decided=by_queue["decided"] - by_queue["disputed"],
            left=sum(by_queue[name] for name in LEFT),
            today=queries.decided_count(session, since or midnight),
            by_queue=by_queue,
            by_category=wrong,
        )


def _by_label(rows: Sequence[queries.PairRow]) -> dict[str, int]:
    """Return label → how many of it look wrong, the most first."""
    counts = Counter[str]()
    for row in rows:
        counts[row.label] += row.count
    return dict(sorted(counts.items(), key=lambda found: (-found[1], found[0])))


@dataclass(frozen=True)
class Choices:
    """What can be asked for: attributes with values that occur, and runs."""

    attributes: dict[str, tuple[str, ...]]
    runs: tuple[tuple[int, str], ...]  # number, source; the newest first


def choices(catalogue: Catalogue) -> Choices:
    """Return what filters can offer; attributes are those of the newest thousand products."""
    with in_plain_words(), read(catalogue.engine) as session:
        return Choices(
            attributes=products.attribute_values(session, newest=1000),
            runs=tuple(run_queries.latest_names(session, 50)),
        )


def reviewers(catalogue: Catalogue) -> tuple[str, ...]:
    """Return everybody who decided anything, by name."""
    with in_plain_words(), read(catalogue.engine) as session:
        return tuple(decision_queries.reviewers(session))


Around = tuple[dict[int, products.ProductRow], dict[int, decision_queries.DecisionRow]]


def _around(session: Session, rows: Sequence[queries.ReviewRow]) -> Around:
    """Return the look-alikes and twins of all rows, and the decisions that stand for them."""
    ids = [row.product.id for row in rows]
    standing = decision_queries.standing(session, ids, reviews=True)
    return evidence.look_alikes(session, rows), standing


def _queue_of(row: queries.ReviewRow) -> str:
    state, score = row.product.review_state, row.score
    if state == "second_look":
        return "second_look"
    if state != "open":
        return "decided"
    if row.product.label_current is None:
        return "unlabelled"
    if score is not None and not score.known_label:
        return "unknown"
    return "wrong" if score is not None and score.looks_wrong else ""


def _item(
    catalogue: Catalogue, row: queries.ReviewRow, queue: str, around: Around | None
) -> QueueItem:
    item = _tile(catalogue, row, queue)
    return item if around is None else _with_evidence(catalogue, row, item, *around)


def _with_evidence(
    catalogue: Catalogue,
    row: queries.ReviewRow,
    item: QueueItem,
    near: dict[int, products.ProductRow],
    standing: dict[int, decision_queries.DecisionRow],
) -> QueueItem:
    product, score, settings = row.product, row.score, catalogue.settings
    decision = standing.get(product.id)
    twin = near.get(score.twin_id) if score and score.twin_id else None
    seen = evidence.Seen(evidence.closest(score, near), decision, twin)
    return replace(
        item,
        candidates=evidence.candidates(score),
        neighbours=evidence.neighbours(settings, score, near),
        evidence=evidence.sentence(product, score, item.reason, seen),
        note_from_before=decision.note if decision else "",
        twin=evidence.neighbour(settings, twin) if twin else None,
        asked_by=decision.reviewer if decision and decision.action == "second_look" else "",
    )


def _tile(catalogue: Catalogue, row: queries.ReviewRow, queue: str) -> QueueItem:
    product, score, settings = row.product, row.score, catalogue.settings
    return QueueItem(
        product_id=product.id,
        sku=product.sku,
        title=product.title,
        label=product.label_current,
        label_given=product.label_given,
        suggestion=score.suggestion if score else "",
        confidence=score.confidence if score else 0.0,
        score=score.score if score else None,
        agreement=score.agreement if score else None,
        thumbnail=ensure_thumbnail(settings, product.stored_image, product.thumbnail),
        image=settings.home / product.stored_image,
        image_sha256=product.image_sha256,
        version=product.version,
        review_state=product.review_state,
        trained_on=row.trained_on,
        reason=queue,
        attributes={name: str(value) for name, value in product.attributes.items()},
        oddity=score.oddity if score else None,
    )
