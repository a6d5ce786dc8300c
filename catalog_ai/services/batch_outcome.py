"""What became of many products at once, in words, and as a batch remembers it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from db.queries.batches import BatchRow

NO_LABEL = "no label"
LEFT_KEPT = 200  # rows of what was left alone that a batch remembers
_NAMED = 3  # categories that a line names


@dataclass(frozen=True)
class Change:
    """What `count` products of one label become; `state` is the one of their review after it.

    A `state` of "" says that they are left alone: nothing is suggested for them.
    """

    before: str | None
    after: str | None
    state: str
    count: int


@dataclass(frozen=True)
class Left:
    """A product that was left alone, and why, in a sentence."""

    product_id: int
    sku: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What a batch did; `batch_id` is None where it changed nothing.

    `left_count` were left alone, of which `left` are the first.
    """

    batch_id: int | None
    products: int
    sentence: str
    changes: tuple[Change, ...]
    left: tuple[Left, ...]
    left_count: int
    decisions: tuple[int, int] = field(default=(1, 0), compare=False)  # first and last number


class Tally:
    """Counts what becomes of products while a batch is made."""

    def __init__(self) -> None:
        self._changes = Counter[tuple[str | None, str | None, str]]()
        self._left: list[Left] = []
        self._left_count = 0

    def done(self, before: str | None, after: str | None, state: str, count: int = 1) -> None:
        """Count products that the batch changes."""
        self._changes[before, after, state] += count

    def leave(self, product_id: int, sku: str, reason: str) -> None:
        """Count a product that the batch leaves alone."""
        self._left_count += 1
        if len(self._left) < LEFT_KEPT:
            self._left.append(Left(product_id, sku, reason))

    def leave_others(self, count: int) -> None:
        """Count further products that the batch leaves alone, unnamed: `LEFT_KEPT` are enough."""
        self._left_count += count

    def outcome(self, batch_id: int | None = None, words: str = "") -> Outcome:
        """Return what was counted; `words` in the place of those that name each change."""
        counted = [(*what, count) for what, count in self._changes.items()]
        counted.sort(key=lambda found: (-found[-1], str(found)))
        changes = tuple(Change(*found) for found in counted)
        sentence = _sentence(words or batch_words(changes), bool(changes), self._left_count)
        products = sum(change.count for change in changes)
        left = tuple(self._left)
        return Outcome(batch_id, products, sentence, changes, left, self._left_count)


def remembered(outcome: Outcome) -> dict[str, Any]:
    """Return what a batch stores of its outcome, as JSON values."""
    return {
        "changes": [asdict(change) for change in outcome.changes],
        "left": [asdict(left) for left in outcome.left],
        "left_count": outcome.left_count,
    }


def outcome_of(batch: BatchRow) -> Outcome:
    """Return what a stored batch did."""
    known: Mapping[str, Any] = batch.parameters
    changes = tuple(Change(**change) for change in known.get("changes", ()))
    left = tuple(Left(**row) for row in known.get("left", ()))
    count = known.get("left_count", 0)
    sentence = _sentence(batch.words, True, count)
    return Outcome(batch.id, batch.products, sentence, changes, left, count)


def batch_words(changes: Iterable[Change]) -> str:
    """Return what many products become: "32 products of dress: 29 kept, 3 → skirt"."""
    changes = list(changes)
    labels = {change.before or NO_LABEL for change in changes}
    of = f" of {labels.pop()}" if len(labels) == 1 else ""
    parts = change_words(changes)
    return f"{products(sum(change.count for change in changes))}{of}: {', '.join(parts)}"


def change_words(changes: Iterable[Change]) -> list[str]:
    """Return what products become, whatever they were: "29 kept", "3 → skirt"."""
    states, labels = Counter[str](), Counter[str]()
    for change in changes:
        if change.state == "changed":
            labels[change.after or NO_LABEL] += change.count
        else:
            states[change.state] += change.count
    parts = [f"{states['kept']:,} kept"] if states["kept"] else []
    ranked = sorted(labels.items(), key=lambda found: (-found[1], found[0]))
    parts += [f"{count:,} → {label}" for label, count in ranked[:_NAMED]]
    if others := sum(count for _, count in ranked[_NAMED:]):
        parts.append(f"{others:,} → other categories")
    words = {
        "second_look": "for a second look",
        "not_product": "not product photos",
        "open": "open again",
        "": "left alone",
    }
    parts += [f"{states[state]:,} {said}" for state, said in words.items() if states[state]]
    return parts


def products(count: int) -> str:
    """Return "1 product" or "2 products"."""
    return f"{count:,} product{'' if count == 1 else 's'}"


def _sentence(words: str, changed: bool, left: int) -> str:
    were = f"{products(left)} left as {'it was' if left == 1 else 'they were'}."
    if not changed:
        return f"Nothing was changed: {were}" if left else "Nothing was left to do."
    return f"{words}. {were}" if left else f"{words}."
