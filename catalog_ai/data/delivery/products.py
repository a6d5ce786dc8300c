"""Products of a manifest: rows and delivered photos brought together."""

from collections.abc import Callable, Iterable
from pathlib import Path

from catalog_ai.data.delivery import problems
from catalog_ai.data.delivery.cells import Row, Value, text_of
from catalog_ai.data.delivery.columns import Columns, Described
from catalog_ai.data.delivery.items import Source, SourceItem, clean_sku
from catalog_ai.data.delivery.lookup import Delivered, has_scheme
from catalog_ai.data.delivery.walk import Listing, stem


class Products:
    """The products of one manifest, row by row; `source` is what they make up in the end."""

    def __init__(
        self,
        listing: Listing,
        columns: Columns,
        label_of: Callable[[str | None], str | None],
    ) -> None:
        self._listing = listing
        self._columns = columns
        self._label_of = label_of
        self._delivered = Delivered(listing)
        self._rows: dict[str, Described] = {}  # SKU → its first row
        self._labels: dict[str, str | None] = {}  # SKU → its label, in our words
        self._photos: dict[str, dict[str, None]] = {}  # SKU → its photos, the main one first
        self._refused: set[str] = set()  # SKUs whose row cannot be kept as it is
        self._missing: list[str] = []
        self._mentioned: set[str] = set()
        self.problems = list(listing.problems)

    def take_all(self, rows: Iterable[Row]) -> int:
        """Take in all rows and return how many there were, damaged ones among them."""
        count = 0
        for where, cells in rows:
            count += 1
            if isinstance(cells, str):
                self.problems.append(problems.bad_row(where, cells))
            else:
                self._take(where, self._columns.describe(cells))
        return count

    def source(self, root: Path) -> Source:
        """Return everything taken in, in the order of the rows."""
        items: list[SourceItem] = []
        for sku, photos in self._photos.items():
            if photos and sku not in self._refused:
                main, *more = photos
                row = self._rows[sku]
                items.append(
                    SourceItem(
                        *(sku, root, main, self._labels[sku]),
                        title=row.title,
                        attributes=row.attributes,
                        more=tuple(more),
                    )
                )
        return Source(
            *(root, "manifest", tuple(items)),
            missing=tuple(self._missing),
            unlisted=tuple(n for n in self._listing.photos if n not in self._mentioned),
            problems=tuple(self.problems),
            unusable=tuple(
                sku for sku, photos in self._photos.items() if not photos or sku in self._refused
            ),
        )

    def _take(self, where: str, row: Described) -> None:
        """Put one row in: a product, further photos of one, or a problem."""
        named = [name for cell in row.images for name in self._names(cell)]
        if not named and not row.sku:
            reason = "it names neither a photo nor a SKU"
            self.problems.append(problems.bad_row(where, reason))
            return
        sku = clean_sku(row.sku or stem(named[0].rstrip("/").rpartition("/")[2]))
        first = self._rows.get(sku)
        if not named and first is None:
            named = [row.sku]  # a photo may be called like its product
        found = [photo for name in named if (photo := self._photo(where, name))]
        if problems.is_bad_sku(sku):
            if found or row.sku:
                self.problems.append(problems.bad_sku(named[0], where))
            return
        same = first is not None and row.says_the_same(first)
        if first is None or not (same or self._photos[sku]):
            self._rows[sku], self._photos[sku] = row, dict.fromkeys(found)
            self._judge_label(where, sku, [*found, *named, sku][0])
            return
        fresh = [photo for photo in found if photo not in self._photos[sku]]
        if same and fresh:
            self._photos[sku].update(dict.fromkeys(fresh))
        elif found or not same or not named:
            image = f"{where}: {[*named, sku][0]}"
            self.problems.append(problems.duplicate_sku(image, sku))

    def _judge_label(self, where: str, sku: str, image: str) -> None:
        """Refuse a product whose label, as it would be stored, cannot be."""
        self._labels[sku] = self._label_of(self._rows[sku].label or None)
        if problems.is_bad_label(self._labels[sku]):
            self.problems.append(problems.bad_label(image, where))
            self._refused.add(sku)
        else:
            self._refused.discard(sku)

    def _names(self, cell: Value) -> list[str]:
        """Return the photos that one cell names: a list, or parts between "|" or ";"."""
        if isinstance(cell, list):
            return [text for entry in cell if (text := text_of(entry).strip())]
        mark = "|" if "|" in cell else ";"
        if mark not in cell or self._delivered.find(cell) or (mark == ";" and has_scheme(cell)):
            return [cell]
        return [text for part in cell.split(mark) if (text := part.strip())]

    def _photo(self, where: str, name: str) -> str | None:
        """Return the delivered photo of that name; note why there is none."""
        found = self._delivered.find(name)
        if found:
            self._mentioned.add(found)
        elif why := self._delivered.why_unsafe(name):
            self.problems.append(problems.unsafe_row(name, where, why))
        elif not self._delivered.is_refused(name):
            self._missing.append(problems.shown(name))
        return found
