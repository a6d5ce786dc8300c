"""Tables as files for other programs: CSV for people with a spreadsheet, Parquet and JSON."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

# format: what browsers call it
FORMATS = {
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
# What a column holds.
TEXT, NUMBER, WHOLE, FLAG, TIME, TREE = "text", "number", "whole", "flag", "time", "tree"

_AT_ONCE = 10_000  # rows in memory beside the finished file
# Where a spreadsheet could begin a formula: at a cell's start, and, since Excel splits lines at ";"
# and at line ends where the country writes decimal commas, behind those as well. White space and
# invisible characters before the sign are passed over by some; the last four signs are full-width,
# which a Japanese Excel takes for the others.
_SIGN = r"[=+\-@＝＋－＠]"
_PASSED_OVER = r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]"
_AT_START = re.compile(rf"(?={_PASSED_OVER}*{_SIGN}|[\t\r\n])")
_FURTHER_IN = re.compile(rf"(?<=[;\r\n])(?=(?:(?![\r\n]){_PASSED_OVER})*{_SIGN})")

Row = Mapping[str, Any]
Columns = Mapping[str, str]  # name: what it holds


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

    @property
    def sha256(self) -> str:
        """Return the hash of the content."""
        return sha256(self.data).hexdigest()


def table_file(name: str, columns: Columns, rows: Iterable[Row], format: str) -> ExportFile:
    """Return a file of `rows` in one of `FORMATS`, called after `name` and its content.

    CSV is UTF-8 with a byte order mark, which Excel needs to read accents, and a cell that a
    spreadsheet could run as a formula gets an apostrophe. Parquet and JSON run nothing: there every
    value is as it is, numbers are numbers, and moments are moments.
    """
    counted = _Counted(rows)
    data = _WRITERS[format](columns, counted)
    digest = sha256(data).hexdigest()
    return ExportFile(f"{name}-{digest[:12]}.{format}", data, counted.count)


class _Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _csv(columns: Columns, rows: Iterable[Row]) -> bytes:
    binary = io.BytesIO()
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in rows)
    text.flush()
    return binary.getvalue()


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet runs as a formula; numbers of ours stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        value = _compact(value)
    return _harmless(value) if isinstance(value, str) else value


def _harmless(text: str) -> str:
    if ";" in text or "\n" in text or "\r" in text:
        text = _FURTHER_IN.sub("'", text)
    return f"'{text}" if _AT_START.match(text) else text


def _json(columns: Columns, rows: Iterable[Row]) -> bytes:
    """One object on each line, in one list."""
    out, between = io.BytesIO(), b"[\n"
    for row in rows:
        values = {name: _plain(row[name]) for name in columns}
        out.write(between + json.dumps(values, ensure_ascii=False).encode())
        between = b",\n"
    out.write(b"\n]\n" if out.tell() else b"[]\n")
    return out.getvalue()


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _parquet(columns: Columns, rows: Iterable[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        **dict.fromkeys((TEXT, TREE), pa.string()),
        **{NUMBER: pa.float64(), WHOLE: pa.int64(), FLAG: pa.bool_()},
        TIME: pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, types[holds]) for name, holds in columns.items()])
    trees = [name for name, holds in columns.items() if holds == TREE]
    out, waiting = io.BytesIO(), iter(rows)
    with pq.ParquetWriter(out, schema) as writer:
        while part := list(islice(waiting, _AT_ONCE)):
            written = [{**row, **{name: _compact(row[name]) for name in trees}} for row in part]
            writer.write_table(pa.Table.from_pylist(written, schema))
    return out.getvalue()


def _compact(tree: Any) -> str:
    return json.dumps(tree, ensure_ascii=False, sort_keys=True)


_WRITERS: dict[str, Callable[[Columns, Iterable[Row]], bytes]] = {
    "csv": _csv,
    "parquet": _parquet,
    "json": _json,
}
