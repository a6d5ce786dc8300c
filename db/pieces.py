"""Ways around the limits of a query: long lists, few values among millions, planners' guesses."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, false, func, select
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


def nearly_always(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return a condition in words that let PostgreSQL expect it of every second row.

    It multiplies the chances of what goes together: that photo and label of a score are those of
    its product, it expects of one row in a million, and then reads all of them where a walk along
    an index would meet the first twelve at once.
    """
    return func.coalesce(condition, false())
