"""Large catalogues to measure pages on: products drawn around real ones.

Real photos are taken in (from `CATALOG_TEST_PHOTOS`, else the generated sample), then repeated:
each product drawn around a real one has its photo and thumbnail, but a sum of its own, since no two
are alike to a server; a vector beside its vector, and label, prediction and score of its like.
Three in a hundred look wrong, five in a hundred are decided.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from catalog_ai.config import settings
from catalog_ai.data.sample import write_sample
from catalog_ai.services import assessing
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.ingest import ingest
from catalog_ai.services.shipped import ensure_model
from db.engine import is_file, write
from db.schema import (
    Decision,
    Embedding,
    LabelScore,
    Prediction,
    Product,
    Projection,
    ProjectionPoint,
)

PHOTOS = 400  # that are taken in; all others are drawn around them
WRONG, DECIDED = 0.03, 0.05
_AT_ONCE = 10_000

Real = tuple[Product, LabelScore, Prediction, Embedding]
Rows = list[tuple[int, Real]]  # the number of a product to draw, and what it is drawn around


def real(home: Path) -> Catalogue:
    """Return a catalogue of real photos in `home`, all their labels judged."""
    catalogue = open_catalogue(settings(home=home))
    ensure_model(catalogue, "small")
    ingest(catalogue, photos(home), model="small")
    assessing.assess(catalogue)
    return catalogue


def fill(catalogue: Catalogue, count: int) -> None:
    """Draw products around those that the catalogue holds, up to `count`."""
    rng = np.random.default_rng(0)
    with write(catalogue.engine, touches=("products", "labels", "scores", "embeddings")) as session:
        real = _real(session)
        first = max(product.id for product, *_ in real) + 1
        made = np.arange(first, first + max(0, count - len(real)))
        projection = _map(session, real[0][1].model_version_id, count)
        with _index_of_vectors_afterwards(session):
            for start in range(0, len(made), _AT_ONCE):
                ids = made[start : start + _AT_ONCE]
                like = [real[row] for row in rng.integers(len(real), size=len(ids))]
                near = rng.integers(1, first, size=(len(ids), 15))
                _add(session, list(zip(ids.tolist(), like, strict=True)), near, projection, rng)
    _counted(catalogue)


def _add(
    session: Session,
    rows: Rows,
    near: NDArray[np.int64],
    projection: int,
    rng: np.random.Generator,
) -> None:
    wrong = rng.random(len(rows)) < WRONG
    decided = ~wrong & (rng.random(len(rows)) < DECIDED)
    score = np.where(wrong, rng.uniform(0.25, 1, len(rows)), rng.uniform(0, 0.2, len(rows)))
    session.execute(insert(Product), list(_products(rows, wrong, decided)))
    session.execute(insert(Embedding), list(_vectors(rows, rng)))
    session.execute(insert(Prediction), list(_predictions(rows)))
    session.execute(insert(LabelScore), list(_scores(rows, wrong, score, near)))
    kept = [row for row, done in zip(rows, decided, strict=True) if done]
    session.execute(insert(Decision), list(_decisions(kept)))
    places = rng.normal(size=(len(rows), 2)).tolist()
    points = [
        {"projection_id": projection, "product_id": number, "x": x, "y": y}
        for (number, _), (x, y) in zip(rows, places, strict=True)
    ]
    session.execute(insert(ProjectionPoint), points)


@contextmanager
def _index_of_vectors_afterwards(session: Session) -> Iterator[None]:
    """Build a server's index of vectors once all are there: with each of them it takes far longer.

    It is made again as it was, whatever the migrations say of it.
    """
    index = "SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_embeddings_vector'"
    on_a_server = session.get_bind().dialect.name == "postgresql"
    definition = session.scalar(text(index)) if on_a_server else None
    if definition is not None:
        session.execute(text("DROP INDEX ix_embeddings_vector"))
    yield
    if definition is not None:
        session.execute(text("SET LOCAL maintenance_work_mem = '1GB'"))  # its links fit there
        session.execute(text(definition))


def _counted(catalogue: Catalogue) -> None:
    """Let a server count and clean up at once what it looks after a minute later by itself."""
    if not is_file(catalogue.engine):
        with catalogue.engine.connect() as connection:
            by_itself = connection.execution_options(isolation_level="AUTOCOMMIT")
            by_itself.execute(text("VACUUM ANALYZE"))


def _real(session: Session) -> list[Real]:
    query = (
        select(Product, LabelScore, Prediction, Embedding)
        .join(LabelScore, LabelScore.product_id == Product.id)
        .join(Prediction, Prediction.product_id == Product.id)
        .join(Embedding, Embedding.product_id == Product.id)
        .where(Product.label_current.is_not(None), LabelScore.known_label)
    )
    return [tuple(found) for found in session.execute(query)]


def _map(session: Session, model_version_id: int, count: int) -> int:
    drawn = Projection(
        model_version_id=model_version_id, method="umap", parameters={}, products=count,
        created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(drawn)
    session.flush()
    return drawn.id


def _products(
    rows: Rows, wrong: NDArray[np.bool_], decided: NDArray[np.bool_]
) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for (number, (product, score, *_)), odd, done in zip(rows, wrong, decided, strict=True):
        label = _other(score) if odd else product.label_current
        yield {
            "id": number, "sku": f"SKU-{number:08}", "title": f"No. {number} {product.title}",
            "label_given": label, "label_current": label, "image_path": product.image_path,
            "image_sha256": _sha256(number), "stored_image": product.stored_image,
            "thumbnail": product.thumbnail, "review_state": "kept" if done else "open",
            "attributes": {"brand": f"Brand {number % 40}", "price": f"{number % 200}.90"},
            "added_run_id": product.added_run_id, "changed_run_id": product.changed_run_id,
            "created_at": now, "updated_at": now,
        }  # fmt: skip


def _other(score: LabelScore) -> str:
    """Return a category that the suggestion is not."""
    return "dress" if score.suggestion != "dress" else "skirt"


def _sha256(number: int) -> str:
    """Return a photo's sum for each product: few that many share would mislead a planner."""
    return f"{number:064x}"


