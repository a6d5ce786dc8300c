"""The nightly ingest: new photos in, classified and embedded, a batch at a time.

A run that was killed is carried on by the next, since what is there already is skipped.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from catalog_ai.data.sources import read_source
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.classifying import BATCH, Classifier, Progress, model_row
from catalog_ai.services.locking import only_one
from catalog_ai.services.photos import stored_pixels
from db.commands import products as commands
from db.engine import read, write
from db.queries import products

_BUSY = "another ingest is running: wait until it is done, then start again"


@dataclass
class IngestReport:
    """What a run brought. Each of `quarantined` has an image, a code and a reason."""

    run_id: int
    model: str
    state: str = "running"
    seen: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: list[dict[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    second_look: int = 0
    seconds: float = 0.0
    images_per_second: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, under its stable keys."""
        return asdict(self)


def ingest(
    catalogue: Catalogue,
    source: Path | str,
    *,
    model: str | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in what `source` delivers and return what became of it.

    `model` is the version that classifies and embeds, by default the active one. Raises
    `SourceError`, `NoModelError`, `UnknownVersionError`, `CheckpointError`, `DatabaseError`, and
    `BusyError` while another ingest runs. Ctrl-C leaves whole batches behind and the run "stopped".
    """
    from catalog_ai.services.intake import Intake

    delivered = read_source(source)
    with only_one(catalogue.settings.locks / "ingest.lock", _BUSY), in_plain_words():
        classifier = Classifier(catalogue, model_row(catalogue, model))
        report = Intake(catalogue, delivered, classifier).run(progress)
    if report.added or report.updated:
        jobs.enqueue(catalogue, "assess")
        jobs.enqueue(catalogue, "project")
    return report


def embed_missing(catalogue: Catalogue, version: str, progress: Progress | None = None) -> int:
    """Classify and embed, from the stored copies, what `version` has not seen; return how many.

    Raises `UnknownVersionError`, `CheckpointError`, `DatabaseError`.
    """
    with in_plain_words():
        classifier = Classifier(catalogue, model_row(catalogue, version))
        with read(catalogue.engine) as session:
            total = products.count(session)
        done = last = 0
        while True:
            with read(catalogue.engine) as session:
                batch = products.without_vector(
                    session, classifier.row.id, after_id=last, limit=BATCH
                )
            if not batch:
                return done
            last = batch[-1].id
            pixels = {
                product.id: stored_pixels(catalogue.settings, product.stored_image)
                for product in batch
            }
            there = [product for product in batch if pixels[product.id] is not None]
            outputs = classifier.outputs(
                [classifier.shrink(found) for found in pixels.values() if found is not None],
                [product.image_sha256 for product in there],
            )
            with write(catalogue.engine, touches=("embeddings",)) as session:
                for product, output in zip(there, outputs, strict=True):
                    commands.store_output(session, product.id, classifier.row.id, output)
            done += len(there)
            if progress is not None:
                progress(min(1.0, done / max(1, total)), f"{done:,} of {total:,} photos")
