"""What a delivery changes in the catalogue, written a group of products at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from catalog_ai.data.sources import SourceItem
from catalog_ai.images import DECODER_VERSION
from catalog_ai.services import categories
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier
from catalog_ai.services.labelling import Labels, Spelling, follow_feed, with_new_photo
from catalog_ai.services.preparing import Prepared
from catalog_ai.services.reporting import IngestReport, run_item
from db.commands import products as commands
from db.commands import runs as run_commands
from db.engine import read, write
from db.queries import products

Known = products.ProductRow
Further = tuple[products.FurtherPhotoRow, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """One product of a delivery, its photos read, beside what the catalogue had of it.

    `is_unseen` says that the model has not looked at its main photo yet.
    """

    item: SourceItem
    known: Known | None
    further: Further
    found: Prepared
    is_unseen: bool

    @property
    def sku(self) -> str:
        return self.item.sku

    @property
    def images(self) -> list[str]:
        """The photos as delivered, by their places."""
        return [self.item.image, *self.item.more]

    @property
    def is_new_photo(self) -> bool:
        return self.known is None or self.known.image_sha256 != self.found.photos[0].digest


class Recorder:
    """Writes what was delivered, and counts in `report`; a dry one only counts.

    `understood` are the words of a feed that mean a category; none where the model knows none.
    """

    def __init__(
        self, catalogue: Catalogue, classifier: Classifier, report: IngestReport, *, dry: bool
    ) -> None:
        self._catalogue = catalogue
        self._classifier = classifier
        self._report = report
        self._dry = dry
        with read(catalogue.engine) as session:
            names = categories.known(session, classifier.row)
            in_use = products.label_spellings(session)
            self.refused = products.refused_photos(session, DECODER_VERSION)
        self.understood = (*names.names, *names.aliases) if classifier.row.classes else ()
        self._spelling = Spelling(names.names, in_use, names.aliases)

    def write(self, group: Sequence[Delivered], outputs: Mapping[str, commands.Output]) -> None:
        """Write one group in one transaction, or nothing where nothing has changed.

        `outputs` are what the model says of a SKU's main photo, where it was asked.
        """
        usable = [one for one in group if one.found.photos]
        waiting = [one for one in usable if one.sku in outputs or self._is_changed(one)]
        refused = [item for one in group for item in _refusals(one)]
        with self._report.counted_if_kept():
            self._report.unchanged += len(usable) - len(waiting)
            self._report.looked_again += sum(
                one.is_unseen and not one.is_new_photo for one in usable
            )
            self._report.refuse(refused)
            if self._dry:
                for one in waiting:
                    self._report.count("added" if one.known is None else "updated")
                    if one.known is not None:
                        self._count_second_look(one.known, self._columns(one, one.known))
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
            # Read again: a person may have decided since the photos were looked up, or renamed.
            self._spelling.aliases = categories.aliases(session)
            there = products.by_skus(session, [one.sku for one in group], to_change=True)
            new = {one.sku: self._columns(one, None) for one in group if one.sku not in there}
            rows = [{"sku": sku, "added_run_id": run_id, **row} for sku, row in new.items()]
            added = commands.add_products(session, now, rows)
            ids = added | {sku: known.id for sku, known in there.items()}
            for one in group:
                known = there.get(one.sku)
                columns = new[one.sku] if known is None else self._columns(one, known)
                outcome = _outcome(one, known, columns)
                self._report.count(outcome)
                if known is not None and outcome == "updated":
                    self._update(session, known, columns, now)
                if outcome != "unchanged":
                    _store_further(session, one, ids[one.sku])
                    items.append(_item(outcome, one, known, columns, ids[one.sku]))
            commands.store_outputs(
                *(session, self._classifier.row.id, self._classifier.preprocessing.version),
                {ids[sku]: output for sku, output in outputs.items()},
                new=frozenset(added.values()),
            )
            run_commands.add_items(session, run_id, items)
            self._report.store_counts(session)

    def _update(
        self, session: Session, known: Known, columns: dict[str, Any], now: datetime
    ) -> None:
        self._count_second_look(known, columns)
        run_id = self._report.run_id
        commands.update_product(session, known.id, now, changed_run_id=run_id, **columns)

    def _count_second_look(self, known: Known, columns: Mapping[str, Any]) -> None:
        self._report.second_look += columns["review_state"] == "second_look" != known.review_state

    def _is_changed(self, one: Delivered) -> bool:
        known = one.known
        if known is None or _has_new_photos(one):
            return True
        return _differs(known, self._columns(one, known))

    def _columns(self, one: Delivered, known: Known | None) -> dict[str, Any]:
        """Return what the product's row should hold after this delivery."""
        item, photo = one.item, one.found.photos[0]
        columns: dict[str, Any] = {
            "title": item.title,
            "image_path": one.images[photo.place],
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
            columns |= {
                "image_sha256": photo.digest,
                "stored_image": photo.stored,
                "thumbnail": photo.small,
            }
        elif photo.stored:  # its copy was gone: the new one may have another name
            columns |= {"stored_image": photo.stored, "thumbnail": photo.small}
        return columns | {
            "label_given": labels.given,
            "label_current": labels.current,
            "review_state": labels.review_state,
        }

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


def _store_further(session: Session, one: Delivered, product_id: int) -> None:
    if not one.further and len(one.found.photos) == 1:
        return
    named: list[Known | products.FurtherPhotoRow] = [*one.further]
    if one.known is not None:
        named.append(one.known)
    before = {photo.image_sha256: photo for photo in named}
    rows = []
    for photo in one.found.photos[1:]:
        kept = before.get(photo.digest)
        rows.append(
            {
                "image_path": one.images[photo.place],
                "image_sha256": photo.digest,
                "stored_image": photo.stored or (kept.stored_image if kept else ""),
                "thumbnail": photo.small or (kept.thumbnail if kept else ""),
            }
        )
    commands.store_further_photos(session, product_id, rows)


def _has_new_photos(one: Delivered) -> bool:
    """Whether other photos were delivered, or copies of further ones got another name."""
    further = one.found.photos[1:]
    before = [(photo.image_sha256, photo.stored_image) for photo in one.further]
    if one.is_new_photo or [photo.digest for photo in further] != [digest for digest, _ in before]:
        return True
    return any(
        photo.stored not in ("", stored) for photo, (_, stored) in zip(further, before, strict=True)
    )


def _differs(known: Known, columns: Mapping[str, Any]) -> bool:
    # Of a photo that only lies elsewhere, in a folder of the day perhaps, nothing is new.
    told = ((name, value) for name, value in columns.items() if name != "image_path")
    return any(getattr(known, name) != value for name, value in told)


def _outcome(one: Delivered, known: Known | None, columns: Mapping[str, Any]) -> str:
    if known is None:
        return "added"
    return "updated" if _has_new_photos(one) or _differs(known, columns) else "unchanged"


def _item(
    outcome: str,
    one: Delivered,
    known: Known | None,
    columns: Mapping[str, Any],
    product_id: int,
) -> dict[str, Any]:
    """Return what the run reports of a product that it brought or changed."""
    before, after = (known.label_current if known else None), columns["label_current"]
    moved = known is not None and before != after
    return run_item(
        *(outcome, one.item.image),
        sku=one.sku,
        product_id=product_id,
        label_before=before if moved else None,
        label_after=after if moved else None,
    )


def _refusals(one: Delivered) -> list[dict[str, Any]]:
    """Return what the run reports of photos that cannot be used."""
    known = one.known
    return [
        run_item(
            *("quarantined", one.images[refusal.place]),
            sku=one.sku,
            product_id=None if known is None else known.id,
            code=refusal.code,
            reason=refusal.reason,
            thumbnail="" if known is None else known.thumbnail,
        )
        | {"image_sha256": refusal.digest}
        for refusal in one.found.refused
    ]
