"""One ingest run, batch by batch.

Reading, decoding and inference happen outside transactions. Each batch is then written in one:
products, predictions, embeddings, and what the run reports of them.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from time import perf_counter
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.data.sources import Source, SourceItem
from catalog_ai.errors import PhotoError
from catalog_ai.images import Pixels, decode, read_photo
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import BATCH, Classifier, Progress
from catalog_ai.services.ingest import IngestReport
from catalog_ai.services.labelling import Labels, Spelling, follow_feed, with_new_photo
from catalog_ai.services.photos import store_photo
from db.commands import products as product_commands
from db.commands import runs as run_commands
from db.engine import read, write
from db.queries import products

_THREADS = 2
_COUNTED = ("added", "updated", "unchanged", "second_look")


@dataclass(frozen=True)
class _Photo:
    """One item, read; `square` is None where nothing has to be computed."""

    item: SourceItem
    digest: str
    known: products.ProductRow | None
    square: Pixels | None = None
    stored: str = ""
    small: str = ""


@dataclass(frozen=True)
class _Written:
    """What one photo became: an outcome of the run, and whether people are asked again."""

    product_id: int
    outcome: str
    second_look: bool = False


class Intake:
    """One run from its first row to its last; `report` is filled as it goes."""

    def __init__(self, catalogue: Catalogue, source: Source, classifier: Classifier) -> None:
        self._catalogue = catalogue
        self._source = source
        self._classifier = classifier
        self._start = perf_counter()
        with read(catalogue.engine) as session:
            in_use = products.label_spellings(session)
        self._spelling = Spelling(classifier.row.classes, in_use)
        with write(catalogue.engine, touches=("runs",)) as session:
            run_id = run_commands.start_run(
                session, str(source.root), classifier.row.id, datetime.now(UTC)
            )
        self.report = IngestReport(run_id, classifier.row.version)

    def run(self, progress: Progress | None) -> IngestReport:
        """Take in everything; an interrupted run is closed as "stopped" or "failed"."""
        try:
            self._report_odd_ones()
            self._take_in_all(progress)
        except KeyboardInterrupt:
            self._close("stopped", "stopped by hand; the next run carries on")
            raise
        except BaseException as error:
            self._close("failed", str(error) or type(error).__name__)
            raise
        self._close("done")
        return self.report

    def _report_odd_ones(self) -> None:
        """Note what can be said without opening a photo."""
        source, report = self._source, self.report
        report.seen = len(source.items) + len(source.problems)
        report.missing, report.unlisted = list(source.missing), list(source.unlisted)
        report.quarantined = [asdict(problem) for problem in source.problems]
        missing = (
            _item("missing", image, code="missing", reason="the row's photo was not delivered")
            for image in source.missing
        )
        unlisted = (
            _item("unlisted", image, code="unlisted", reason="no row of the manifest names it")
            for image in source.unlisted
        )
        quarantined = (_item("quarantined", **problem) for problem in report.quarantined)
        with write(self._catalogue.engine, touches=("runs",)) as session:
            run_commands.add_items(session, report.run_id, [*quarantined, *missing, *unlisted])
            self._store_counts(session)

    def _take_in_all(self, progress: Progress | None) -> None:
        items = self._source.items
        with ThreadPoolExecutor(_THREADS) as pool:
            for start in range(0, len(items), BATCH):
                batch = items[start : start + BATCH]
                self._take_in(batch, pool)
                if progress is not None:
                    done = start + len(batch)
                    rate = done / (perf_counter() - self._start)
                    words = f"{done:,} of {len(items):,} photos, {rate:,.0f} a second"
                    progress(done / len(items), words)

    def _take_in(self, items: Sequence[SourceItem], pool: ThreadPoolExecutor) -> None:
        with read(self._catalogue.engine) as session:
            known = products.by_skus(session, [item.sku for item in items])
            embedded = products.with_vector(
                session, self._classifier.row.id, [product.id for product in known.values()]
            )
        photos: list[_Photo] = []
        refused: list[dict[str, Any]] = []
        prepared = pool.map(lambda item: self._read(item, known.get(item.sku), embedded), items)
        for item, outcome in zip(items, prepared, strict=True):
            if isinstance(outcome, PhotoError):
                problem = {"image": item.image, "code": outcome.code, "reason": outcome.reason}
                self.report.quarantined.append(problem)
                refused.append(_item("quarantined", **problem, sku=item.sku))
            else:
                photos.append(outcome)
        self._write(photos, self._outputs(photos), refused)

    def _read(
        self, item: SourceItem, known: products.ProductRow | None, embedded: set[int]
    ) -> _Photo | PhotoError:
        """Read one photo; decode it only where it is new, changed, or unknown to the model."""
        try:
            data = read_photo(item.path)
            digest = sha256(data).hexdigest()
            if known and known.image_sha256 == digest and known.id in embedded:
                return _Photo(item, digest, known)
            pixels = decode(data)
            stored, small = store_photo(self._catalogue.settings, digest, data, pixels)
            return _Photo(item, digest, known, self._classifier.shrink(pixels), stored, small)
        except PhotoError as error:
            return error

    def _outputs(self, photos: Sequence[_Photo]) -> dict[str, product_commands.Output]:
        """Return SKU → what the model says, for the photos that were decoded."""
        fresh = [(photo, photo.square) for photo in photos if photo.square is not None]
        outputs = self._classifier.outputs(
            [square for _, square in fresh], [photo.digest for photo, _ in fresh]
        )
        return {photo.item.sku: output for (photo, _), output in zip(fresh, outputs, strict=True)}

    def _write(
        self,
        photos: Sequence[_Photo],
        outputs: dict[str, product_commands.Output],
        refused: Sequence[dict[str, Any]],
    ) -> None:
        report, rows = self.report, list(refused)
        topics = {"runs"}
        if any(self._is_changed(photo) for photo in photos):
            topics |= {"products", "labels"}
        if outputs:
            topics.add("embeddings")
        with write(self._catalogue.engine, touches=sorted(topics)) as session:
            for photo in photos:
                written = self._write_one(session, photo)
                setattr(report, written.outcome, getattr(report, written.outcome) + 1)
                report.second_look += written.second_look
                output = outputs.get(photo.item.sku)
                if output is not None:
                    model_id = self._classifier.row.id
                    product_commands.store_output(session, written.product_id, model_id, output)
                if written.outcome != "unchanged":
                    where = {"sku": photo.item.sku, "product_id": written.product_id}
                    rows.append(_item(written.outcome, photo.item.image, **where))
            run_commands.add_items(session, report.run_id, rows)
            self._store_counts(session)

    def _write_one(self, session: Session, photo: _Photo) -> _Written:
        now, columns = datetime.now(UTC), self._columns(photo)
        known, run_id = photo.known, self.report.run_id
        if known is None:
            added = product_commands.add_product(
                session, now, sku=photo.item.sku, added_run_id=run_id, **columns
            )
            return _Written(added, "added")
        if not self._is_changed(photo):
            return _Written(known.id, "unchanged")
        product_commands.update_product(session, known.id, now, changed_run_id=run_id, **columns)
        asked_again = columns["review_state"] == "second_look" != known.review_state
        return _Written(known.id, "updated", asked_again)

    def _is_changed(self, photo: _Photo) -> bool:
        known = photo.known
        if known is None:
            return True
        return any(getattr(known, name) != value for name, value in self._columns(photo).items())

    def _columns(self, photo: _Photo) -> dict[str, Any]:
        """Return what the product's row should hold after this delivery."""
        item, known = photo.item, photo.known
        columns: dict[str, Any] = {"title": item.title, "attributes": item.attributes}
        if known is None or known.image_sha256 != photo.digest:
            columns |= {
                "image_path": item.image,
                "image_sha256": photo.digest,
                "stored_image": photo.stored,
                "thumbnail": photo.small,
            }
        if known is None:
            labels = Labels(item.label, self._spelling.of(item.label), "open")
        else:
            before = Labels(known.label_given, known.label_current, known.review_state)
            if known.image_sha256 != photo.digest:
                before = with_new_photo(before)
            labels = follow_feed(before, item.label, self._spelling)
        return columns | {
            "label_given": labels.given,
            "label_current": labels.current,
            "review_state": labels.review_state,
        }

    def _store_counts(self, session: Session) -> None:
        report = self.report
        run_commands.set_counts(
            session,
            report.run_id,
            seen=report.seen,
            quarantined=len(report.quarantined),
            missing=len(report.missing),
            unlisted=len(report.unlisted),
            **{name: getattr(report, name) for name in _COUNTED},
        )

    def _close(self, state: str, message: str = "") -> None:
        report = self.report
        report.state, report.seconds = state, round(perf_counter() - self._start, 3)
        handled = report.added + report.updated + report.unchanged
        report.images_per_second = round(handled / max(report.seconds, 1e-9), 1)
        with write(self._catalogue.engine, touches=("runs",)) as session:
            run_commands.set_counts(
                session,
                report.run_id,
                **{"state": state, "message": message, "finished_at": datetime.now(UTC)},
                seconds=report.seconds,
                images_per_second=report.images_per_second,
            )


def _item(outcome: str, image: str, **columns: Any) -> dict[str, Any]:
    return {"outcome": outcome, "image": image, "sku": ""} | columns
