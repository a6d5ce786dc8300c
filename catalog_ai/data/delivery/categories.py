"""The feed's words for categories → ours, from a file that a person keeps."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog_ai.data.delivery.files import DAMAGED, as_text, open_plain
from catalog_ai.data.delivery.items import Source
from catalog_ai.data.labels import normal_label
from catalog_ai.errors import SourceError, UsageError

NO_LABEL = "?"


@dataclass(frozen=True)
class CategoryMap:
    """`targets` maps `normal_label` → our category, or None where a label is to be suggested."""

    targets: Mapping[str, str | None] = field(default_factory=dict)

    def of(self, label: str | None) -> str | None:
        """Return our category for the feed's `label`; "?" is none, an unknown one stays."""
        if label is None or label.strip() in {"", NO_LABEL}:
            return None
        return self.targets.get(normal_label(label), label) if self.targets else label


def read_categories(path: Path | str) -> CategoryMap:
    """Return what a mapping file says: lines `Polo = t-shirt`, or a CSV with two columns.

    `?` on the right means "no label, suggest one". Blank lines and those that begin with `#` are
    comments. Case and spaces do not matter. Raises `UsageError`, which names file and line.
    """
    file = Path(path)
    targets: dict[str, str | None] = {}
    lines = _lines(file)
    for number, pair in _from_csv(lines) if file.suffix.lower() == ".csv" else _from_lines(lines):
        where = f"{file.name}, line {number}"
        theirs, ours = pair if len(pair) == 2 else ("", "")
        if not theirs or not ours:
            raise UsageError(f"{where}: write the feed's word and ours, as in Polo = t-shirt")
        target = None if ours == NO_LABEL else ours
        if targets.setdefault(normal_label(theirs), target) != target:
            raise UsageError(f"{where}: {theirs!r} stands there before with another category")
    return CategoryMap(targets)


def unmapped_labels(source: Source, known: Iterable[str]) -> dict[str, int]:
    """Return the labels that are no `known` category → how many products, most first.

    Spellings that differ in case and spaces count together, under the commonest of them.
    """
    ours = {normal_label(name) for name in known}
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for item in source.items:
        if item.label is not None and normal_label(item.label) not in ours:
            spellings[normal_label(item.label)][item.label] += 1
    named = {
        min(counts, key=lambda name: (-counts[name], name)): counts.total()
        for counts in spellings.values()
    }
    return dict(sorted(named.items(), key=lambda pair: (-pair[1], pair[0])))


def _lines(file: Path) -> list[tuple[int, str]]:
    """Return (number, line) of a mapping file, without comments and blank lines."""
    try:
        with open_plain(file, follow=True) as opened, as_text(opened) as text:
            lines = list(enumerate(text, 1))
    except SourceError as error:
        raise UsageError(str(error)) from error  # it is the flag that is wrong, not the delivery
    for number, line in lines:
        if DAMAGED.search(line):
            raise UsageError(f"{file.name}, line {number}: save the file as UTF-8")
    return [(n, line.strip()) for n, line in lines if line.strip() and line.lstrip()[0] != "#"]


def _from_lines(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Split at the last "=", since only the feed's words may hold one."""
    for number, line in lines:
        yield number, [part.strip() for part in line.rsplit("=", 1)]


def _from_csv(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    delimiter = ""
    for number, line in lines:
        delimiter = delimiter or max(",;\t", key=line.count)
        try:
            values = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            values = []
        yield number, [value.strip() for value in values]
