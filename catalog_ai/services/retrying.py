"""Take in again what a run could not use: the worker's side of `runs.retry`."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from catalog_ai.errors import PhotoError, SourceError, StoppedError
from catalog_ai.images import read_photo
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.ingest import Wishes, ingest
from catalog_ai.services.jobs import Progress
from db.commands import products, runs
from db.engine import write
from db.queries import runs as queries


def try_again(
    catalogue: Catalogue,
    source: str,
    only: Sequence[str],
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Take the photos or SKUs `only` of a delivery in; return the new run and its counts.

    `options` are those of the run that could not use them: the delivery is read as it was then.
    What cannot be tried, or is no longer delivered, waits for a person again. Raises what `ingest`
    raises, and `SourceError` where the delivery is gone.
    """
    try:
        if not Path(source).exists():
            raise SourceError(
                f"the folder {source} is gone: deliver it again, or dismiss what it lacked"
            )
        _forget(catalogue, Path(source), only)
        known = options or {}
        wishes = Wishes.again(known, only)
        report = ingest(catalogue, known.get("source") or source, wishes=wishes, progress=progress)
    except StoppedError:
        raise  # the worker puts the job back
    except Exception:
        _reopen(catalogue, source, only)
        raise
    if not (report.handled or report.quarantined):
        _reopen(catalogue, source, only)
    counts = {"run_id": report.run_id, "added": report.added, "updated": report.updated}
    return counts | {"unchanged": report.unchanged, "quarantined": len(report.quarantined)}


def _forget(catalogue: Catalogue, root: Path, names: Sequence[str]) -> None:
    """Let the bytes that are delivered now under these names be decoded, refused before or not."""
    digests = []
    for name in names:
        try:
            digests.append(sha256(read_photo(root / name, below=root)).hexdigest())
        except PhotoError:
            continue  # a SKU, a row, or a file that the ingest will refuse by itself
    with in_plain_words(), write(catalogue.engine) as session:
        products.forget_refused(session, digests)


def _reopen(catalogue: Catalogue, source: str, names: Sequence[str]) -> None:
    with in_plain_words(), write(catalogue.engine, touches=("runs",)) as session:
        for item_id in queries.retried(session, source, names):
            runs.settle_item(session, item_id, "open")
