"""Which column of a feed is which of our fields."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from catalog_ai.data.delivery.cells import Cells, Value, column_name, text_of
from catalog_ai.data.delivery.problems import shown
from catalog_ai.errors import SourceError, UsageError

NAMES: dict[str, tuple[str, ...]] = {
    "sku": ("sku", "id", "product_id"),
    "image": ("image", "file", "path", "image_path", "images"),
    "title": ("title", "name"),
    "label": ("label", "category"),
    "price": ("price",),
    "stock": ("stock",),
    "brand": ("brand",),
}
_ATTRIBUTES = ("price", "stock", "brand")
_LISTED = 20  # columns in a message; a damaged file may have thousands


@dataclass(frozen=True, slots=True)
class Described:
    """One row, cell by cell; `images` are cells in the order of the photos, not yet taken apart."""

    sku: str
    images: list[Value]
    label: str
    title: str
    attributes: dict[str, str]

    def says_the_same(self, other: "Described") -> bool:
        """Whether this row has nothing but photos to add to `other`."""
        mine = (self.label, self.title, self.attributes)
        return mine in (("", "", {}), (other.label, other.title, other.attributes))


class _Plan(NamedTuple):
    """Which cells of rows with the same columns are what; "" is a column that none has."""

    sku: str
    title: str
    label: str
    photos: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]  # (the attribute's name, its column)


class Columns:
    """Our fields → the feed's columns: those of `given`, else the common names in `NAMES`.

    Raises `UsageError` for a field that there is none of.
    """

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = {field: column_name(name) for field, name in (given or {}).items()}
        for field in self._given:
            if field not in NAMES:
                raise UsageError(f"{field!r} is no field of ours: name one of {', '.join(NAMES)}")
        self._names = NAMES | {field: (name,) for field, name in self._given.items()}
        self._renamed = {name: field for field, name in self._given.items() if field in _ATTRIBUTES}
        self._plan = lru_cache(maxsize=1024)(self._planned)  # rows mostly have the same columns

    def check(self, found: Collection[str], manifest: str) -> None:
        """Raise `SourceError` where the feed lacks a column that is needed or was named."""
        listed = shown(", ".join(list(filter(None, found))[:_LISTED])) or "none"
        for field, name in self._given.items():
            if name not in found:
                raise SourceError(
                    f"{manifest} has no column {name!r}, which was named for the {field}: it has "
                    f"{listed}"
                )
        if not any(name in self._names["sku"] or self._is_photo(name) for name in found):
            raise SourceError(
                f"{manifest} has the columns {listed}: one named 'image' or 'sku' is needed, or "
                "say which it is, as in --columns sku=article,image=photo"
            )

    def describe(self, cells: Cells) -> Described:
        """Return what a row says; columns that are no field of ours become attributes."""
        plan = self._plan(tuple(cells))
        return Described(
            text_of(cells.get(plan.sku)),
            [cells[name] for name in plan.photos],
            text_of(cells.get(plan.label)),
            text_of(cells.get(plan.title)),
            {name: text_of(cells[column]) for name, column in plan.attributes},
        )

    def _planned(self, names: tuple[str, ...]) -> _Plan:
        sku, title, label = (self._pick(names, field) for field in ("sku", "title", "label"))
        photos = self._photo_columns(names)
        rest = [name for name in names if name not in {sku, title, label, *photos}]
        kept = [(name, name) for name in rest if name not in self._renamed]
        renamed = [(self._renamed[name], name) for name in rest if name in self._renamed]
        return _Plan(sku, title, label, photos, (*kept, *renamed))

    def _pick(self, names: Collection[str], field: str) -> str:
        return next((name for name in self._names[field] if name in names), "")

    def _is_photo(self, name: str) -> bool:
        bases = self._names["image"]
        return name in bases or _number(name, bases) is not None

    def _photo_columns(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the main photo's column, `images` beside it, then image_2, image_3, ..."""
        bases = self._names["image"]
        first = [name for name in bases if name in names]
        beside = [name for name in first[1:] if name == "images"]
        numbers = {name: _number(name, bases) for name in names}
        numbered = [name for name, number in numbers.items() if number is not None]
        return (*first[:1], *beside, *sorted(numbered, key=lambda name: numbers[name] or 0))


def _number(name: str, bases: tuple[str, ...]) -> int | None:
    """Return 2 for `image_2` and `image2` where `image` is one of `bases`, else None."""
    found = re.fullmatch(r"(.+?)[ _-]?([0-9]{1,4})", name)
    return int(found[2]) if found and found[1] in bases else None
