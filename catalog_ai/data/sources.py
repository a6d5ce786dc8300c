"""Read a folder of photos: which products it delivers, under which label, and what is wrong.

Three layouts: one folder per category (with or without `train/` and `validation/` above them), a
folder with a `manifest.csv`, and a flat folder of photos without labels. Nothing is decoded here.
"""

import csv
import io
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from catalog_ai.errors import SourceError

MANIFEST = "manifest.csv"
PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp"})
SPLITS: dict[str, "Split"] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}
NO_LABEL_WORDS = frozenset(
    {"", "?", "not sure", "other", "skip", "unknown", "none", "n/a", "unlabeled", "unlabelled"}
)
_SKU_COLUMNS = ("sku", "id", "product_id")
_IMAGE_COLUMNS = ("image", "file", "path", "image_path")
_LABEL_COLUMNS = ("label", "category")
_TITLE_COLUMNS = ("title", "name")
_MAX_SKU = 255

Split = Literal["train", "validation"]


@dataclass(frozen=True)
class SourceItem:
    """One product as delivered; `image` is its path relative to the source, as reported."""

    sku: str
    path: Path
    image: str
    label: str | None
    title: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    split: Split | None = None


@dataclass(frozen=True)
class Problem:
    """One photo or row that cannot be used: a stable code and a sentence."""

    image: str
    code: str
    reason: str


@dataclass(frozen=True)
class Source:
    """What one folder delivers, in a fixed order."""

    root: Path
    kind: Literal["folders", "manifest", "flat"]
    items: tuple[SourceItem, ...]
    missing: tuple[str, ...] = ()  # rows whose photo never came
    unlisted: tuple[str, ...] = ()  # photos that no row mentions
    problems: tuple[Problem, ...] = ()


def read_source(path: Path | str) -> Source:
    """Return what the folder `path` delivers. Raises `SourceError`."""
    try:
        root = Path(path).expanduser().resolve()
        is_folder = root.is_dir()
    except (OSError, ValueError, RuntimeError):
        is_folder = False  # no path at all: a null byte, an unknown user, a name too long
    if not is_folder:
        raise SourceError(f"{str(path)!r} is not a folder: give the folder that holds the photos")
    if (root / MANIFEST).is_symlink():
        raise SourceError(f"{MANIFEST} is a link, which is not followed: deliver the file itself")
    source = _from_manifest(root) if (root / MANIFEST).is_file() else _from_folders(root)
    if not (source.items or source.missing or source.problems):
        raise SourceError(
            f"{str(path)!r} holds no photos: put JPEG, PNG or WebP files into one folder per "
            f"category, or beside a {MANIFEST}"
        )
    return source


def normal_label(label: str) -> str:
    """Return what labels are compared by: trimmed, single spaces, NFC, case-folded."""
    return " ".join(unicodedata.normalize("NFC", label).split()).casefold()


def usable_classes(labels: Iterable[str | None], *, minimum: int = 8) -> list[str]:
    """Return the categories with at least `minimum` photos, sorted, in their commonest spelling.

    Words that say "no label" ("Not sure", "Other", …) are none. Labels are usable for training
    when at least two categories come back.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label in labels:
        if label is not None and normal_label(label) not in NO_LABEL_WORDS:
            spellings[normal_label(label)][" ".join(label.split())] += 1
    usable = [counts for counts in spellings.values() if counts.total() >= minimum]
    return sorted(min(counts, key=lambda name: (-counts[name], name)) for counts in usable)


def clean_sku(text: str) -> str:
    """Return a SKU trimmed and in NFC, so that one product never gets two spellings."""
    return unicodedata.normalize("NFC", text).strip()


# --- folders -------------------------------------------------------------------------------------


def _from_folders(root: Path) -> Source:
    problems: list[Problem] = []
    found = list(_photos(root, problems))
    labelled = [item for item in found if item.label is not None]
    kind: Literal["folders", "flat"] = "folders" if labelled else "flat"
    return Source(root, kind, tuple(_distinct(found, problems)), problems=tuple(problems))


def _photos(root: Path, problems: list[Problem]) -> Iterator[SourceItem]:
    for path in _files(root):
        image = path.relative_to(root).as_posix()
        if path.suffix.lower() not in PHOTO_ENDINGS:
            continue
        if path.is_symlink() or not path.is_file():
            problems.append(_unsafe(image))
            continue
        parts = PurePosixPath(image).parts[:-1]
        split = SPLITS.get(parts[0].casefold()) if parts else None
        label = parts[-1] if len(parts) > (split is not None) else None
        yield SourceItem(clean_sku(path.stem), path, image, label, split=split)


def _files(root: Path) -> Iterator[Path]:
    """Yield the files under `root` in a fixed order; hidden ones and linked folders are left."""
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name


def _distinct(items: Sequence[SourceItem], problems: list[Problem]) -> Iterator[SourceItem]:
    """Give items whose names collide a longer SKU, the folder's name first; never merge them."""
    for depth in (1, 2, 3):
        counts = Counter(item.sku for item in items)
        if max(counts.values(), default=1) == 1:
            break
        items = [
            item
            if counts[item.sku] == 1
            else replace(item, sku=clean_sku(_tail(item.image, depth + 1)))
            for item in items
        ]
    taken: set[str] = set()
    for item in items:
        if item.sku in taken:
            problems.append(_duplicate(item.image, item.sku))
        elif not item.sku or len(item.sku) > _MAX_SKU:
            problems.append(_bad_sku(item.image))
        else:
            taken.add(item.sku)
            yield item


