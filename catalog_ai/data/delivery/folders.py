"""Products of a folder without manifest: the folder is the category, the name is the SKU."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from catalog_ai.data.delivery import problems
from catalog_ai.data.delivery.items import Problem, Source, SourceItem, Split
from catalog_ai.data.delivery.naming import KnownNames, name_of, nobody, with_names
from catalog_ai.data.delivery.walk import PHOTO_ENDINGS, Listing, ending, stem, without_ending

SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}


def from_folders(
    root: Path,
    listing: Listing,
    label_of: Callable[[str | None], str | None],
    known: KnownNames = nobody,
) -> Source:
    """Return the products of category folders, or of a flat folder without labels.

    `known` tells which SKUs the catalogue has given out.
    """
    named = [_item(root, name, label_of) for name in listing.photos]
    found = with_names(named, known, set(_refused_places(listing)))
    is_flat = not any(_category(name)[0] for name in listing.photos)
    kind: Literal["folders", "flat"] = "flat" if is_flat else "folders"
    wrong = list(listing.problems)
    refused: list[str] = []
    items = tuple(_usable(found, wrong, refused))
    return Source(root, kind, items, problems=tuple(wrong), unusable=tuple(refused))


def _refused_places(listing: Listing) -> Iterator[str]:
    """Yield where photos may have been that were refused, as `with_names` wants them."""
    for name, code in listing.refused.items():
        yield from without_ending(name)
        if code == "unsafe_path" and ending(name) not in PHOTO_ENDINGS:
            yield f"{name}/"  # a link, perhaps to a folder
    for problem in listing.problems:
        if problem.code == "unreadable":
            yield f"{problem.image}/"


def _category(name: str) -> tuple[str | None, Split | None]:
    """Return (the folder that a photo lies in, its split); `train/a.jpg` lies in no category."""
    parts = name.split("/")[:-1]
    split = SPLITS.get(parts[0].casefold()) if parts else None
    return (parts[-1] if len(parts) > (split is not None) else None), split


def _item(root: Path, name: str, label_of: Callable[[str | None], str | None]) -> SourceItem:
    category, split = _category(name)
    sku = name_of(stem(name))
    return SourceItem(sku, root, name, label_of(category), split=split)


def _usable(
    items: Iterable[SourceItem], wrong: list[Problem], refused: list[str]
) -> Iterator[SourceItem]:
    """Yield what can be taken in; note what is wrong with the rest, and SKUs that are refused."""
    taken: set[str] = set()
    for item in items:
        if item.sku in taken:
            wrong.append(problems.duplicate_sku(item.image, item.sku))
        elif problems.is_bad_sku(item.sku):
            wrong.append(problems.bad_sku(item.image))
        elif problems.is_bad_label(item.label):
            wrong.append(problems.bad_label(item.image))
            refused.append(item.sku)
        else:
            taken.add(item.sku)
            yield item
