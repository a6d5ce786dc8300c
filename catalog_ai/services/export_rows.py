"""What the rows of each file say; `TABLES` is kind → its columns and where its rows come from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from catalog_ai.errors import NoModelError
from catalog_ai.services.cells import FLAG, NUMBER, TEXT, TIME, TREE, WHOLE
from catalog_ai.services.evidence import SHOWN
from catalog_ai.services.queue_words import carried_around, carried_by_all, sentences
from catalog_ai.services.table_files import Columns, Row
from catalog_ai.services.training_folder import LEFT_OUT, Places
from db.queries import decisions, listings, models, products, scores
from db.queries import review as review_queries
from db.queries.wanted import Filter, Sort

_NO_MODEL = 0  # no model has this id: then no product has a score


@dataclass(frozen=True)
class Table:
    """What a file holds: its columns by name, and its rows out of a session, in their order.

    What is wanted, and in which order, matters to the queue alone.
    """

    columns: Columns
    rows: Callable[[Session, Filter, Sort], Iterator[Row]]


def _queue(session: Session, wanted: Filter, sort: Sort) -> Iterator[Row]:
    """Yield what is wanted; of a long list only a part lies in memory at once."""
    model = models.active(session)
    if model is None or not scores.is_assessed(session, model.id):
        raise NoModelError(
            "nobody has looked for wrong labels yet: run python -m catalog_ai.worker first"
        )
    looked_up = SHOWN * review_queries.count(session, model.id, wanted)
    everything = carried_by_all(session) if looked_up > products.count(session) else None
    for items in listings.queue(session, model.id, wanted, sort):
        carried = everything or carried_around(session, items)
        for item, why in zip(items, sentences(session, items, wanted.queue, carried), strict=True):
            yield (
                *(item.sku, item.label_current, item.suggestion, item.score),
                *(item.confidence, item.agreement, item.label_given, item.review_state),
                *(item.title, item.image_path, item.image_sha256, why),
            )


def _products(session: Session, *_: object) -> Iterator[Row]:
    model = models.active(session)
    for _id, *row in listings.products(session, model.id if model else _NO_MODEL):
        yield row


def _decisions(session: Session, *_: object) -> Iterator[Row]:
    for decision_id, *row in listings.decisions(session):
        yield (*row, decision_id)


def _training(session: Session, *_: object) -> Iterator[Row]:
    confirmed, places = set(decisions.confirmed(session)), Places()
    for number, sku, label, stored_image, sha256 in listings.photos(session, without=LEFT_OUT):
        path = places.of(label, sku, stored_image)
        if path is not None:
            yield path, label, sku, stored_image, sha256, number in confirmed


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
