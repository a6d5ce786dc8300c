"""An evaluation as a page that a person can read: figures, confusions, mistakes, look-alikes."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from catalog_ai.data.sources import SourceItem
from catalog_ai.errors import PhotoError
from catalog_ai.evaluation.report import Evaluation, Seen
from catalog_ai.images import decode, read_photo, small_jpeg

MISTAKES = 24
EXAMPLES = 8
NEIGHBOURS = 5
_SIDE = 160
_FIGURES = (
    ("accuracy", "Right category, among those present", True),
    ("accuracy_all", "Right category, among all that the model knows", True),
    ("calibration_error", "Expected calibration error", True),
    ("top1", "Same category first", True),
    ("top5", "Same category among five", True),
    ("map_at_r", "mAP@R", False),
    ("reshot_recall_at_1", "Same garment, shot again, found first", True),
    ("same_class_distance", "Mean distance within a category", False),
    ("different_class_distance", "Mean distance between categories", False),
)


@dataclass(frozen=True)
class Picture:
    """One photo of the page; `source` is what an <img> or a Markdown image points to."""

    source: str
    words: str
    right: bool | None = None


@dataclass(frozen=True)
class Example:
    """A query and what was found for it, the closest first."""

    query: Picture
    found: tuple[Picture, ...]


def write_report(evaluation: Evaluation, figures: dict[str, Any], path: Path) -> None:
    """Write the page to `path`: HTML in one file, or Markdown with its pictures in a folder beside.

    Raises `OSError`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    is_html = path.suffix.lower() == ".html"
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    if not is_html:
        templates.filters["plain"] = _plain
    keep = _inline if is_html else _beside(path)
    text = templates.get_template("report.html" if is_html else "report.md").render(
        figures=figures,
        headline=[(words, _shown(figures[name], share)) for name, words, share in _FIGURES],
        confusion=_confusion(evaluation),
        mistakes=list(_mistakes(evaluation, keep)),
        examples=list(_examples(evaluation, keep)),
        lost=list(_lost(evaluation, keep)),
    )
    path.write_text(text)


def _shown(value: float | None, share: bool) -> str:
    if value is None:
        return "–"
    return f"{value:.1%}" if share else f"{value:.3f}"


def _confusion(evaluation: Evaluation) -> dict[str, Any]:
    """Return the rows and columns that hold anything, with each cell's share of its row."""
    counts = np.array(evaluation.figures["confusion"], np.int64)
    if not counts.size:
        return {"names": [], "rows": []}
    used = np.flatnonzero(counts.sum(0) + counts.sum(1))
    rows = [
        {
            "name": evaluation.classes[row],
            "cells": [
                {
                    "count": int(counts[row, column]),
                    "share": float(counts[row, column] / max(1, counts[row].sum())),
                    "right": row == column,
                }
                for column in used
            ],
        }
        for row in used
    ]
    return {"names": [evaluation.classes[column] for column in used], "rows": rows}


def _mistakes(evaluation: Evaluation, keep: "Keep") -> Iterator[Picture]:
    """Yield the photos whose wrong category the model was surest of, the surest first."""
    seen = evaluation.queries
    sure = np.zeros(len(seen.items))
    for row in np.flatnonzero(evaluation.known):
        label = evaluation.categories[evaluation.targets[row]]
        predicted = evaluation.predicted[row]
        if evaluation.normal_classes[predicted] != label:
            sure[row] = seen.probabilities[row, predicted]
    for row in np.argsort(-sure, kind="stable")[:MISTAKES]:
        if sure[row] > 0:
            item, name = seen.items[row], evaluation.classes[evaluation.predicted[row]]
            words = f"{item.label} taken for {name}, {sure[row]:.0%} sure"
            yield keep(item, words, False)


def _examples(evaluation: Evaluation, keep: "Keep") -> Iterator[Example]:
    """Yield one query of each category, then further ones, with its closest photos."""
    order = sorted(range(len(evaluation.targets)), key=lambda row: _turn(evaluation.targets, row))
    yield from (_example(evaluation, row, keep) for row in order[:EXAMPLES])


def _lost(evaluation: Evaluation, keep: "Keep") -> Iterator[Example]:
    """Yield garments that were not found first when shot again."""
    missed = np.flatnonzero(~evaluation.found_first)[:EXAMPLES]
    for row in missed:
        found = _nearest(evaluation, evaluation.queries.reshot[row], None)
        yield _shown_with(evaluation, row, found, keep, own=True)


def _example(evaluation: Evaluation, row: int, keep: "Keep") -> Example:
    found = _nearest(evaluation, evaluation.queries.vectors[row], row)
    return _shown_with(evaluation, row, found, keep, own=False)


def _shown_with(
    evaluation: Evaluation, row: int, found: NDArray[np.int64], keep: "Keep", *, own: bool
) -> Example:
    """Return a query with what was found; `own`: only the photo itself is right."""
    query = evaluation.queries.items[row]
    pictures = []
    for place in found:
        item, label = _item(evaluation, int(place))
        right = bool(place == row) if own else label == evaluation.targets[row]
        pictures.append(keep(item, str(item.label), bool(right)))
    return Example(keep(query, str(query.label), None), tuple(pictures))


def _item(evaluation: Evaluation, place: int) -> tuple[SourceItem, int]:
    here = len(evaluation.queries.items)
    if place < here or evaluation.gallery is None:
        return evaluation.queries.items[place], int(evaluation.targets[place])
    other = place - here
    return evaluation.gallery.items[other], int(evaluation.gallery_targets[other])


def _nearest(
    evaluation: Evaluation, vector: NDArray[np.float32], exclude: int | None
) -> NDArray[np.int64]:
    parts: list[Seen] = [evaluation.queries]
    if evaluation.gallery is not None:
        parts.append(evaluation.gallery)
    distances = np.linalg.norm(np.concatenate([part.vectors for part in parts]) - vector, axis=1)
    if exclude is not None:
        distances[exclude] = np.inf
    nearest: NDArray[np.int64] = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    return nearest


def _turn(targets: NDArray[np.int64], row: int) -> tuple[int, int]:
    """Sort by: how many of the same category came before, then the row."""
    return int((targets[:row] == targets[row]).sum()), row


Keep = Callable[[SourceItem, str, bool | None], Picture]


def _inline(item: SourceItem, words: str, right: bool | None) -> Picture:
    data = _small(item)
    source = "" if data is None else f"data:image/jpeg;base64,{b64encode(data).decode()}"
    return Picture(source, words, right)


def _beside(path: Path) -> Keep:
    folder = path.with_name(f"{path.stem}_pictures")
    number = 0

    def keep(item: SourceItem, words: str, right: bool | None) -> Picture:
        nonlocal number
        data = _small(item)
        if data is None:
            return Picture("", words, right)
        folder.mkdir(exist_ok=True)
        number += 1
        (folder / f"{number:03}.jpg").write_bytes(data)
        return Picture(f"{folder.name}/{number:03}.jpg", words, right)

    return keep


def _small(item: SourceItem) -> bytes | None:
    try:
        image = Image.fromarray(decode(read_photo(item.path)))
    except PhotoError:
        return None  # it was there a moment ago
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return small_jpeg(image)


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+-.!|~" else sign for sign in text)
