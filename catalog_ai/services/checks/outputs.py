"""What models said of photos, as it is stored: sizes of all rows in SQL, numbers of a sample."""

from collections.abc import Iterator

import numpy as np

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checks.finding import Finding, Tally, ok, problem
from db.engine import read
from db.queries import health, models
from db.queries.health import VectorRange
from db.vectors import matrix

SAMPLE = 2048  # vectors of one model version that are looked at without --deep
_BLOCK = 128
_TOLERANCE = 1e-3  # of a vector's length, which is 1
_AGAIN = "ask the worker to look at all photos again: activate the model on the page Models"


def vector_sizes(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every vector has as many numbers as its model version says."""
    with read(catalogue.engine) as session:
        wrong = health.misshapen_vectors(session)
        count = sum(found.count for found in health.vector_ranges(session))
    if wrong.count:
        return problem(
            f"{wrong.count:,} of {count:,} vectors have another size than their model's",
            _AGAIN,
            wrong.examples,
        )
    return ok(f"{count:,} vectors have the size of their model's")


def vector_numbers(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether vectors are finite and of length 1: with `deep` all, else a sample."""
    with read(catalogue.engine) as session:
        ranges = health.vector_ranges(session)
    looked, wrong = 0, Tally()
    for versions in ranges:
        for page in _pages(catalogue, versions, deep):
            fitting = [row for row in page if len(row[1]) == 4 * versions.dimension]
            looked += len(fitting)
            for product_id in _not_unit(fitting, versions.dimension):
                wrong.add(f"product {product_id} under {versions.version}")
    total = sum(versions.count for versions in ranges)
    of_all = f"{looked:,} vectors" if looked >= total else f"{looked:,} of {total:,} vectors"
    if wrong.count:
        return problem(
            f"{wrong.count:,} of {looked:,} vectors looked at are not finite, or not of length 1",
            _AGAIN,
            wrong.examples,
        )
    return ok(f"{of_all} looked at: finite, and of length 1")


def predictions(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every prediction holds one probability per class of its model."""
    with read(catalogue.engine) as session:
        rows = models.all_versions(session)
        count = sum(models.prediction_counts(session).values())
        found = [health.misshapen_predictions(session, row.id, len(row.classes)) for row in rows]
    wrong = sum(one.count for one in found)
    if wrong:
        examples = [example for one in found for example in one.examples]
        return problem(
            f"{wrong:,} of {count:,} predictions do not fit their model's categories",
            _AGAIN,
            examples,
        )
    return ok(f"{count:,} predictions fit their models' categories")


def _pages(
    catalogue: Catalogue, versions: VectorRange, deep: bool
) -> Iterator[list[tuple[int, bytes]]]:
    """Yield (product id, blob) in blocks: all of them, or blocks spread evenly over the ids."""
    blocks = -(-SAMPLE // _BLOCK)
    whole = deep or versions.count <= SAMPLE
    last, number = versions.first_id - 1, 0
    while whole or number < blocks:
        if not whole:
            spread = (versions.last_id - versions.first_id) * number // blocks
            last = max(last, versions.first_id - 1 + spread)
        with read(catalogue.engine) as session:
            page = health.vectors_after(session, versions.model_version_id, last, _BLOCK)
        if not page:
            return
        yield page
        last, number = page[-1][0], number + 1


def _not_unit(rows: list[tuple[int, bytes]], dimension: int) -> list[int]:
    vectors = matrix([blob for _, blob in rows], dimension).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1)
    good = np.abs(lengths - 1) <= _TOLERANCE  # false for NaN and infinity too
    return [product_id for (product_id, _), fine in zip(rows, good, strict=True) if not fine]
