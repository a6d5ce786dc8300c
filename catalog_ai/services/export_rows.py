"""What the rows of each file say; `TABLES` is kind → its columns and where its rows come from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.errors import NoModelError
from catalog_ai.services import evidence
from catalog_ai.services.table_files import FLAG, NUMBER, TEXT, TIME, TREE, WHOLE, Columns, Row
from catalog_ai.services.training_folder import LEFT_OUT, Places
from db.pieces import in_parts
from db.queries import decisions, listings, models, scores
from db.queries import review as review_queries
from db.queries.review import ReviewRow
from db.queries.wanted import Filter, Sort

_NO_MODEL = 0  # no model has this id: then no product has a score


@dataclass(frozen=True)
class Table:
    """What a file holds: its columns by name, and its rows out of a session.

    What is wanted, and in which order, matters to the queue alone.
    """

    columns: Columns
    rows: Callable[[Session, Filter, Sort], Iterator[Row]]


def _queue(session: Session, wanted: Filter, sort: Sort) -> Iterator[Row]:
    """Yield what is wanted; of a long list only the numbers lie in memory at once."""
    model = models.active(session)
    if model is None or not scores.is_assessed(session, model.id):
        raise NoModelError(
            "nobody has looked for wrong labels yet: run python -m catalog_ai.worker first"
        )
    for part in in_parts(review_queries.numbers(session, model.id, wanted, sort)):
        rows = {row.product.id: row for row in review_queries.many(session, model.id, part)}
        yield from _judged(session, [rows[number] for number in part], wanted.queue)


def _judged(session: Session, rows: Sequence[ReviewRow], queue: str) -> Iterator[Row]:
    """Yield products beside what is said of their labels in this queue."""
    around = evidence.look_alikes(session, rows)
    standing = decisions.standing(session, [row.product.id for row in rows], reviews=True)
    for row in rows:
        product, score = row.product, row.score
        twin = around.get(score.twin_id) if score and score.twin_id else None
        seen = evidence.Seen(evidence.closest(score, around), standing.get(product.id), twin)
        yield {
            **_common(product),
            "suggestion": score.suggestion if score else None,
            "score": _number(score.score if score else None),
            "confidence": _number(score.confidence if score else None),
            "agreement": _number(score.agreement if score else None),
            "evidence": evidence.sentence(product, score, queue, seen),
        }


def _products(session: Session, *_: object) -> Iterator[Row]:
    model = models.active(session)
    for product in listings.products(session, model.id if model else _NO_MODEL):
        yield {
            **_common(product),
            "suggestion": product.suggestion,
            "score": _number(product.score),
            "attributes": product.attributes,
        }


def _common(product: Any) -> Row:
    return {
        "sku": product.sku,
        "label": product.label_current,
        "label_given": product.label_given,
        "review_state": product.review_state,
        "title": product.title,
        "image": product.image_path,
        "image_sha256": product.image_sha256,
    }


def _decisions(session: Session, *_: object) -> Iterator[Row]:
    for decision in listings.decisions(session):
        yield {
            "sku": decision.sku,
            "label": decision.label_after,
            "suggestion": decision.suggestion,
            "score": _number(decision.score),
            "action": decision.action,
            "label_before": decision.label_before,
            "label_given": decision.label_given,
            "reviewer": decision.reviewer,
            "decided_at": decision.decided_at,
            "note": decision.note,
            "undone": decision.undone_by is not None,
            "image_sha256": decision.image_sha256,
            "decision_id": decision.id,
        }


def _training(session: Session, *_: object) -> Iterator[Row]:
    confirmed, places = set(decisions.confirmed(session)), Places()
    for photo in listings.photos(session, without=LEFT_OUT):
        path = places.of(photo.label_current, photo.sku, photo.stored_image)
        if path is not None:
            yield {
                "path": path,
                "label": photo.label_current,
                "sku": photo.sku,
                "stored_image": photo.stored_image,
                "image_sha256": photo.image_sha256,
                "confirmed": photo.id in confirmed,
            }


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


TABLES = {
    "queue": Table(
        {
            **{"sku": TEXT, "label": TEXT, "suggestion": TEXT, "score": NUMBER},
            **{"confidence": NUMBER, "agreement": NUMBER, "label_given": TEXT},
            **{"review_state": TEXT, "title": TEXT, "image": TEXT, "image_sha256": TEXT},
            "evidence": TEXT,
        },
        _queue,
    ),
    "decisions": Table(
        {
            **{"sku": TEXT, "label": TEXT, "suggestion": TEXT, "score": NUMBER, "action": TEXT},
            **{"label_before": TEXT, "label_given": TEXT, "reviewer": TEXT, "decided_at": TIME},
            **{"note": TEXT, "undone": FLAG, "image_sha256": TEXT, "decision_id": WHOLE},
        },
        _decisions,
    ),
    "products": Table(
        {
            **{"sku": TEXT, "label": TEXT, "suggestion": TEXT, "score": NUMBER},
            **{"label_given": TEXT, "review_state": TEXT, "title": TEXT},
            **{"image": TEXT, "image_sha256": TEXT, "attributes": TREE},
        },
        _products,
    ),
    "training": Table(
        {
            **{"path": TEXT, "label": TEXT, "sku": TEXT, "stored_image": TEXT},
            **{"image_sha256": TEXT, "confirmed": FLAG},
        },
        _training,
    ),
}
