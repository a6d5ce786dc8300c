"""Find the manifest of a delivery and read it, whatever its format."""

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from catalog_ai.data.delivery.cells import Row
from catalog_ai.data.delivery.columns import Columns
from catalog_ai.data.delivery.csv_rows import CsvRows
from catalog_ai.data.delivery.files import open_whole
from catalog_ai.data.delivery.items import Source
from catalog_ai.data.delivery.json_rows import JsonLinesRows, JsonRows
from catalog_ai.data.delivery.parquet_rows import ParquetRows
from catalog_ai.data.delivery.problems import shown
from catalog_ai.data.delivery.products import Products
from catalog_ai.data.delivery.walk import list_entries
from catalog_ai.errors import SourceError


class Rows(Protocol):
    """The rows of a manifest; `columns` may be empty until they have been read."""

    @property
    def columns(self) -> Collection[str]:
        """Names of the columns, as `cells.column_name` writes them."""

    def __iter__(self) -> Iterator[Row]: ...


FORMATS: dict[str, Callable[[BinaryIO, str], Rows]] = {
    ".csv": CsvRows,
    ".json": JsonRows,
    ".jsonl": JsonLinesRows,
    ".ndjson": JsonLinesRows,
    ".parquet": ParquetRows,
}


def manifest_of(root: Path) -> Path | None:
    """Return the manifest right in a folder: `manifest.csv`, `manifest.json`, and so on.

    Where none has that name, the only other file with such an ending is it. Raises `SourceError`
    for several, and for a folder that cannot be listed.
    """
    try:
        with os.scandir(root) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if format_of(entry.name) and not entry.is_dir(follow_symlinks=False)
            )
    except OSError as error:
        raise SourceError(f"{root} cannot be opened: {error.strerror}") from error
    called_so = [name for name in names if name.casefold().startswith("manifest.")]
    found = called_so or [name for name in names if not name.startswith(".")]
    if len(found) > 1:
        named = shown(", ".join(found))
        raise SourceError(f"{root} holds several manifests ({named}): name the one to be read")
    return root / found[0] if found else None


def format_of(name: str) -> str:
    """Return the ending that a manifest's name has, "" if it has none of theirs."""
    return next((ending for ending in FORMATS if name.casefold().endswith(ending)), "")


def from_manifest(
    manifest: Path, columns: Columns, label_of: Callable[[str | None], str | None]
) -> Source:
    """Return the products that the rows of `manifest` describe.

    Raises `SourceError`, and `UnfinishedSourceError` where it changes while it is read.
    """
    name = shown(manifest.name)
    with open_whole(manifest) as file:
        rows = FORMATS[format_of(manifest.name)](file, name)
        if rows.columns:
            columns.check(rows.columns, name)
        products = Products(list_entries(manifest.parent, manifest.name), columns, label_of)
        if not products.take_all(rows):
            raise SourceError(f"{name} has no rows: deliver one for each product, or no manifest")
    columns.check(rows.columns, name)
    return products.source(manifest.parent)