def _tail(image: str, parts: int) -> str:
    path = PurePosixPath(image)
    return "/".join((*path.parts[:-1], path.stem)[-parts:])


# --- manifest ------------------------------------------------------------------------------------


def _from_manifest(root: Path) -> Source:
    problems: list[Problem] = []
    missing: list[str] = []
    photos = _photos_by_name(root, problems)
    items: dict[str, SourceItem] = {}
    mentioned: set[Path] = set()
    for line, row in _rows(root / MANIFEST, problems):
        image = _first(row, _IMAGE_COLUMNS) or _first(row, _SKU_COLUMNS)
        unsafe = not image or _is_unsafe(image)
        path = None if unsafe else photos.get(_photo_key(image))
        sku = clean_sku(_first(row, _SKU_COLUMNS) or PurePosixPath(image).stem)
        if unsafe:
            problems.append(_unsafe(image or f"line {line}"))
        elif path is None:
            missing.append(image)
        elif not sku or len(sku) > _MAX_SKU:
            problems.append(_bad_sku(image))
        elif sku in items:
            mentioned.add(path)
            problems.append(_duplicate(f"line {line}: {image}", sku))
        else:
            mentioned.add(path)
            items[sku] = _item(root, sku, path, row)
    everything = dict.fromkeys(photos.values())
    unlisted = [path.relative_to(root).as_posix() for path in everything if path not in mentioned]
    return Source(
        *(root, "manifest", tuple(items.values())),
        missing=tuple(missing),
        unlisted=tuple(unlisted),
        problems=tuple(problems),
    )


def _item(root: Path, sku: str, path: Path, row: dict[str, str]) -> SourceItem:
    used = {*_SKU_COLUMNS, *_IMAGE_COLUMNS, *_LABEL_COLUMNS, *_TITLE_COLUMNS}
    return SourceItem(
        sku,
        path,
        path.relative_to(root).as_posix(),
        _first(row, _LABEL_COLUMNS) or None,
        title=_first(row, _TITLE_COLUMNS),
        attributes={name: value for name, value in row.items() if name not in used and value},
    )


def _rows(manifest: Path, problems: list[Problem]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, column → trimmed value); damaged rows become problems."""
    text = manifest.read_bytes().decode("utf-8-sig", errors="replace").replace("\0", "\ufffd")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise SourceError(f"{MANIFEST} has no readable header line: {error or 'empty'}") from error
    if not set(header) & {*_IMAGE_COLUMNS, *_SKU_COLUMNS}:
        raise SourceError(
            f"{MANIFEST} has the columns {', '.join(header)}: one named 'image' is needed"
        )
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(_bad_row(reader.line_num, str(error)))
            continue
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(header):
            reason = f"{len(values)} columns where the header has {len(header)}"
            problems.append(_bad_row(reader.line_num, reason))
            continue
        yield (
            reader.line_num,
            {name: value.strip() for name, value in zip(header, values, strict=True)},
        )


def _photos_by_name(root: Path, problems: list[Problem]) -> dict[str, Path]:
    """Return how a row may call a photo → its file: from the root or from `images/`."""
    photos: dict[str, Path] = {}
    for item in _photos(root, problems):
        relative = PurePosixPath(item.image)
        names = [relative]
        if relative.parts[0] == "images":
            names.append(relative.relative_to("images"))
        for name in names:
            photos.setdefault(_photo_key(name.as_posix()), item.path)
            photos.setdefault(_photo_key(name.with_suffix("").as_posix()), item.path)
    return photos


def _photo_key(image: str) -> str:
    return unicodedata.normalize("NFC", PurePosixPath(image.strip()).as_posix())


def _is_unsafe(image: str) -> bool:
    """Whether a row points anywhere but below the source; such a path is never opened."""
    path = PurePosixPath(image)
    outside = path.is_absolute() or ".." in path.parts or "\\" in image
    return outside or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", image))


def _first(row: dict[str, str], columns: Sequence[str]) -> str:
    return next((row[name] for name in columns if row.get(name)), "")


def _unsafe(image: str) -> Problem:
    return Problem(image, "unsafe_path", "only plain files inside the delivered folder are read")


def _duplicate(image: str, sku: str) -> Problem:
    return Problem(image, "duplicate_sku", f"the SKU {sku!r} came before: the first one counts")


def _bad_sku(image: str) -> Problem:
    return Problem(image, "bad_sku", f"the SKU is empty or longer than {_MAX_SKU} characters")


def _bad_row(line: int, reason: str) -> Problem:
    return Problem(f"line {line}", "bad_row", f"the row cannot be read: {reason}")
