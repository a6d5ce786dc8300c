"""Which products a delivery means, also where it brings nothing of them that can be used."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from catalog_ai.data.delivery.items import Problem, Source
from catalog_ai.data.delivery.naming import skus_of
from catalog_ai.data.delivery.walk import PHOTO_ENDINGS, ending, without_ending

_UNREAD = {"bad_row": "row", "bad_sku": "SKU", "unreadable": "folder"}


def intended_skus(source: Source) -> set[str]:
    """Return the SKUs of all that is delivered, with all that refused entries may be of.

    A photo that was replaced by a link or by a GIF has the SKU that it would have as a photo. A
    delivery with a manifest says itself which products it has.
    """
    refused = list(source.unusable)
    if source.kind != "manifest":
        refused += [problem.image for problem in source.problems]
    skus = {item.sku for item in source.items} | set(source.unusable)
    return skus.union(chain.from_iterable(map(_would_be, refused)))


def refused_places(source: Source) -> set[str]:
    """Return the paths of a folder's refused entries, without their endings.

    A product whose photo lay there is meant, whatever its SKU: one that moved kept its own.
    """
    if source.kind == "manifest":
        return set()
    return {place for one in source.problems for place in without_ending(one.image)}


def of_any_product(source: Source) -> Counter[str]:
    """Return what was not read and may hold any product: "row", "folder", … → how many."""
    kinds = (_unread(problem, source.kind == "manifest") for problem in source.problems)
    return Counter(kind for kind in kinds if kind)


def _unread(problem: Problem, in_manifest: bool) -> str:
    if in_manifest or problem.code == "unreadable":
        return _UNREAD.get(problem.code, "")
    is_photo = ending(problem.image) in PHOTO_ENDINGS
    if problem.code == "bad_name" and is_photo:
        return "file name"
    if problem.code == "unsafe_path" and not is_photo:
        return "link"  # perhaps to a folder
    return ""


def _would_be(image: str) -> Iterator[str]:
    """Return the SKUs that a photo of that name may have, whatever its ending."""
    return chain.from_iterable(map(skus_of, without_ending(image)))
