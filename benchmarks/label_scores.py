"""How long it takes to judge every label of a large catalogue, database included.

    python -m benchmarks.label_scores [--products 100000] [--features]

Fills a catalogue with made-up products: vectors around one direction for each of seven categories,
one label in twenty wrong. Prints the seconds of `services.assessing.assess` and how well the wrong
labels are found; then the same again after nothing, once 200 of the wrong labels are put right, and
with 300 new products, each beside the whole computation on the same catalogue, and of how many
products that says anything else. `--features` gives each product 2,272 numbers besides, as
`imagenet` does.
"""

import argparse
import resource
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from benchmarks.photos import CLASSES
from benchmarks.planting import average_precision
from catalog_ai.config import settings
from catalog_ai.services import assessing
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from db.commands.score_table import unchanged
from db.engine import read, write
from db.schema import Embedding, Features, LabelScore, ModelVersion, Product
from db.vectors import halves, to_blob

DIMENSION, FEATURES = 64, 2_272
WRONG = 0.05
DECIDED, NEW = 200, 300
VERSION = "made-up"
_AT_ONCE = 5_000


def fill(catalogue: Catalogue, count: int, *, features: bool, first: int = 0) -> NDArray[np.bool_]:
    """Store `count` products beyond the `first`; return which labels are wrong, by id."""
    shape, rng = np.random.default_rng(0), np.random.default_rng(first + 1)
    truly = rng.integers(len(CLASSES), size=count)
    wrong = rng.random(count) < WRONG
    given = np.where(wrong, (truly + rng.integers(1, len(CLASSES), count)) % len(CLASSES), truly)
    centres = shape.standard_normal((len(CLASSES), DIMENSION), dtype=np.float32)
    spread = shape.standard_normal((DIMENSION, FEATURES), dtype=np.float32) if features else None
    with write(catalogue.engine) as session:
        model_id = _model(session)
        for start in range(0, count, _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, count))
            drawn = 1.3 * rng.standard_normal((len(rows), DIMENSION), dtype=np.float32)
            vectors = centres[truly[rows]] + drawn
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            session.execute(insert(Product), list(_products(first + rows, given[rows])))
            session.execute(insert(Embedding), list(_embeddings(first + rows, vectors, model_id)))
            if spread is not None:
                session.execute(
                    insert(Features), list(_features(first + rows, vectors @ spread, model_id))
                )
    return wrong


def _model(session: Session) -> int:
    """Return the model of the made-up vectors, put in where it is missing."""
    there = session.scalar(select(ModelVersion.id).where(ModelVersion.version == VERSION))
    if there is not None:
        return there
    model = ModelVersion(
        version=VERSION, recipe="none", classes=[], dimension=DIMENSION, is_active=True,
        meta={}, created_at=datetime.now(UTC),
    )  # fmt: skip
    session.add(model)
    session.flush()
    return model.id


def _products(rows: NDArray[np.int64], given: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for row, number in zip(rows.tolist(), given.tolist(), strict=True):
        label = CLASSES[number]
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
        bench = _Bench(catalogue)
        print(f"{options.products:,} products judged in {bench.seconds()} (goal at 100,000: < 60)")
        print(f"average precision {average_precision(_scores(catalogue), wrong):.3f}")
        bench.again("nothing")
        put_right(catalogue, np.flatnonzero(wrong)[:DECIDED])
        bench.again(f"{DECIDED} decisions")
        fill(catalogue, NEW, features=options.features, first=options.products)
        bench.again(f"{NEW} new products")
        catalogue.engine.dispose()
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{held:,.0f} MiB at most")


class _Bench:
    """Judges a catalogue again and again, with what was kept and without."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._comparing = _Listening(unchanged)
        assessing.unchanged = self._comparing  # type: ignore[assignment,attr-defined]

    def again(self, what: str) -> None:
        """Print how long it takes after something changed, and how long from the beginning."""
        quick, written = self.seconds(), self._written()
        assessing.remembered_at(self._catalogue, VERSION).unlink()
        whole = self.seconds()
        print(
            f"again after {what}: {quick}, {written:,} products written; whole: {whole}, "
            f"{self._written():,} products differ"
        )

    def seconds(self) -> str:
        """Judge all labels; return the seconds, and those of all processor cores together."""
        start, worked = perf_counter(), process_time()
        assessing.assess(self._catalogue)
        return f"{perf_counter() - start:.1f} s ({process_time() - worked:.1f} s of processors)"

    def _written(self) -> int:
        table, known = self._comparing.arguments[-1], self._comparing.result
        return len(table.product_id) - len(known.product_ids)


def put_right(catalogue: Catalogue, rows: NDArray[np.int64]) -> None:
    """Give products with wrong labels another one, as a reviewer would."""
    with write(catalogue.engine) as session:
        for row in rows.tolist():
            product = session.get_one(Product, row + 1)
            score = session.scalars(select(LabelScore).filter_by(product_id=row + 1)).one()
            product.label_current, product.review_state = score.suggestion, "changed"


def _scores(catalogue: Catalogue) -> NDArray[np.float64]:
    with read(catalogue.engine) as session:
        query = select(LabelScore.score).order_by(LabelScore.product_id)
        return np.array(session.scalars(query).all(), np.float64)


class _Listening:
    """A function that remembers what it was last asked and said."""

    def __init__(self, function: Any) -> None:
        self._function = function
        self.arguments: tuple[Any, ...] = ()
        self.result: Any = None

    def __call__(self, *arguments: Any) -> Any:
        self.arguments = arguments
        self.result = self._function(*arguments)
        return self.result


if __name__ == "__main__":
    main()
