"""One ingest run: groups of products flow through reading, the network and the database at once.

Processes read, decode and ask the model (`crew`); this one asks it where torch or a GPU computes; a
thread writes (`recording`). Or a Ray cluster does all but the writing (`ray_engine`).
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import takewhile
from time import perf_counter
from typing import Any

from catalog_ai.data.sources import Source, SourceItem
from catalog_ai.errors import StoppedError
from catalog_ai.images import DECODER_VERSION
from catalog_ai.inference.onnx import ExportedModel
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier, Progress
from catalog_ai.services.crew import CHUNK, Crew
from catalog_ai.services.grouping import in_groups
from catalog_ai.services.interim import Interim
from catalog_ai.services.preparing import Order, Prepared, Preparer, keep
from catalog_ai.services.ray_engine import RayEngine, require_ray
from catalog_ai.services.recording import Delivered, Further, Known, Recorder
from catalog_ai.services.reporting import IngestReport, run_item
from catalog_ai.services.retiring import retire_missing
from catalog_ai.services.signals import StopRequest
from catalog_ai.services.wishes import Wishes
from db.commands import runs as commands
from db.commands.products import Output
from db.engine import read, write
from db.queries import products

GROUP = 64  # products of one transaction
_LOOK_UP = 512  # products that are looked up at once

Planned = tuple[SourceItem, Known | None, Further, Order]
Computed = tuple[list[Delivered], dict[str, Output]]


class Intake:
    """One run from its first product to its last; `report` is filled as it goes."""

    def __init__(
        self,
        catalogue: Catalogue,
        source: Source,
        classifier: Classifier,
        wishes: Wishes,
        options: dict[str, Any],
    ) -> None:
        self._catalogue = catalogue
        self._source = source
        self._classifier = classifier
        self._wishes = wishes
        if wishes.engine == "ray":
            require_ray()
        self._start = perf_counter()
        self.report = IngestReport(self._open(options), classifier.row.version)
        self._recorder = Recorder(catalogue, classifier, self.report, dry=wishes.dry_run)

    def run(self, stop: StopRequest, progress: Progress | None) -> IngestReport:
        """Take in everything; an interrupted run is closed as "stopped" or "failed".

        Raises `StoppedError` where `stop` asks for it, once what is at hand is written.
        """
        try:
            self._report_odd_ones()
            self._take_in_all(stop, progress)
            if stop.number is not None:
                raise StoppedError(stop.number, self.report.handled, len(self._source.items))
            if self._wishes.retire_missing:
                retire_missing(self._catalogue, self._source, self.report, self._wishes)
        except (KeyboardInterrupt, StoppedError):
            self._close("stopped", "stopped by hand; the next run carries on")
            raise
        except BaseException as error:
            self._close("failed", str(error) or type(error).__name__)
            raise
        self._close("done", self.report.message)
        return self.report

    def _take_in_all(self, stop: StopRequest, progress: Progress | None) -> None:
        items, interim = self._source.items, self._interim()
        preparer = Preparer(
            self._catalogue.settings,
            self._source.root,
            self._classifier.preprocessing.square,
            self._recorder.refused,
            keeps=not self._wishes.dry_run,
            model=self._model_for_processes(),
            interim=interim,
        )
        writing: Future[None] | None = None
        done = 0
        computing = self._on_ray if self._wishes.engine == "ray" else self._here
        with closing(computing(preparer, stop)) as computed, ThreadPoolExecutor(1) as writer:
            for group, outputs in computed:
                self.report.computed += sum(one.is_unseen for one in group)
                if writing is not None:
                    writing.result()
                writing = writer.submit(self._recorder.write, group, outputs)
                done += len(group)
                if progress is not None:
                    rate = done / (perf_counter() - self._start)
                    words = f"{done:,} of {len(items):,} products, {rate:,.0f} a second"
                    progress(done / len(items), words)
            if writing is not None:
                writing.result()
        if interim is not None:
            interim.clear()

    def _interim(self) -> Interim | None:
        """Return where what is computed is kept until it is written."""
        if self._wishes.engine == "ray" or self._wishes.dry_run:
            return None
        settings, row = self._catalogue.settings, self._classifier.row
        made_by = (row.version, row.created_at, self._classifier.preprocessing, DECODER_VERSION)
        chunks = settings.workers + -(-GROUP // CHUNK)  # about as many wait to be written
        return Interim.begin(settings.interim, repr(made_by), 4 * chunks)

    def _model_for_processes(self) -> ExportedModel | None:
        """Return what those that decode are to ask, None where this process asks the model."""
        if self._wishes.engine == "ray" or self._wishes.dry_run:
            return None
        with self._loading():
            return self._classifier.for_processes()

    def _here(self, preparer: Preparer, stop: StopRequest) -> Generator[Computed]:
        """Yield groups beside what the model says of them, by SKU.

        What is under way when `stop` asks for it is finished: nothing has to be computed again.
        """
        with Crew(self._catalogue.settings.workers, preparer) as crew:
            with self._loading():
                crew.start()
            planned = takewhile(lambda _: not stop, in_groups(self._planned(), GROUP))
            orders = ((group, [order for *_, order in group]) for group in planned)
            for number, (group, prepared) in enumerate(crew.prepared(orders)):
                if self._wishes.dry_run:
                    yield _delivered(group, prepared), {}
                    continue
                found = self._answered(prepared)
                if preparer.interim is not None and preparer.model is None:
                    keep(preparer.interim, number, found)
                delivered = _delivered(group, found)
                yield delivered, self._outputs(delivered)

    def _on_ray(self, preparer: Preparer, stop: StopRequest) -> Generator[Computed]:
        """Yield the same, read and computed by a cluster."""
        settings, address = self._catalogue.settings, self._wishes.address
        with RayEngine(settings, self._classifier, preparer, address) as engine:
            with self._loading():
                engine.start()
            with closing(engine.run(order for *_, order in self._planned())) as results:
                # Planned again as results come: a million products are not kept in between.
                for group in in_groups(zip(self._planned(), results, strict=True), GROUP):
                    plans, answers = zip(*group, strict=True)
                    yield (
                        _delivered(plans, [found for found, _ in answers]),
                        {item.sku: said for (item, *_), (_, said) in group if said is not None},
                    )
                    if stop:
                        return

    def _planned(self) -> Iterator[Planned]:
        """Yield each product beside what the catalogue has of it, and what is to be read."""
        model_id = self._classifier.row.id
        version = self._classifier.preprocessing.version
        for block in in_groups(self._source.items, _LOOK_UP):
            with read(self._catalogue.engine) as session:
                known = products.by_skus(session, [item.sku for item in block])
                ids = [product.id for product in known.values()]
                embedded = products.with_vector(session, model_id, version, ids)
                further = products.further_photos(session, ids)
            for item in block:
                found = known.get(item.sku)
                done = found.image_sha256 if found and found.id in embedded else ""
                rest = further.get(found.id, ()) if found else ()
                named: list[Known | products.FurtherPhotoRow] = [*rest, found] if found else []
                kept = {photo.image_sha256: photo.stored_image for photo in named}
                yield item, found, rest, Order(tuple(item.paths), done, kept)

    def _answered(self, found: Sequence[Prepared]) -> Sequence[Prepared]:
        """Ask the model here about photos that no process has asked about."""
        if any(one.square is not None for one in found) and not self._classifier.is_loaded:
            with self._loading():
                self._classifier.load()
        return self._classifier.answered(found)

    def _outputs(self, group: Sequence[Delivered]) -> dict[str, Output]:
        """Return SKU → what the model says, for the photos that were decoded."""
        outputs = zip(group, self._classifier.outputs([one.found for one in group]), strict=True)
        return {one.sku: output for one, output in outputs if output is not None}

    @contextmanager
    def _loading(self) -> Iterator[None]:
        start = perf_counter()
        yield
        self.report.loading_seconds += round(perf_counter() - start, 3)

    # --- the run's own row ----------------------------------------------------------------------

    def _open(self, options: dict[str, Any]) -> int:
        """Note that a run has begun; a dry one is noted nowhere and has the number 0."""
        if self._wishes.dry_run:
            return 0
        with write(self._catalogue.engine, touches=("runs",)) as session:
            return commands.start_run(
                *(session, str(self._source.root), self._classifier.row.id, datetime.now(UTC)),
                page=self._wishes.page,
                options=options,
            )

    def _report_odd_ones(self) -> None:
        """Note what can be said without opening a photo."""
        source, report = self._source, self.report
        report.seen = len(source.items) + len(source.problems)
        report.missing, report.unlisted = list(source.missing), list(source.unlisted)
        report.unknown_labels = self._wishes.unknown_labels(source, self._recorder.understood)
        quarantined = [run_item("quarantined", **asdict(problem)) for problem in source.problems]
        report.refuse(quarantined)
        absent = {"code": "missing", "reason": "the row's photo was not delivered"}
        extra = {"code": "unlisted", "reason": "no row of the manifest names it"}
        self._store(
            [
                *quarantined,
                *(run_item("missing", image, **absent) for image in source.missing),
                *(run_item("unlisted", image, **extra) for image in source.unlisted),
            ]
        )

    def _store(self, items: Sequence[dict[str, Any]]) -> None:
        if self._wishes.dry_run:
            return
        with write(self._catalogue.engine, touches=("runs",)) as session:
            commands.add_items(session, self.report.run_id, items)
            self.report.store_counts(session)

    def _close(self, state: str, message: str = "") -> None:
        report = self.report
        report.state, report.message = state, message
        report.seconds = round(perf_counter() - self._start, 3)
        working = max(report.seconds - report.loading_seconds, 1e-9)
        report.images_per_second = round(report.handled / working, 1)
        if self._wishes.dry_run:
            return
        with write(self._catalogue.engine, touches=("runs",)) as session:
            report.store_counts(session)
            commands.set_counts(
                session,
                report.run_id,
                **{"state": state, "message": message, "finished_at": datetime.now(UTC)},
                seconds=report.seconds,
                images_per_second=report.images_per_second,
            )


def _delivered(plans: Sequence[Planned], found: Sequence[Prepared]) -> list[Delivered]:
    return [
        Delivered(item, known, further, prepared, _is_unseen(order, prepared))
        for (item, known, further, order), prepared in zip(plans, found, strict=True)
    ]


def _is_unseen(order: Order, prepared: Prepared) -> bool:
    return bool(prepared.photos) and prepared.photos[0].digest != order.done
