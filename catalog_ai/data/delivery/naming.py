"""Which SKU a photo of a folder gets: its file's name, and a longer one where that is taken.

A product keeps the SKU that it has: whoever comes later, or leaves, changes nobody else's. A photo
is known again by its `place`, the way to it without its ending, or else by its folder and name. So
is one that was delivered and refused: nobody else gets its SKU meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from catalog_ai.data.delivery.items import SourceItem, clean_sku
from catalog_ai.data.delivery.walk import stem

_DEPTHS = (2, 3, 4, 10_000)  # parts of a place that a longer SKU has; the last are all of them
_MARK = "/"  # at the end of what was refused: a folder that may hold anything


@dataclass(frozen=True, slots=True)
class Named:
    """A product that came before; `image` is its main photo, relative to the source."""

    sku: str
    image: str
    in_the_feed: bool = True


# Given names of files → how many photos are called so tonight, returns the products that came
# before whose SKU is such a name, or ends in "/" and one. Those of a name that only one photo has
# may be left out, where none of them has a longer SKU.
KnownNames = Callable[[Mapping[str, int]], Iterable[Named]]


def nobody(names: Mapping[str, int]) -> Iterable[Named]:
    """Return no product: nothing came before."""
    return ()


def name_of(sku: str) -> str:
    """Return the name of a file by its place, or by the SKU that was made of it."""
    return clean_sku(sku.rpartition("/")[2])


def skus_of(place: str) -> Iterator[str]:
    """Yield the SKUs that a photo of that place may have been given."""
    yield name_of(place)
    for depth in _DEPTHS:
        yield _tail(place, depth)


def with_names(
    items: Sequence[SourceItem], known: KnownNames, refused: Collection[str] = ()
) -> list[SourceItem]:
    """Return the items under their SKUs; they come under the names of their files.

    `refused` are the places of what was delivered besides and is not taken: a photo that the
    catalogue knows there keeps its SKU. One that ends in "/" is a folder that was not looked into.
    """
    counts = Counter(item.sku for item in items)
    absent = _Absent(refused, items)
    held: dict[str, list[Named]] = defaultdict(list)
    before = known(absent.counted(counts))
    for one in sorted(before, key=lambda one: (not one.in_the_feed, len(one.sku), one.sku)):
        if name_of(one.sku) == name_of(_place(one.image)):  # else a manifest said the SKU
            held[name_of(one.sku)].append(one)
    groups: dict[str, dict[str, None]] = {}  # name → the places that are called so
    for item in items:
        if counts[item.sku] > 1 or item.sku in held:
            groups.setdefault(item.sku, {})[_place(item.image)] = None
    skus: dict[str, str] = {}
    for name, places in groups.items():
        named = held.get(name, [])
        skus |= _skus(name, [*places, *absent.places(name, places, named)], named)
    return [
        replace(item, sku=skus[_place(item.image)]) if item.sku in groups else item
        for item in items
    ]


class _Absent:
    """What was refused and lies where no photo does: one that the catalogue knows takes part."""

    def __init__(self, refused: Collection[str], items: Sequence[SourceItem]) -> None:
        self._places = {clean_sku(place) for place in refused}
        if refused:  # else there is nothing to look for, among a million items perhaps
            self._places.difference_update(_place(item.image) for item in items)
        self._is_any = any(place.endswith(_MARK) for place in refused)
        self._named: dict[str, set[str]] = defaultdict(set)
        for place in self._places:
            self._named[name_of(place)].add(place)

    def counted(self, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Return name → how many photos are called so, those among them that may be."""
        if not self._places:
            return counts
        return {
            name: count + self._is_any + len(self._named.get(name, ()))
            for name, count in counts.items()
        }

    def places(self, name: str, there: Collection[str], held: Sequence[Named]) -> Iterable[str]:
        """Return the places of refused photos of that name that are of one of `held`."""
        if not self._places:
            return ()
        folders = {_tail(place, 2) for place in there}
        mine = {_tail(place, 2): place for place in sorted(self._named.get(name, ()))}
        found: dict[str, None] = {}
        for place in (_place(one.image) for one in held):
            if self._is_at(place) and place not in there:
                found[place] = None
            elif (folder := _tail(place, 2)) in mine and folder not in folders:
                found[mine[folder]] = None  # its folder lies in another one tonight
        return found

    def _is_at(self, place: str) -> bool:
        """Whether a place was refused, or a folder above it."""
        if place in self._places:
            return True
        parts = place.split("/")
        return self._is_any and any(
            "/".join(parts[:end]) + _MARK in self._places for end in range(1, len(parts))
        )


def _skus(name: str, places: Sequence[str], held: Sequence[Named]) -> dict[str, str]:
    """Return place → SKU of the photos with one name; of `held`, the first of a place counts."""
    known = {_place(one.image): one.sku for one in reversed(held)}
    found = {place: known[place] for place in places if place in known}
    found = _elsewhere(places, [one for one in held if _place(one.image) not in found]) | found
    new = [place for place in places if place not in found]
    if len(places) == 1 and new:
        # Nothing else is called so: where the catalogue has one such product, the photo has moved.
        moved = [one.sku for one in held if one.in_the_feed]
        if len(moved) == 1:
            return {new[0]: moved[0]}
        return _longer(new, set(moved)) if name in moved else {new[0]: name}
    return found | _longer(new, set(found.values()))


def _elsewhere(places: Sequence[str], gone: Sequence[Named]) -> dict[str, str]:
    """Return place → SKU of the photos whose folder now lies in another one."""
    folders = Counter(_tail(place, 2) for place in places)
    skus: dict[str, list[str]] = defaultdict(list)
    for one in gone:
        skus[_tail(_place(one.image), 2)].append(one.sku)
    return {
        place: skus[folder][0]
        for place in places
        if folders[folder := _tail(place, 2)] == len(skus.get(folder, ())) == 1
    }


def _longer(places: Sequence[str], taken: set[str]) -> dict[str, str]:
    """Return place → a SKU with as few folders as tell it from the others, and from `taken`."""
    found: dict[str, str] = {}
    for depth in _DEPTHS:
        left = {place: _tail(place, depth) for place in places if place not in found}
        counts = Counter(left.values())
        found |= {at: sku for at, sku in left.items() if counts[sku] == 1 and sku not in taken}
        taken |= set(found.values())
    for place in places:
        if place not in found:  # what has moved away keeps even the whole way as its SKU
            numbered = (f"{number}/{place}" for number in count(2))
            found[place] = next(sku for sku in numbered if sku not in taken)
            taken.add(found[place])
    return found


def _place(image: str) -> str:
    return clean_sku(stem(image))


def _tail(place: str, parts: int) -> str:
    return clean_sku("/".join(place.split("/")[-parts:]))
