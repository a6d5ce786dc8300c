"""What a delivery changes in the catalogue, written a group of products at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.data.sources import SourceItem
from catalog_ai.images import DECODER_VERSION
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier
from catalog_ai.services.labelling import Labels, Spelling, follow_feed, with_new_photo
from catalog_ai.services.preparing import Prepared
from catalog_ai.services.reporting import IngestReport, run_item
from db.commands import products as commands
from db.commands import runs as run_commands
from db.engine import read, write
from db.queries import products

_COUNTED = ("added", "updated", "unchanged", "second_look")

Known = products.ProductRow
Further = tuple[products.FurtherPhotoRow, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """One product of a delivery, its photos read, beside what the catalogue had of it."""

    item: SourceItem
    known: Known | None
    further: Further
    found: Prepared

    @property
    def sku(self) -> str:
        return self.item.sku

    @property
    def is_new_photo(self) -> bool:
        return self.known is None or self.known.image_sha256 != self.found.photos[0].digest


class Recorder:
    """Writes what was delivered, and counts in `report`; a dry one only counts."""

    def __init__(
        self, catalogue: Catalogue, classifier: Classifier, report: IngestReport, *, dry: bool
    ) -> None:
        self._catalogue = catalogue
        self._classifier = classifier
        self._report = report
        self._dry = dry
        with read(catalogue.engine) as session:
            in_use = products.label_spellings(session)
            self.refused = products.refused_photos(session, DECODER_VERSION)
        self._spelling = Spelling(classifier.row.classes, in_use)

    def write(self, group: Sequence[Delivered], outputs: Mapping[str, commands.Output]) -> None:
        """Write one group in one transaction, or nothing where nothing has changed.

        `outputs` are what the model says of a SKU's main photo, where it was asked.
        """
        usable = [one for one in group if one.found.photos]
        waiting = [one for one in usable if one.sku in outputs or self._is_changed(one, one.known)]
        refused = [item for one in group for item in _refusals(one)]
        with _counted_if_kept(self._report):
            self._report.unchanged += len(usable) - len(waiting)
            self._report.refuse(refused)
            if self._dry:
                for one in waiting:
                    self._report.count(self._outcome_of(one, one.known))
            elif waiting or refused:
                self._write(waiting, outputs, refused)

    def _write(
        self,
        group: Sequence[Delivered],
        outputs: Mapping[str, commands.Output],
        items: list[dict[str, Any]],
    ) -> None:
        now, run_id = datetime.now(UTC), self._report.run_id
        topics = ("runs", "products", "labels", "embeddings")
        with write(self._catalogue.engine, touches=topics if group else ("runs",)) as session:
            commands.store_refused(session, self._newly_refused(items, now))
            # Read again: a person may have decided since the photos were looked up.
            there = products.by_skus(session, [one.sku for one in group], to_change=True)
            new = [one for one in group if one.sku not in there]
            rows = [
                {"sku": one.sku, "added_run_id": run_id, **self._columns(one, None)} for one in new
            ]
            ids = dict(
                zip(
                    [one.sku for one in new], commands.add_products(session, now, rows), strict=True
                )
            )
            for one in group:
                known = there.get(one.sku)
                outcome = self._outcome_of(one, known)
                self._report.count(outcome)
                if known is not None:
                    ids[one.sku] = known.id
                    if outcome == "updated":
                        self._update(session, one, known, now)
                if outcome != "unchanged":
                    self._store_further(session, one, ids[one.sku])
                    items.append(self._item(outcome, one, known, ids[one.sku]))
            commands.store_outputs(
                *(session, self._classifier.row.id, self._classifier.preprocessing.version),
                {ids[sku]: output for sku, output in outputs.items()},
            )
            run_commands.add_items(session, run_id, items)
            self._report.store_counts(session)

    def _update(self, session: Session, one: Delivered, known: Known, now: datetime) -> None:
        columns = self._columns(one, known)
        self._report.second_look += columns["review_state"] == "second_look" != known.review_state
        run_id = self._report.run_id
        commands.update_product(session, known.id, now, changed_run_id=run_id, **columns)

    def _store_further(self, session: Session, one: Delivered, product_id: int) -> None:
        if not one.further and len(one.found.photos) == 1:
            return
        names = [one.item.image, *(photo.image for photo in one.item.more)]
        before = {photo.image_sha256: photo for photo in one.further}
        rows = []
        for photo in one.found.photos[1:]:
            kept = before.get(photo.digest)
            rows.append(
                {
                    "image_path": names[photo.place],
                    "image_sha256": photo.digest,
                    "stored_image": photo.stored or (kept.stored_image if kept else ""),
                    "thumbnail": photo.small or (kept.thumbnail if kept else ""),
                }
            )
        commands.store_further_photos(session, product_id, rows)

    def _outcome_of(self, one: Delivered, known: Known | None) -> str:
        if known is None:
            return "added"
        return "updated" if self._is_changed(one, known) else "unchanged"

    def _is_changed(self, one: Delivered, known: Known | None) -> bool:
        if known is None or one.is_new_photo:
            return True
        further = [photo.digest for photo in one.found.photos[1:]]
        if further != [photo.image_sha256 for photo in one.further]:
            return True
        return any(getattr(known, name) != new for name, new in self._columns(one, known).items())

    def _columns(self, one: Delivered, known: Known | None) -> dict[str, Any]:
        """Return what the product's row should hold after this delivery."""
        item, photo = one.item, one.found.photos[0]
        columns: dict[str, Any] = {
            "title": item.title,
            "attributes": item.attributes,
            "retired_run_id": None,
        }
        if known is None:
            labels = Labels(item.label, self._spelling.of(item.label), "open")
        else:
            before = Labels(known.label_given, known.label_current, known.review_state)
            if one.is_new_photo:
                before = with_new_photo(before)
            labels = follow_feed(before, item.label, self._spelling)
        if one.is_new_photo:
            names = [item.image, *(further.image for further in item.more)]
            columns |= {
                "image_path": names[photo.place],
                "image_sha256": photo.digest,
                "stored_image": photo.stored,
                "thumbnail": photo.small,
            }
        return columns | {
            "label_given": labels.given,
            "label_current": labels.current,
            "review_state": labels.review_state,
        }

    def _item(
        self, outcome: str, one: Delivered, known: Known | None, product_id: int
    ) -> dict[str, Any]:
        before = None if known is None else known.label_current
        after = self._columns(one, known)["label_current"]
        moved = known is not None and before != after
        return run_item(
            *(outcome, one.item.image),
            sku=one.sku,
            product_id=product_id,
            label_before=before if moved else None,
            label_after=after if moved else None,
        )

    def _newly_refused(
        self, items: Sequence[dict[str, Any]], now: datetime
    ) -> list[dict[str, Any]]:
        """Take the digests from refused items and return rows for those that are new."""
        found = {}
        for item in items:
            digest = item.pop("image_sha256", "")
            if digest and digest not in self.refused:
                found[digest] = {
                    "image_sha256": digest,
                    "decoder_version": DECODER_VERSION,
                    **{name: item[name] for name in ("code", "reason")},
                    "created_at": now,
                }
        return list(found.values())


@contextmanager
def _counted_if_kept(report: IngestReport) -> Iterator[None]:
    """Take back what was counted where writing it fails: then nothing of it is kept."""
    before, refused = [getattr(report, name) for name in _COUNTED], len(report.quarantined)
    try:
        yield
    except BaseException:
        for name, count in zip(_COUNTED, before, strict=True):
            setattr(report, name, count)
        del report.quarantined[refused:]
        raise


def _refusals(one: Delivered) -> list[dict[str, Any]]:
    """Return what the run reports of photos that cannot be used."""
    images = [one.item.image, *(photo.image for photo in one.item.more)]
    known = one.known
    return [
        run_item(
            *("quarantined", images[refusal.place]),
            sku=one.sku,
            product_id=None if known is None else known.id,
            code=refusal.code,
            reason=refusal.reason,
            thumbnail="" if known is None else known.thumbnail,
        )
        | {"image_sha256": refusal.digest}
        for refusal in one.found.refused
    ]
