"""Columns of values as the cells of a spreadsheet, as JSON and as Parquet, thousands at a time."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

# What a column holds; numbers are rounded to four places, trees come as JSON.
TEXT, NUMBER, WHOLE, FLAG, TIME, TREE = "text", "number", "whole", "flag", "time", "tree"

# Where a spreadsheet could begin a formula: at a cell's start, and, since Excel splits lines at ";"
# and at line ends where the country writes decimal commas, behind those as well. White space and
# invisible characters before the sign are passed over by some; the last four signs are full-width,
# which a Japanese Excel takes for the others.
_SIGN = r"[=+\-@＝＋－＠]"
_PASSED_OVER = r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]"
_AT_START = re.compile(rf"(?={_PASSED_OVER}*{_SIGN}|[\t\r\n])")
_FURTHER_IN = re.compile(rf"(?<=[;\r\n])(?=(?:(?![\r\n]){_PASSED_OVER})*{_SIGN})")
_RISKY_START = re.compile(f"{_SIGN}|{_PASSED_OVER}")

_encoder = json.JSONEncoder(ensure_ascii=False)
_sorting_encoder = json.JSONEncoder(ensure_ascii=False, sort_keys=True)
_quoted = json.encoder.encode_basestring


def for_spreadsheets(values: Sequence[Any], holds: str) -> Iterable[Any]:
    """Return the cells of a column, none that a spreadsheet runs; numbers of ours stay numbers."""
    if holds == TEXT:
        return harmless_texts(values)
    if holds == TREE:
        return harmless_texts(_each(_sorting_encoder.encode, _trees(values)))
    if holds == FLAG:
        return _each(lambda value: "yes" if value else "no", values)
    return _each(datetime.isoformat, values) if holds == TIME else _rounded(values, holds)


def harmless_texts(texts: Sequence[str | None]) -> Sequence[str | None]:
    """Return texts with an apostrophe wherever a spreadsheet could begin a formula.

    Most columns hold none: that shows by their first characters and what splits lines, looked for
    in all at once.
    """
    starts = "".join({text[:1] for text in texts if text})
    whole = "".join(filter(None, texts))
    if not _RISKY_START.search(starts) and not any(split in whole for split in ";\r\n"):
        return texts
    return _each(harmless, texts)


def harmless(text: str) -> str:
    """Return one text with these apostrophes."""
    if ";" in text or "\n" in text or "\r" in text:
        text = _FURTHER_IN.sub("'", text)
    return f"'{text}" if _AT_START.match(text) else text


def as_json(values: Sequence[Any], holds: str) -> Iterable[str]:
    """Return each value of a column as JSON."""
    values = _trees(values) if holds == TREE else values
    return ["null" if text is None else text for text in _each(_JSON[holds], values)]


_JSON: Mapping[str, Callable[[Any], str]] = {
    TEXT: _quoted,
    NUMBER: lambda value: repr(round(value, 4)),
    WHOLE: str,
    FLAG: lambda value: "true" if value else "false",
    TIME: lambda value: _quoted(value.isoformat()),
    TREE: _encoder.encode,
}


def as_arrow(values: Sequence[Any], holds: str) -> Any:
    """Return a column as an array of pyarrow; a tree is its text."""
    import pyarrow as pa

    if holds == TREE:
        values = _each(_sorting_encoder.encode, _trees(values))
    return pa.array(_rounded(values, holds), arrow_type(holds))


def arrow_type(holds: str) -> Any:
    """Return the type of such a column in pyarrow."""
    import pyarrow as pa

    types = {NUMBER: pa.float64(), WHOLE: pa.int64(), FLAG: pa.bool_()}
    return pa.timestamp("us", tz="UTC") if holds == TIME else types.get(holds, pa.string())


def _trees(texts: Sequence[str | None]) -> list[Any]:
    """Return what JSON says, all read at once; what is missing stays missing."""
    read: list[Any] = json.loads(f"[{','.join(text or 'null' for text in texts)}]")
    return read


def _rounded(values: Sequence[Any], holds: str) -> Sequence[Any]:
    return _each(lambda value: round(value, 4), values) if holds == NUMBER else values


def _each(change: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    """Change all that is there; what is missing stays missing."""
    return [None if value is None else change(value) for value in values]
