"""Tables as files for other programs: CSV for people with a spreadsheet, Parquet and JSON."""

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from typing import Any

from catalog_ai.services.cells import arrow_type, as_arrow, as_json, for_spreadsheets

# format: what browsers call it
FORMATS = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
_AT_ONCE = 10_000  # rows in memory beside the finished file

Row = Sequence[Any]  # the values in the order of the columns
Columns = Mapping[str, str]  # name: what it holds, one of those in `cells`
Part = Sequence[Sequence[Any]]  # some rows, as columns


@dataclass(frozen=True)
class ExportFile:
    """One file, whole; its name carries a hash of its content, so caches never serve an old one."""

    file_name: str
    data: bytes
    rows: int

    @property
    def mime(self) -> str:
        """Return what browsers call this kind of file."""
        return FORMATS[self.file_name.rpartition(".")[2]]

    @cached_property
    def sha256(self) -> str:
        """Return the hash of the content."""
        return sha256(self.data).hexdigest()


def table_file(name: str, columns: Columns, rows: Iterable[Row], format: str) -> ExportFile:
    """Return a file of `rows` in one of `FORMATS`, called after `name` and its content.

    CSV is UTF-8 with a byte order mark, which Excel needs to read accents, and a cell that a
    spreadsheet could run as a formula gets an apostrophe. Parquet and JSON run nothing: there every
    value is as it is, numbers are numbers, and moments are moments.
    """
    parts = _Counted(rows)
    data = _WRITERS[format](columns, parts)
    digest = sha256(data).hexdigest()
    return ExportFile(f"{name}-{digest[:12]}.{format}", data, parts.count)


class _Counted:
    """Rows as parts of columns, counted as they pass: a column is written quicker than a row."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.count = 0

    def __iter__(self) -> Iterator[Part]:
        while part := list(islice(self._rows, _AT_ONCE)):
            self.count += len(part)
            yield list(zip(*part, strict=True))


def _csv(columns: Columns, parts: Iterable[Part]) -> bytes:
    out = io.BytesIO(codecs.BOM_UTF8)
    out.seek(0, io.SEEK_END)
    # Its own encoder of that mark is written in Python, and asked for each row.
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for part in parts:
        writer.writerows(zip(*_changed(for_spreadsheets, part, columns), strict=True))
    text.flush()
    return out.getvalue()


def _json(columns: Columns, parts: Iterable[Part]) -> bytes:
    """One object on each line, in one list."""
    names = (json.dumps(name).replace("%", "%%") for name in columns)
    line = "{" + ", ".join(f"{name}: %s" for name in names) + "}"
    out, between = io.BytesIO(), "[\n"
    for part in parts:
        lines = map(line.__mod__, zip(*_changed(as_json, part, columns), strict=True))
        out.write((between + ",\n".join(lines)).encode())
        between = ",\n"
    out.write(b"\n]\n" if out.tell() else b"[]\n")
    return out.getvalue()


def _parquet(columns: Columns, parts: Iterable[Part]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, arrow_type(holds)) for name, holds in columns.items()])
    out = io.BytesIO()
    with pq.ParquetWriter(out, schema) as writer:
        for part in parts:
            arrays = _changed(as_arrow, part, columns)
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return out.getvalue()


def _changed(
    change: Callable[[Sequence[Any], str], Any], part: Part, columns: Columns
) -> list[Any]:
    return [change(values, holds) for values, holds in zip(part, columns.values(), strict=True)]


_WRITERS: dict[str, Callable[[Columns, Iterable[Part]], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
}
