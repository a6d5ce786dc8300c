"""How long others wait while somebody decides about very many products at once.

    python -m benchmarks.batches [--products 100000] [--server]

Fills a catalogue with made-up products, each with a label, a suggestion and a score, and decides
about all of them at once: accept what is suggested, undo that, give all of them one label, rename
it, undo that. Prints for each the seconds in all, those on the processor, those in which nobody
else could write, and the longest that a second process waited for a decision of its own, which it
makes again and again meanwhile, about a product that is left out. `--server` does the same on a
PostgreSQL that it starts, set up like that of the tests: it does not wait for the disk.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from benchmarks.databases import made_up
from benchmarks.photos import CLASSES
from catalog_ai.config import Settings
from catalog_ai.services import batching, renaming, review
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.deciding import decide
from catalog_ai.services.review import Filter
from db.engine import write
from db.schema import Assessment, LabelScore, ModelVersion, Product
from db.vectors import to_blob

ALL = Filter("all")
ASIDE = 1  # the product that the second process decides about
NEIGHBOURS = 15
LIMIT = 5  # seconds in which nobody else can write: the goal
_AT_ONCE = 10_000
Labelled = Sequence[tuple[int, str]]  # number and label of products
_PAUSE = 0.05  # seconds between two decisions of the second process


def fill(catalogue: Catalogue, count: int) -> None:
    """Store `count` products with what an assessment would say of them; one in four looks wrong."""
    rng, now = np.random.default_rng(0), datetime.now(UTC)
    with write(catalogue.engine, touches=("products", "labels", "scores")) as session:
        model = ModelVersion(
            version="made-up", recipe="none", classes=list(CLASSES), dimension=64, is_active=True,
            meta={}, created_at=now,
        )  # fmt: skip
        session.add(model)
        session.flush()
        assessment = Assessment(
            model_version_id=model.id, classes=list(CLASSES), products=count, flagged=count // 4,
            created_at=now,
        )  # fmt: skip
        session.add(assessment)
        session.flush()
        for start in range(0, count, _AT_ONCE):
            numbers = range(start + 1, min(start + _AT_ONCE, count) + 1)
            labels = rng.choice(CLASSES, len(numbers)).tolist()
            products = list(zip(numbers, labels, strict=True))
            session.execute(insert(Product), list(_products(products, now)))
            session.execute(insert(LabelScore), list(_scores(products, assessment, rng)))


def _products(products: Labelled, now: datetime) -> Iterator[dict[str, Any]]:
    for number, label in products:
        yield {
            "id": number, "sku": f"SKU-{number:07}", "label_given": label, "label_current": label,
            "image_path": f"{number}.jpg", "image_sha256": f"{number:064x}", "stored_image": "",
            "thumbnail": "", "created_at": now, "updated_at": now,
        }  # fmt: skip


def _scores(
    products: Labelled, assessment: Assessment, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    shares = to_blob(np.full(len(CLASSES), 1 / len(CLASSES), np.float32))
    for number, label in products:
        wrong = bool(rng.random() < 0.25)
        yield {
            "product_id": number, "model_version_id": assessment.model_version_id,
            "assessment_id": assessment.id, "image_sha256": f"{number:064x}", "label": label,
            "known_label": True, "probabilities": shares,
            "suggestion": CLASSES[rng.integers(len(CLASSES))] if wrong else label,
            "confidence": 0.9, "score": float(rng.random()), "looks_wrong": wrong,
            "neighbours": rng.integers(1, assessment.products + 1, NEIGHBOURS).tolist(),
            "agreement": 0.5,
        }  # fmt: skip


class Held:
    """How long the longest transaction of this process kept all others from writing."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.seconds = 0.0
        self._since: float | None = None
        event.listen(catalogue.engine, "begin", self._begun)
        event.listen(Session, "after_commit", self._ended)

    def _begun(self, connection: Any) -> None:
        """After the engine's own listener, which waits for the others."""
        if connection.get_execution_options().get("writes", False):
            self._since = perf_counter()

    def _ended(self, _: Session) -> None:
        if self._since is not None:
            self.seconds = max(self.seconds, perf_counter() - self._since)
            self._since = None


@contextmanager
def deciding_beside(made_of: Settings) -> Iterator[Callable[[], float]]:
    """Decide in a second process; what comes back ends that, and says how long one waited."""
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    other = processes.Process(target=_decide_beside, args=(made_of, theirs))
    other.start()
    ours.recv()

    def longest() -> float:
        ours.send("enough")
        waited: float = ours.recv()
        other.join()
        return waited

    try:
        yield longest
    finally:
        other.terminate()  # ended already where all went well


def _decide_beside(made_of: Settings, parent: Connection) -> None:
    catalogue, waited, number = open_catalogue(made_of), 0.0, 0
    parent.send("ready")
    while not parent.poll(_PAUSE):
        item = review.product_item(catalogue, ASIDE)
        assert item is not None
        start = perf_counter()
        decide(
            *(catalogue, ASIDE, "keep"),
            reviewer="Ben",
            request_key=f"{os.getpid()}-{number}",
            seen_version=item.version,
            seen_sha256=item.image_sha256,
        )
        waited, number = max(waited, perf_counter() - start), number + 1
    parent.send(waited)
    catalogue.engine.dispose()


def measure(catalogue: Catalogue) -> None:
    """Do all of it, and print a line for each."""
    to, key = "Everything", iter(map(str, range(10))).__next__
    made: dict[str, int] = {}

    def change(action: str, label: str | None = None) -> Callable[[], int]:
        shown = batching.preview(catalogue, ALL, action, label, without={ASIDE})

        def go() -> int:
            done = batching.decide_all(
                *(catalogue, ALL, action, label),
                without={ASIDE},
                shown=shown,
                reviewer="Ana",
                request_key=key(),
            )
            made["last"] = done.batch_id or 0
            return done.products

        return go

    def undo() -> int:
        done = batching.undo_batch(catalogue, made["last"], reviewer="Ana", request_key=key())
        return done.products

    def rename() -> int:
        done = renaming.rename(catalogue, [label], to, reviewer="Ana", request_key=key())
        made["last"] = done.batch_id
        return done.products

    aside = review.product_item(catalogue, ASIDE)
    assert aside is not None
    label = next(name for name in CLASSES if name != aside.label)
    held = Held(catalogue)
    print(f"{'':24}{'in all':>9}{'processor':>11}{'held':>9}{'a decision waited':>19}")
    _line(catalogue, held, "accept the suggestions", change("accept"))
    _line(catalogue, held, "undo of that", undo)
    _line(catalogue, held, "give all one label", change("relabel", label))
    _line(catalogue, held, "rename that label", rename)
    _line(catalogue, held, "undo of that", undo)


def _line(catalogue: Catalogue, held: Held, name: str, act: Callable[[], int]) -> None:
    with deciding_beside(catalogue.settings) as longest:
        sleep(2 * _PAUSE)
        held.seconds, start, spent = 0.0, perf_counter(), process_time()
        count = act()
        taken, spent = perf_counter() - start, process_time() - spent
        waited = longest()
    late = "" if held.seconds <= LIMIT else f"  over the goal of {LIMIT} s"
    numbers = f"{taken:>7.1f} s{spent:>9.1f} s{held.seconds:>7.1f} s{waited:>17.1f} s"
    print(f"{name:24}{numbers}{late}   {count:,} products", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    with made_up(__doc__, arguments, fill) as catalogue:
        measure(catalogue)


if __name__ == "__main__":
    main()
