"""Rows of a JSON or JSON Lines manifest, object by object."""

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from catalog_ai.data.delivery.cells import Number, Row, cells_of, column_name
from catalog_ai.data.delivery.files import as_text
from catalog_ai.errors import SourceError

_SPACE = re.compile(r"[ \t\r\n]*")
_NEXT_OBJECT = re.compile(r"\n[ \t]*(?=\{)|\},\s*(?=\{)")
_MAX_DAMAGES = 1_000  # each costs a search for where to go on
_BLANK = " \t\r\n"


class _Doubled(dict[str, Any]):
    """An object that names one of its keys twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Doubled(found)


# Digits stay as they are written, however many.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=Number, parse_int=Number)


class JsonLinesRows:
    """The rows of a file with one object on each line; a row is "line N".

    `columns` are the keys of the objects read so far.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.columns: dict[str, None] = {}
        self._file = as_text(file)

    def __iter__(self) -> Iterator[Row]:
        for number, line in enumerate(self._file, 1):
            text = line.strip(_BLANK)
            if not text:
                continue
            value, end, wrong = _decoded(text, 0)
            if not wrong and end != len(text):
                wrong = "something follows the object on its line"
            yield f"line {number}", wrong or _cells(value, self.columns)


class JsonRows:
    """The rows of one list of objects; a row is "line N, row M", the line it starts on.

    Behind a damaged object the next one that begins on a line of its own, or right behind
    another, goes on. `columns` are the keys of the objects read so far. Raises `SourceError`
    where there is no list.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.columns: dict[str, None] = {}
        with as_text(file) as opened:
            self._text = opened.read()
        self._begin, self._end = _the_list(self._text, name)

    def __iter__(self) -> Iterator[Row]:
        text, position = self._text, self._begin
        line, counted, row, damages = 1, 0, 0, 0
        while True:
            position = _after_space(text, position)
            line, counted = line + text.count("\n", counted, position), position
            where = f"line {line}, row {row + 1}"
            if text.startswith("]", position):
                position += 1
                if not text[position : self._end].strip(_BLANK + "}"):
                    return
                wrong = "something follows the end of the list"
            else:
                row += 1
                value, position, wrong = _element(text, position)
            if not wrong:
                yield where, _cells(value, self.columns)
                continue
            damages += 1
            found = _NEXT_OBJECT.search(text, position)
            if found is None or damages > _MAX_DAMAGES:
                yield where, f"{wrong}; the rest is left out"
                return
            yield where, wrong
            position = found.end()


def _decoded(text: str, position: int) -> tuple[Any, int, str]:
    """Return (value, where it ends, what is wrong); where it is damaged, that is the end."""
    try:
        return *_DECODER.raw_decode(text, position), ""
    except json.JSONDecodeError as error:
        wrong = f"it is no JSON ({error.msg}, column {error.colno})"
        return None, max(error.pos, position), wrong
    except RecursionError:
        return None, position, "it is nested too deep"


def _element(text: str, position: int) -> tuple[Any, int, str]:
    """Return one object of a list, the position behind its comma, and what is wrong."""
    value, end, wrong = _decoded(text, position)
    if wrong:
        return None, end, wrong
    behind = _after_space(text, end)
    if not text.startswith((",", "]"), behind):
        return None, end, "neither a comma nor the list's end follows it"
    return value, behind + text.startswith(",", behind), ""


def _the_list(text: str, name: str) -> tuple[int, int]:
    """Return (where the one list begins, behind its bracket; where it ends, at most)."""
    start = _after_space(text, 0)
    if text.startswith("[", start):
        return start + 1, len(text)
    if not text.startswith("{", start):
        raise SourceError(f"{name} is no JSON list of objects: write [{{...}}, {{...}}]")
    lists = list(_lists(text, start + 1))
    if len(lists) != 1:
        named = ", ".join(repr(key) for key, _, _ in lists[:9]) or "none"
        raise SourceError(
            f"{name} is an object with {len(lists)} lists ({named}) where the one of the products "
            "is needed; a file with an object on each line is called .jsonl"
        )
    return lists[0][1:]


def _lists(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Yield (key, begin, end) of each list right in an object, up to where it is damaged."""
    more = True
    while more:
        key, position, wrong = _decoded(text, _after_space(text, position))
        position = _after_space(text, position)
        if wrong or not isinstance(key, str) or not text.startswith(":", position):
            return
        begin = _after_space(text, position + 1)
        _, position, wrong = _decoded(text, begin)
        if text.startswith("[", begin):
            yield key, begin + 1, len(text) if wrong else position
        position = _after_space(text, position)
        more = not wrong and text.startswith(",", position)
        position += 1


def _cells(value: object, columns: dict[str, None]) -> Any:
    """Return the cells of an object, or what is wrong with it; note its keys."""
    if not isinstance(value, dict):
        return "it is no object"
    pairs = [(column_name(key), inner) for key, inner in value.items()]
    names = dict.fromkeys(name for name, _ in pairs)
    if isinstance(value, _Doubled) or len(names) != len(pairs):
        return "it has one of its columns twice"
    columns.update(names)
    return cells_of(pairs)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
