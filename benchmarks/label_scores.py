"""How long it takes to judge every label of a large catalogue, database included.

    python -m benchmarks.label_scores [--products 100000] [--features]

Fills a catalogue with made-up products: vectors around one direction for each of seven categories,
one label in twenty wrong. Prints the seconds of `services.assessing.assess`, the part of them that
only reads and writes, and how well the wrong labels are found; then the same once 200 of the wrong
labels are put right, and how many products were written again. `--features` gives each product
2,272 numbers besides, as `imagenet` does.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select

from benchmarks.photos import CLASSES
from benchmarks.planting import average_precision
from catalog_ai.config import settings
from catalog_ai.curation import label_issues
from catalog_ai.services import assessing
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from db.engine import read, write
from db.schema import Embedding, Features, LabelScore, ModelVersion, Product
from db.vectors import halves, to_blob

DIMENSION, FEATURES = 64, 2_272
WRONG = 0.05
DECIDED = 200
_AT_ONCE = 5_000


def fill(catalogue: Catalogue, count: int, *, features: bool) -> NDArray[np.bool_]:
    """Store `count` products; return which labels are wrong, by id."""
    rng = np.random.default_rng(0)
    truly = rng.integers(len(CLASSES), size=count)
    wrong = rng.random(count) < WRONG
    given = np.where(wrong, (truly + rng.integers(1, len(CLASSES), count)) % len(CLASSES), truly)
    centres = rng.standard_normal((len(CLASSES), DIMENSION), dtype=np.float32)
    spread = rng.standard_normal((DIMENSION, FEATURES), dtype=np.float32) if features else None
    with write(catalogue.engine) as session:
        model = ModelVersion(
            version="made-up", recipe="none", classes=[], dimension=DIMENSION, is_active=True,
            meta={}, created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(model)
        session.flush()
        for start in range(0, count, _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, count))
            drawn = 1.3 * rng.standard_normal((len(rows), DIMENSION), dtype=np.float32)
            vectors = centres[truly[rows]] + drawn
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            session.execute(insert(Product), list(_products(rows, given)))
            session.execute(insert(Embedding), list(_embeddings(rows, vectors, model.id)))
            if spread is not None:
                session.execute(insert(Features), list(_features(rows, vectors @ spread, model.id)))
    return wrong


def _products(rows: NDArray[np.int64], given: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for row in rows.tolist():
        label = CLASSES[given[row]]
        yield {
            "id": row + 1, "sku": f"SKU-{row:07}", "label_given": label, "label_current": label,
            "image_path": f"{row}.jpg", "image_sha256": f"{row:064x}", "stored_image": "",
            "thumbnail": "", "created_at": now, "updated_at": now,
        }  # fmt: skip


def _keys(row: int, model_id: int) -> dict[str, Any]:
    return {"product_id": row + 1, "model_version_id": model_id, "image_sha256": f"{row:064x}"}


def _embeddings(
    rows: NDArray[np.int64], vectors: NDArray[np.float32], model_id: int
) -> Iterator[dict[str, Any]]:
    for row, vector in zip(rows.tolist(), vectors, strict=True):
        yield _keys(row, model_id) | {"dimension": DIMENSION, "vector": to_blob(vector)}


def _features(
    rows: NDArray[np.int64], numbers: NDArray[np.float32], model_id: int
) -> Iterator[dict[str, Any]]:
    for row, own in zip(rows.tolist(), numbers.astype(np.float16), strict=True):
        yield _keys(row, model_id) | {"numbers": halves(own)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--features", action="store_true", help="2,272 numbers a product besides")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home:
        catalogue = open_catalogue(settings(home=Path(home)))
        wrong = fill(catalogue, options.products, features=options.features)
        judging = _timed(label_issues.assess_labels)
        assessing.assess_labels = judging  # type: ignore[attr-defined]
        first = _assess(catalogue, judging)
        score = _scores(catalogue)
        put_right(catalogue, np.flatnonzero(wrong)[:DECIDED])
        comparing = _timed(assessing.unchanged)
        assessing.unchanged = comparing  # type: ignore[attr-defined]
        second = _assess(catalogue, judging)
        written = options.products - len(comparing.result.product_ids)
        catalogue.engine.dispose()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.products:,} products judged in {first} (goal at 100,000: < 60); "
        f"{held:,.0f} MiB at most; average precision {average_precision(score, wrong):.3f}\n"
        f"again after {DECIDED} decisions in {second}; {written:,} products written"
    )


def put_right(catalogue: Catalogue, rows: NDArray[np.int64]) -> None:
    """Give products with wrong labels another one, as a reviewer would."""
    with write(catalogue.engine) as session:
        for row in rows.tolist():
            product = session.get_one(Product, row + 1)
            score = session.scalars(select(LabelScore).filter_by(product_id=row + 1)).one()
            product.label_current, product.review_state = score.suggestion, "changed"


def _assess(catalogue: Catalogue, judging: "_timed") -> str:
    judging.seconds = 0.0
    start = perf_counter()
    assessing.assess(catalogue)
    seconds = perf_counter() - start
    return f"{seconds:.1f} s, {judging.seconds:.1f} s of them for labels"


def _scores(catalogue: Catalogue) -> NDArray[np.float64]:
    with read(catalogue.engine) as session:
        query = select(LabelScore.score).order_by(LabelScore.product_id)
        return np.array(session.scalars(query).all(), np.float64)


class _timed:  # noqa: N801 - used as a function
    """A function that remembers how long it took, and what it last said."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.seconds = 0.0
        self.result: Any = None

    def __call__(self, *args: Any, **options: Any) -> Any:
        start = perf_counter()
        self.result = self._function(*args, **options)
        self.seconds += perf_counter() - start
        return self.result


if __name__ == "__main__":
    main()
