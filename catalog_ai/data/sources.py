"""Read a delivery: which products it brings, under which label, and what is wrong with it.

SOURCE is one of

* a folder with one folder per category (with or without `train/` and `validation/` above them);
* a folder of photos without labels;
* a folder with a manifest: `manifest.csv`, `.json` (a list of objects, or an object with one list
  in it), `.jsonl` or `.ndjson` (an object on each line) or `.parquet`; where no file is called
  manifest, the only one with such an ending;
* a manifest itself: its photos lie below the folder that it is in.

Every value of a manifest is text and stays as it is: "NA", "null", "007" and "1e5" are words, a
number becomes its digits, null and NaN are absent, nested values become compact JSON. Columns are
found by their common names, whatever their case (`delivery.columns.NAMES`), or by `columns`; all
others become attributes. A product may have several photos, the first is the main one: a list, a
cell with parts between "|" or ";", columns `image_2`, `image_3`, and further rows of its SKU that
say nothing else. Several products may share a photo.

Nothing is passed over but dot-files, dot-folders and the manifest: whatever else is no regular
JPEG, PNG or WebP file by name, and every row that cannot be used, is a `Problem`:

    format_not_allowed   another ending, or none
    unsafe_path          a link; a row that names anything but a delivered photo: `..`, an absolute
                         path, a URL, a drive, a backslash, `~`, a way through a link, a pipe
    not_a_file           a pipe, socket or device
    not_an_image         a folder called like a photo; what lies in it is taken
    unreadable           a folder that cannot be listed
    bad_name             a name that is no UTF-8 or holds control characters, shown with escapes
    bad_row              a row that cannot be read; the others go on
    bad_sku              empty, longer than 255 characters, or with control characters
    bad_label            a label longer than 255 characters, as it would be stored
    duplicate_sku        the SKU came before with other values; the first counts

The order is fixed: the same files give the same `Source`. No photo is opened or decoded here, and
no file but the manifest is opened at all; links are not followed and nothing is fetched.
"""

from collections.abc import Mapping
from pathlib import Path

from catalog_ai.data.delivery.categories import CategoryMap, read_categories, unmapped_labels
from catalog_ai.data.delivery.columns import Columns
from catalog_ai.data.delivery.folders import SPLITS, from_folders
from catalog_ai.data.delivery.items import (
    Problem,
    Source,
    SourceItem,
    Split,
    clean_sku,
)
from catalog_ai.data.delivery.manifests import FORMATS, format_of, from_manifest, manifest_of
from catalog_ai.data.delivery.naming import KnownNames, Named, name_of, nobody
from catalog_ai.data.delivery.walk import PHOTO_ENDINGS, list_entries
from catalog_ai.data.labels import NO_LABEL_WORDS, normal_label, usable_classes
from catalog_ai.errors import SourceError

__all__ = [
    "NO_LABEL_WORDS",
    "PHOTO_ENDINGS",
    "SPLITS",
    "CategoryMap",
    "KnownNames",
    "Named",
    "Problem",
    "Source",
    "SourceItem",
    "Split",
    "clean_sku",
    "name_of",
    "nobody",
    "normal_label",
    "read_categories",
    "read_source",
    "unmapped_labels",
    "usable_classes",
]


def read_source(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    categories: CategoryMap | None = None,
    known: KnownNames = nobody,
) -> Source:
    """Return what the folder or manifest `path` delivers.

    `columns` maps our field (sku, image, title, label, price, stock, brand) → the feed's column.
    `categories` turns the feed's labels into ours; the label "?" is none, with or without it.
    `known` tells which SKUs a catalogue has given to photos of folders (`delivery.naming`).
    Raises `SourceError` where nothing at all can be read, `UnfinishedSourceError` where a manifest
    changes meanwhile, `UsageError` for an unknown field.
    """
    wanted = Columns(columns)
    label_of = (categories or CategoryMap()).of
    root, manifest = _found(path)
    if manifest is not None:
        source = from_manifest(manifest, wanted, label_of)
    else:
        source = from_folders(root, list_entries(root), label_of, known)
    if not (source.items or source.missing or source.problems):
        raise SourceError(
            f"{str(path)!r} holds no photos: put JPEG, PNG or WebP files into one folder per "
            "category, or beside a manifest.csv"
        )
    return source


def _found(path: Path | str) -> tuple[Path, Path | None]:
    """Return (the folder of the photos, the manifest if there is one). Raises `SourceError`."""
    try:
        given = Path(path).expanduser()
        is_link = given.is_symlink()
        given = given.resolve()
        is_folder, is_file = given.is_dir(), given.exists()
    except (OSError, ValueError, RuntimeError):
        # No path at all: a null byte, an unknown user, a name too long.
        is_folder = is_file = is_link = False
    if is_folder:
        return given, manifest_of(given)
    if is_link and is_file:
        raise SourceError(f"{str(path)!r} is a link, which is not followed: name the manifest")
    if not is_file or not format_of(given.name):
        raise SourceError(
            f"{str(path)!r} is not a folder and no manifest ({', '.join(FORMATS)}): give the "
            "folder that holds the photos"
        )
    return given.parent, given
