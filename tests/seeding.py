"""A catalogue for tests, written straight through `db`: rich, quick, the same every time.

`seed_catalogue` needs no model and no torch: its vectors are drawn around one centre per category,
so that neighbours, suggestions and the map agree with each other as they would after a real run.
Rows are written as plain values, table by table: through the ORM it takes thrice as long.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db import engine as database
from db.schema import (
    Assessment,
    Base,
    Decision,
    Embedding,
    Features,
    LabelScore,
    ModelVersion,
    Prediction,
    Product,
    Projection,
    ProjectionPoint,
    Run,
    RunItem,
)
from db.vectors import halves, to_blob
from tests.drawing import UNKNOWN_LABELS, Drawn, drawn
from tests.fakes import CLASSES, DIMENSION, fake_model, model_meta, photo_bytes

if TYPE_CHECKING:
    from catalog_ai.services.catalogue import Catalogue

COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b", "#5a4a7a", "#3b8c86", "#b06a4a")
FOLDERS = ("images", "thumbnails")  # of photos, in a catalogue's home
_Row = dict[str, Any]


@dataclass(frozen=True)
class Seeded:
    """What `seed_catalogue` wrote. Ids are in the order in which the review queue shows them."""

    product_ids: tuple[int, ...]
    wrong_ids: tuple[int, ...]  # look wrong, the most suspicious first
    second_look_id: int
    unknown_ids: tuple[int, ...]  # labelled "Polo" and "Not sure"
    model_id: int
    version: str
    run_id: int
    assessment_id: int
    projection_id: int
    decision_id: int  # the one that the feed has overtaken since


def seed_catalogue(
    catalogue: "Catalogue",
    n: int = 24,
    *,
    flagged: int = 6,
    long_names: bool = False,
    version: str = "2026-11-20-small",
    weights: bool = False,
) -> Seeded:
    """Fill an empty catalogue with `n` products, the first `flagged` of which look wrong.

    Then follow one that the feed changed after a decision (second look) and two whose labels are
    no category; the rest is right. With `weights` the model can be loaded too (slower: torch).
    """
    assert n >= flagged + 1 + len(UNKNOWN_LABELS), "too few products for one of every kind"
    if weights:
        fake_model(catalogue.settings.models, version)
    now = datetime.now(UTC).replace(microsecond=0)
    with database.write(
        catalogue.engine,
        touches=("products", "labels", "scores", "embeddings", "models", "runs", "projections"),
    ) as session:
        run, model = _run(now, n), _model(now, version)
        session.add_all([run, model])
        session.flush()
        run.model_version_id = model.id
        draw = drawn(n, flagged)
        products = _add_products(session, catalogue, draw, run, long_names)
        decision = _overtaken_decision(products[flagged], now)
        session.add(decision)
        _insert(session, RunItem, _run_items(run, products))
        _add_outputs(session, draw, products, model)
        assessment = _add_scores(session, draw, products, model, now)
        projection = _add_map(session, draw, products, model, now)
        session.flush()
        ids = tuple(product["id"] for product in products)
        return Seeded(
            product_ids=ids,
            wrong_ids=ids[:flagged],
            second_look_id=ids[flagged],
            unknown_ids=ids[flagged + 1 : flagged + 3],
            model_id=model.id,
            version=version,
            run_id=run.id,
            assessment_id=assessment.id,
            projection_id=projection.id,
            decision_id=decision.id,
        )


def _run(now: datetime, n: int) -> Run:
    return Run(
        source="/deliveries/tonight",
        state="done",
        seen=n + 2,
        added=n,
        quarantined=2,
        missing=1,
        unlisted=1,
        second_look=1,
        seconds=1.6,
        images_per_second=n / 1.6,
        started_at=now - timedelta(hours=26, seconds=2),
        finished_at=now - timedelta(hours=26),
    )


def _model(now: datetime, version: str) -> ModelVersion:
    return ModelVersion(
        version=version,
        recipe="small",
        classes=list(CLASSES),
        dimension=DIMENSION,
        meta=model_meta(version),
        is_active=True,
        created_at=now - timedelta(days=3),
    )


def _insert(session: Session, table: type[Base], rows: Sequence[_Row]) -> None:
    session.execute(insert(table.__table__), rows)


def _add_products(
    session: Session, catalogue: "Catalogue", draw: Drawn, run: Run, long_names: bool
) -> list[_Row]:
    """Write products with their photos, and return their rows with the ids that they got."""
    rows = [_product(catalogue, draw, row, run, long_names) for row in range(len(draw.true))]
    _insert(session, Product, rows)
    ids = session.scalars(
        select(Product.id).where(Product.added_run_id == run.id).order_by(Product.id)
    )
    return [{**row, "id": number} for row, number in zip(rows, ids, strict=True)]


def _product(catalogue: "Catalogue", draw: Drawn, row: int, run: Run, long_names: bool) -> _Row:
    data, sha256 = _photo(COLOURS[draw.true[row]], (60 + row % 7, 80 + row // 7))
    image, thumbnail = (f"{folder}/{sha256[:2]}/{sha256}.jpg" for folder in FOLDERS)
    for path in (image, thumbnail):
        target = catalogue.settings.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    tail = (
        " with a hand-finished hem, three pockets and a detachable belt" * 2 if long_names else ""
    )
    second_look = row == draw.flagged
    return {
        "sku": f"AB-{row + 1:03d}" + ("-LONG-ARTICLE-NUMBER-2026" if long_names else ""),
        "title": f"Linen {CLASSES[draw.true[row]]} no. {row + 1}{tail}",
        "label_given": draw.labels[row],
        "label_current": draw.labels[row],
        "image_path": f"images/AB-{row + 1:03d}.jpg",
        "image_sha256": sha256,
        "stored_image": image,
        "thumbnail": thumbnail,
        "attributes": {"season": "summer", "price": f"{20 + row}.90"},
        "review_state": "second_look" if second_look else "open",
        "version": 3 if second_look else 1,
        "added_run_id": run.id,
        "changed_run_id": run.id,
        "created_at": run.finished_at,
        "updated_at": run.finished_at,
    }


@lru_cache(maxsize=500)
def _photo(colour: str, size: tuple[int, int]) -> tuple[bytes, str]:
    """Return a photo and its checksum; encoded once, however many catalogues hold it."""
    data = photo_bytes(colour, size)
    return data, hashlib.sha256(data).hexdigest()


def _overtaken_decision(product: _Row, now: datetime) -> Decision:
    """Somebody set the label two days ago; the feed has delivered another one since."""
    number = CLASSES.index(product["label_current"])
    given, decided = CLASSES[number - 1], CLASSES[number - 2]
    return Decision(
        product_id=product["id"],
        action="relabel",
        label_given=given,
        label_before=given,
        label_after=decided,
        state_before="open",
        state_after="changed",
        suggestion=decided,
        score=0.9,
        image_sha256=product["image_sha256"],
        reviewer="Ana",
        request_key="seeded-decision",
        decided_at=now - timedelta(days=2),
    )


def _run_items(run: Run, products: Sequence[_Row]) -> list[_Row]:
    nothing = {"run_id": run.id, "product_id": None, "code": "", "reason": ""}
    added = [
        {
            **nothing,
            "product_id": product["id"],
            "sku": product["sku"],
            "image": product["image_path"],
            "outcome": "added",
        }
        for product in products
    ]
    troubles = [
        ("quarantined", "ZZ-1", "damaged", "the photo is incomplete or damaged: deliver it again"),
        ("quarantined", "ZZ-2", "too_small", "the photo is only 8×8 pixels: at least 16"),
        ("missing", "ZZ-3", "missing", "the manifest names a photo that was not delivered"),
        ("unlisted", "ZZ-4", "unlisted", "the photo is in no row of the manifest"),
    ]
    return added + [
        {
            **nothing,
            "sku": sku,
            "image": f"images/{sku}.jpg",
            "outcome": outcome,
            "code": code,
            "reason": reason,
        }
        for outcome, sku, code, reason in troubles
    ]


def _add_outputs(
    session: Session, draw: Drawn, products: Sequence[_Row], model: ModelVersion
) -> None:
    keys = [_key(product, model) for product in products]
    _insert(
        session,
        Prediction,
        [
            {
                **key,
                "probabilities": to_blob(shares),
                "top_label": CLASSES[int(shares.argmax())],
                "confidence": float(shares.max()),
                "trained_on": row % 5 == 4,
            }
            for row, (key, shares) in enumerate(zip(keys, draw.probabilities, strict=True))
        ],
    )
    vectors = list(zip(keys, draw.vectors, strict=True))
    _insert(
        session,
        Embedding,
        [{**key, "dimension": DIMENSION, "vector": to_blob(vector)} for key, vector in vectors],
    )
    _insert(session, Features, [{**key, "numbers": halves(vector)} for key, vector in vectors])


def _key(product: _Row, model: ModelVersion) -> _Row:
    return {
        "product_id": product["id"],
        "model_version_id": model.id,
        "image_sha256": product["image_sha256"],
    }


def _add_scores(
    session: Session, draw: Drawn, products: Sequence[_Row], model: ModelVersion, now: datetime
) -> Assessment:
    assessment = Assessment(
        model_version_id=model.id,
        classes=list(CLASSES),
        products=len(products),
        flagged=draw.flagged,
        created_at=now - timedelta(hours=25),
    )
    session.add(assessment)
    session.flush()
    _insert(
        session,
        LabelScore,
        [
            {
                **_key(product, model),
                "assessment_id": assessment.id,
                "label": product["label_current"],
                "known_label": draw.known(row),
                "probabilities": to_blob(shares),
                "suggestion": CLASSES[int(shares.argmax())],
                "confidence": float(shares.max()),
                "score": draw.score(row),
                "looks_wrong": draw.looks_wrong(row),
                "neighbours": [products[other]["id"] for other in draw.neighbours[row]],
                "agreement": draw.agreement(row),
            }
            for row, (product, shares) in enumerate(zip(products, draw.probabilities, strict=True))
        ],
    )
    return assessment


def _add_map(
    session: Session, draw: Drawn, products: Sequence[_Row], model: ModelVersion, now: datetime
) -> Projection:
    projection = Projection(
        model_version_id=model.id,
        method="umap",
        parameters={"seed": 0},
        products=len(products),
        created_at=now - timedelta(hours=25),
    )
    session.add(projection)
    session.flush()
    points = [
        {"projection_id": projection.id, "product_id": product["id"], "x": float(x), "y": float(y)}
        for product, (x, y) in zip(products, draw.places, strict=True)
    ]
    _insert(session, ProjectionPoint, points)
    return projection
