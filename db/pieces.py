"""Two ways around the limits of a query: long lists, and few values among millions of rows."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.selectable import CTE

AT_ONCE = 500  # values in one IN list; SQLite takes 32,766 at most
Value = TypeVar("Value")


def in_parts(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Yield the values, each once and in their order, in lists that fit into a query."""
    known = list(dict.fromkeys(values))
    for start in range(0, len(known), AT_ONCE):
        yield known[start : start + AT_ONCE]


def values_of(column: InstrumentedAttribute[Any]) -> CTE:
    """Return the values of an indexed column as a table of one column, `value`; its last is null.

    Each is found by a look into the index beyond the one before: a few values cost a few looks,
    however many rows carry them.
    """
    first = select(func.min(column).label("value")).cte(f"{column.key}_values", recursive=True)
    beyond = select(func.min(column)).where(column > first.c.value).scalar_subquery()
    return first.union_all(select(beyond).where(first.c.value.is_not(None)))
