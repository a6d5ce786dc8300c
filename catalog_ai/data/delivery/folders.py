"""Products of a folder without manifest: the folder is the category, the name is the SKU."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from catalog_ai.data.delivery import problems
from catalog_ai.data.delivery.items import Problem, Source, SourceItem, Split, clean_sku
from catalog_ai.data.delivery.walk import Listing, stem

SPLITS: dict[str, Split] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}


def from_folders(
    root: Path, listing: Listing, label_of: Callable[[str | None], str | None]
) -> Source:
    """Return the products of category folders, or of a flat folder without labels."""
    found = [_item(root, name, label_of) for name in listing.photos]
    is_flat = not any(_category(name)[0] for name in listing.photos)
    kind: Literal["folders", "flat"] = "flat" if is_flat else "folders"
    wrong = list(listing.problems)
    return Source(root, kind, tuple(_distinct(found, wrong)), problems=tuple(wrong))


def _category(name: str) -> tuple[str | None, Split | None]:
    """Return (the folder that a photo lies in, its split); `train/a.jpg` lies in no category."""
    parts = name.split("/")[:-1]
    split = SPLITS.get(parts[0].casefold()) if parts else None
    return (parts[-1] if len(parts) > (split is not None) else None), split


def _item(root: Path, name: str, label_of: Callable[[str | None], str | None]) -> SourceItem:
    category, split = _category(name)
    sku = clean_sku(_tail(name, 1))
    return SourceItem(sku, root, name, label_of(category), split=split)


def _distinct(items: Sequence[SourceItem], wrong: list[Problem]) -> Iterator[SourceItem]:
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
            wrong.append(problems.duplicate_sku(item.image, item.sku))
        elif problems.is_bad_sku(item.sku):
            wrong.append(problems.bad_sku(item.image))
        else:
            taken.add(item.sku)
            yield item


def _tail(image: str, parts: int) -> str:
    return "/".join(stem(image).split("/")[-parts:])