def _keys(number: int, model_version_id: int) -> dict[str, Any]:
    return {
        "product_id": number,
        "model_version_id": model_version_id,
        "image_sha256": _sha256(number),
    }


def _vectors(rows: Rows, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    vectors = np.stack([np.frombuffer(embedding.vector, "<f4") for _, (*_, embedding) in rows])
    vectors = vectors + 0.05 * rng.standard_normal(vectors.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
    for (number, (*_, embedding)), vector in zip(rows, vectors, strict=True):
        yield _keys(number, embedding.model_version_id) | {
            "dimension": embedding.dimension,
            "vector": vector.tobytes(),
        }


def _predictions(rows: Rows) -> Iterator[dict[str, Any]]:
    for number, (_, _, said, _) in rows:
        yield _keys(number, said.model_version_id) | {
            "probabilities": said.probabilities,
            "top_label": said.top_label,
            "confidence": said.confidence,
            "trained_on": False,
        }


def _scores(
    rows: Rows, wrong: NDArray[np.bool_], score: NDArray[np.float64], near: NDArray[np.int64]
) -> Iterator[dict[str, Any]]:
    for (number, (product, like, *_)), odd, chance, around in zip(
        rows, wrong.tolist(), score.tolist(), near.tolist(), strict=True
    ):
        yield _keys(number, like.model_version_id) | {
            "assessment_id": like.assessment_id,
            "label": _other(like) if odd else product.label_current,
            "known_label": True, "probabilities": like.probabilities,
            "suggestion": like.suggestion, "confidence": like.confidence, "score": chance,
            "looks_wrong": odd, "neighbours": around, "agreement": like.agreement,
        }  # fmt: skip


def _decisions(rows: Rows) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for number, (product, score, *_) in rows:
        yield {
            "product_id": number, "action": "keep", "label_given": product.label_current,
            "label_before": product.label_current, "label_after": product.label_current,
            "state_before": "open", "state_after": "kept", "suggestion": score.suggestion,
            "score": score.score, "image_sha256": _sha256(number),
            "model_version_id": score.model_version_id, "reviewer": ("Ana", "Ben")[number % 2],
            "note": "", "request_key": f"made-{number}",
            "decided_at": now - timedelta(minutes=number % 40_000),
        }  # fmt: skip


def photos(home: Path) -> Path:
    """Return a folder with photos in category folders."""
    given = os.environ.get("CATALOG_TEST_PHOTOS")
    if given:
        return Path(given) / "clothing-dataset-small" / "validation"
    return write_sample(home / "sample", count=PHOTOS)
