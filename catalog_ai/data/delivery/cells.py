"""One cell of a manifest: everything becomes text, and nothing is guessed."""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

from catalog_ai.data.delivery.files import DAMAGED, bytes_as_text
from catalog_ai.data.delivery.problems import composed, shown

Value = str | list[Any]
Cells = dict[str, Value]
Row = tuple[str, Cells | str]  # where it starts; its cells, or what is wrong with it

DAMAGE = "it holds null bytes, or bytes that are no UTF-8: save the file as UTF-8"
_EXACT = 2**53  # beyond it a double no longer holds every whole number


class Number(str):
    """A number of a JSON file, as its digits stand there."""

    __slots__ = ()


@lru_cache(maxsize=4096)
def column_name(text: str) -> str:
    """Return what columns are compared by: trimmed, NFC, case-folded, controls as escapes."""
    return shown(composed(text).strip().casefold())


def text_of(value: object) -> str:
    """Return a value as text: numbers as their digits, null and NaN as "", nested ones as JSON."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return _written(value)


def cells_of(pairs: Iterable[tuple[str, object]]) -> Cells | str:
    """Return the filled cells, trimmed, or what is wrong with them; names are `column_name`s.

    Lists stay lists, since they may be several photos. Cells without a name are left out.
    """
    cells: Cells = {}
    for name, value in pairs:
        kept: Value
        if type(value) is str:
            text = kept = value.strip()
        else:
            try:
                text = text_of(value).strip()
            except RecursionError:
                return f"the column {name!r} is nested too deep"
            kept = value if isinstance(value, list) else text
        if not text.isprintable() and DAMAGED.search(text):
            return DAMAGE
        if kept and name:
            cells[name] = kept
    return cells


def _written(value: object) -> str:
    """Return compact JSON; for a bare number or date the same text without quotes."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)
        case bytes():
            return bytes_as_text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            pairs = (f"{_quoted(str(name))}:{_inner(inner)}" for name, inner in value.items())
            return f"{{{','.join(pairs)}}}"
        case list() | tuple():
            return f"[{','.join(map(_inner, value))}]"
        case _:
            return str(value)


def _inner(value: object) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, bool | int | float | Decimal | Mapping | list | tuple):
        return _written(value)
    return _quoted(text_of(value))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
