"""Files for other programs: the queue, the decisions, the products, as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.errors import NoModelError, UsageError
from catalog_ai.services import evidence
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.commands.exports import add_export
from db.engine import read, write
from db.queries import decisions, models, products, scores
from db.queries import review as review_queries

KINDS = ("queue", "decisions", "products")
FORMATS = ("csv",)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = dict[str, Any]


@dataclass(frozen=True)
class ExportFile:
    """One file, whole; its name carries a hash of its content, so caches never serve an old one."""

    file_name: str
    data: bytes
    rows: int


def export(
    catalogue: Catalogue, kind: str, format: str = "csv", *, created_by: str = ""
) -> ExportFile:
    """Return a file of one of `KINDS` and note in the catalogue that it was handed out.

    UTF-8 with a byte order mark, which Excel needs to read accents. Cells that a spreadsheet would
    run as a formula start with an apostrophe. Raises `UsageError`, and `NoModelError` for a queue
    before the worker has looked at the labels.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no export {kind!r}: choose from {', '.join(KINDS)}")
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}: choose from {', '.join(FORMATS)}")
    with in_plain_words():
        with read(catalogue.engine) as session:
            rows = list(_ROWS[kind](session))
            last_decision_id = decisions.last_id(session)  # of the snapshot that the rows are from
        data = _csv(_COLUMNS[kind], rows)
        digest = sha256(data).hexdigest()
        name = f"{kind}-{digest[:12]}.{format}"
        with write(catalogue.engine, touches=("exports",)) as session:
            add_export(
                session,
                kind=kind,
                file_format=format,
                file_name=name,
                rows=len(rows),
                sha256=digest,
                last_decision_id=last_decision_id,
                created_by=created_by,
                now=datetime.now(UTC),
            )
    return ExportFile(name, data, len(rows))


_COLUMNS = {
    "queue": (
        *("sku", "label", "suggestion", "score", "confidence", "agreement", "label_given"),
        *("review_state", "title", "image", "image_sha256", "evidence"),
    ),
    "decisions": (
        *("sku", "label", "suggestion", "score", "action", "label_before", "label_given"),
        *("reviewer", "decided_at", "note", "undone", "image_sha256", "decision_id"),
    ),
    "products": (
        *("sku", "label", "suggestion", "score", "label_given", "review_state", "title"),
        *("image", "image_sha256", "attributes"),
    ),
}


def _queue(session: Session) -> Iterator[Row]:
    model = models.active(session)
    if model is None or not scores.is_assessed(session, model.id):
        raise NoModelError(
            "nobody has looked for wrong labels yet: run python -m catalog_ai.worker first"
        )
    rows = review_queries.page(session, model.id, "wrong", None, offset=0, limit=None)
    around = evidence.look_alikes(session, rows)
    for row in rows:
        score, seen = row.score, evidence.labels_around(row.score, around)
        yield _product(row) | {
            "confidence": _number(score.confidence if score else None),
            "agreement": _number(score.agreement if score else None),
            "evidence": evidence.sentence(row.product, score, seen, "wrong", None),
        }


def _products(session: Session) -> Iterator[Row]:
    model = models.active(session)
    for row in review_queries.many(session, model.id if model else 0):
        attributes = json.dumps(row.product.attributes, ensure_ascii=False, sort_keys=True)
        yield _product(row) | {"attributes": attributes}


def _decisions(session: Session) -> Iterator[Row]:
    rows = decisions.latest(session, limit=None)
    known = products.by_ids(session, [row.product_id for row in rows])
    for row in rows:
        yield {
            "sku": known[row.product_id].sku,
            "label": row.label_after,
            "suggestion": row.suggestion,
            "score": _number(row.score),
            "action": row.action,
            "label_before": row.label_before,
            "label_given": row.label_given,
            "reviewer": row.reviewer,
            "decided_at": row.decided_at.isoformat(),
            "note": row.note,
            "undone": "yes" if row.undone else "no",
            "image_sha256": row.image_sha256,
            "decision_id": row.id,
        }


_ROWS = {"queue": _queue, "decisions": _decisions, "products": _products}


def _product(row: review_queries.ReviewRow) -> Row:
    product, score = row.product, row.score
    return {
        "sku": product.sku,
        "label": product.label_current,
        "suggestion": score.suggestion if score else None,
        "score": _number(score.score if score else None),
        "label_given": product.label_given,
        "review_state": product.review_state,
        "title": product.title,
        "image": product.image_path,
        "image_sha256": product.image_sha256,
    }


def _csv(columns: tuple[str, ...], rows: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _harmless(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula; numbers of ours stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return "" if value is None else value


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
