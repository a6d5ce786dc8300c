"""What a renaming would do, by what the catalogue holds at this moment, or why it cannot be."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from catalog_ai.data.sources import normal_label
from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import categories
from catalog_ai.services.categories import Names
from db.queries import categories as queries
from db.queries import models
from db.queries.categories import CategoryRow


@dataclass(frozen=True)
class Plan:
    """`sources` maps `normal_label` → the name as it is written now; `labels` are their spellings
    that products carry. `joins` says that `to` is another category already, with `there` products.
    """

    sources: Mapping[str, str]
    to: str
    labels: tuple[str, ...]
    joins: bool
    there: int
    by_state: Mapping[str, int]  # of the feed's products that change
    rows: Mapping[str, CategoryRow | None]  # of all names in it, as they are now

    @property
    def given_up(self) -> dict[str, str]:
        """The names that nothing is called by any more."""
        own = normal_label(self.to)
        return {normal: name for normal, name in self.sources.items() if normal != own}


def plan(session: Session, sources: Sequence[str], to: str) -> Plan:
    """Return what giving `sources` the name `to` means.

    Raises `UsageError` for names that cannot be, `ConflictError` for those that were given up.
    """
    counts, rows = queries.label_counts(session), queries.all_rows(session)
    names = categories.named(models.active(session), rows, counts)
    by_name = {row.normal_name: row for row in rows}
    to = categories.category_name(to)
    target = normal_label(to)
    wanted = {normal_label(source): source for source in sources}
    _check_target(names, to, wanted)
    carried = categories.spelled(session, wanted)
    for normal, source in wanted.items():
        wanted[normal] = _as_written(names, by_name, source, carried, to)
    joins = target not in wanted and names.of(to) is not None and target not in names.aliases
    if joins:
        to = names.of(to) or to
    labels = tuple(label for label in carried if label != to)
    if set(wanted.values()) == {to} and not labels:
        raise UsageError(f"“{to}” is its name already: type another")
    by_state = Counter[str]()
    for count in counts:
        by_state[count.state] += count.products if count.label in labels else 0
    return Plan(
        sources=wanted,
        to=to,
        labels=labels,
        joins=joins,
        there=sum(count.products for count in counts if normal_label(count.label) == target),
        by_state={state: number for state, number in by_state.items() if number},
        rows={normal: by_name.get(normal) for normal in (*wanted, target)},
    )


def _check_target(names: Names, to: str, wanted: Collection[str]) -> None:
    """A name that was given up may come back only as the name of what took its place."""
    end = names.aliases.get(normal_label(to))
    if not wanted:
        raise UsageError("choose a category first")
    if end is not None and normal_label(end) not in wanted and normal_label(to) not in wanted:
        raise ConflictError(f"“{to}” was given up for “{end}”: choose “{end}” or another name")


def _as_written(
    names: Names,
    rows: Mapping[str, CategoryRow],
    source: str,
    carried: Sequence[str],
    to: str,
) -> str:
    """Return how a source is written now. Raises `ConflictError` where it was given up."""
    normal = normal_label(source)
    spellings = [label for label in carried if normal_label(label) == normal]
    end = names.aliases.get(normal)
    if end is None:
        found = names.of(source) or next(iter(spellings), None)
        if found is None:
            raise UsageError(f"there is no category “{source}”: reload the page")
        return found
    # A given-up name that came back, by an undo for instance, may go the same way once more.
    if spellings and normal_label(end) == normal_label(to):
        return source
    raise ConflictError(
        f"{rows[normal].created_by} renamed “{source}” to “{end}” in between: reload the page"
    )
