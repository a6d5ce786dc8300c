"""The nightly ingest: new photos in, classified and embedded, a group at a time.

A run that was killed is carried on by the next, since what is there already is skipped.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

from catalog_ai.data.sources import read_categories
from catalog_ai.errors import UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.classifying import Classifier, Progress, model_row
from catalog_ai.services.known_names import known_names
from catalog_ai.services.locking import one_at_a_time
from catalog_ai.services.reporting import IngestReport
from catalog_ai.services.signals import asked_to_stop
from catalog_ai.services.wishes import Wishes
from db.commands.models import activate
from db.engine import read, write
from db.queries import models

__all__ = ["IngestReport", "Wishes", "embed_missing", "ingest", "read_categories"]

_BUSY = "another ingest is running: wait until it is done, then start again"


def ingest(
    catalogue: Catalogue,
    source: Path | str,
    *,
    model: str | None = None,
    wishes: Wishes | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Take in what `source` delivers and return what became of it.

    `model` is the version that classifies and embeds, by default the active one; where none is
    active it becomes that, else pages would show another than the delivery was seen by. A dry run
    writes nothing, and needs not wait for another ingest. Raises `SourceError`, `UsageError`,
    `UnknownVersionError`, `CheckpointError`, `DatabaseError`, `BusyError` while another ingest
    runs, and `StoppedError` where a signal asked for it: then whole groups are written, and the run
    is "stopped".
    """
    from catalog_ai.services.intake import Intake

    wanted = wishes or Wishes()
    if wanted.retire_missing and wanted.is_partial:
        raise UsageError("--retire-missing needs the whole delivery: leave --only and --limit out")
    # A dry run takes no lock: it writes nothing, and tonight's ingest must not find it in its way.
    alone = nullcontext() if wanted.dry_run else one_at_a_time(catalogue, "ingest", _BUSY)
    with alone, in_plain_words():
        delivered = wanted.read(str(source), known_names(catalogue))
        row = model_row(catalogue, model, registers=not wanted.dry_run)
        classifier = Classifier(catalogue, row)
        if not wanted.dry_run:
            _use_if_none_is(catalogue, row.version)
        intake = Intake(catalogue, delivered, classifier, wanted, wanted.options(str(source)))
        try:
            with asked_to_stop() as stop:
                report = intake.run(stop, progress)
        finally:
            _write_page(catalogue, intake.report, wanted)
    if not wanted.dry_run and (report.computed or report.updated or report.retired):
        jobs.enqueue(catalogue, "assess")
        jobs.enqueue(catalogue, "project")
    return report


def _use_if_none_is(catalogue: Catalogue, version: str) -> None:
    with read(catalogue.engine) as session:
        if models.active(session) is not None:
            return
    with write(catalogue.engine, touches=("models",)) as session:
        if models.active(session) is None:
            activate(session, version)


def _write_page(catalogue: Catalogue, report: IngestReport, wishes: Wishes) -> None:
    """Write the run's page, however the run ended; a page that cannot be written undoes nothing."""
    from catalog_ai.services.run_page import write_page

    if not wishes.page or wishes.dry_run:
        return
    try:
        write_page(catalogue, report.run_id, Path(wishes.page))
    except OSError as error:
        print(f"the page {wishes.page} cannot be written: {error.strerror}", file=sys.stderr)


def embed_missing(catalogue: Catalogue, version: str, progress: Progress | None = None) -> int:
    """Classify and embed, from the stored copies, what `version` has not seen; return how many.

    Raises `UnknownVersionError`, `CheckpointError`, `DatabaseError`.
    """
    from catalog_ai.services.embedding import Embedder

    with in_plain_words():
        return Embedder(catalogue, Classifier(catalogue, model_row(catalogue, version))).run(
            progress
        )
