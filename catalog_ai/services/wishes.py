"""What is asked of one ingest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from catalog_ai.data.sources import (
    CategoryMap,
    KnownNames,
    Source,
    nobody,
    read_source,
    unmapped_labels,
)

Retire = Literal["", "few", "any"]
Engine = Literal["plain", "ray"]


@dataclass(frozen=True)
class Wishes:
    """How an ingest goes about a delivery.

    `columns` and `categories` say how to read it (`read_source`).
    `only` takes in these SKUs or photos alone, or what lies in "folder/"; `limit` so many products.
    A dry run reads everything and changes nothing. `retire_missing` hides products that the
    delivery no longer has: "few" of them, less than half of the catalogue, or "any" number. `page`
    is the file that a page about the run is written to. `engine` reads and computes: "plain" on
    this machine alone, "ray" on the Ray cluster at `address`, or on one that is started here for
    the run.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    categories: CategoryMap | None = None
    only: frozenset[str] = frozenset()
    limit: int | None = None
    dry_run: bool = False
    retire_missing: Retire = ""
    page: str = ""
    engine: Engine = "plain"
    address: str = ""

    @classmethod
    def again(cls, options: Mapping[str, Any], only: Iterable[str]) -> "Wishes":
        """Return how to take these SKUs or photos of an earlier delivery in, by its `options`."""
        targets = options.get("categories")
        return cls(
            columns=options.get("columns") or {},
            categories=None if targets is None else CategoryMap(targets),
            only=frozenset(only),
        )

    def options(self, source: str) -> dict[str, Any]:
        """Return what `again` needs, as JSON values: `source` is the delivery as it was named."""
        targets = None if self.categories is None else dict(self.categories.targets)
        return {
            "source": source,
            "columns": dict(self.columns),
            "categories": targets,
            "partial": self.is_partial,
        }

    def read(self, path: str, known: KnownNames = nobody) -> Source:
        """Return the part of the delivery at `path` that is wished for.

        `known` tells which SKUs the catalogue has given to photos of folders. Raises `SourceError`.
        """
        source = read_source(
            path, columns=self.columns or None, categories=self.categories, known=known
        )
        if self.only:
            source = self._part(source)
        return source if self.limit is None else replace(source, items=source.items[: self.limit])

    def _part(self, source: Source) -> Source:
        """Return what `only` names: a SKU, any photo of a product, or what lies in "folder/"."""
        folders = tuple(name for name in self.only if name.endswith("/"))

        def is_wanted(*names: str) -> bool:
            return any(name in self.only or name.startswith(folders) for name in names)

        return replace(
            source,
            items=tuple(i for i in source.items if is_wanted(i.sku, i.image, *i.more)),
            problems=tuple(p for p in source.problems if is_wanted(p.image)),
            missing=(),
            unlisted=(),
        )

    @property
    def is_partial(self) -> bool:
        """Whether not all of a delivery is looked at: what is not seen is then not missing."""
        return bool(self.only) or self.limit is not None

    def unknown_labels(self, source: Source, categories: Iterable[str]) -> dict[str, int]:
        """Return delivered labels that are no category → how many products carry them."""
        known = list(categories)
        return unmapped_labels(source, known) if known else {}
