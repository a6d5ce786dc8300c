"""A long row of things, a few at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield `items` in lists of `size`, the last one shorter; never more than one is held."""
    waiting = iter(items)
    while group := list(islice(waiting, size)):
        yield group
