"""How much is tried: all of it for `make reliability`, else a sample of seconds."""

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("CATALOG_RELIABILITY") == "full"


def sized(full: T, sample: T) -> T:
    """Return the first for everything, the second for the sample."""
    return full if FULL else sample


def some_of(cases: Sequence[T], *sample: int) -> list[T]:
    """Return all cases, for the sample those at these places."""
    return list(cases) if FULL else [cases[place] for place in sample]
