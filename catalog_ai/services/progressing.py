"""How reviewing goes: decisions per day, how often a score was right, and when to stop."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from catalog_ai.evaluation.side_by_side import interval
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.engine import read
from db.queries import models
from db.queries import progress as queries

LATELY = 50  # answers back, and as many ahead
SURE = queries.SURE


@dataclass(frozen=True)
class Day:
    """How many decisions stand that were made on the day that `begins` then.

    `set_aside` are second looks and what is no product photo, `in_bulk` what was decided for many
    products at once.
    """

    begins: datetime
    kept: int
    changed: int
    set_aside: int
    in_bulk: int


@dataclass(frozen=True)
class Promise:
    """Scores from `low` to `high`: of `decided` labels `wrong` were truly wrong.

    The true share lies between `least` and `most`, 0..1, with 95 %.
    """

    low: float
    high: float
    decided: int
    wrong: int
    least: float
    most: float


@dataclass(frozen=True)
class CategoryLeft:
    """Of one category `count` products look wrong; about `wrong` of them truly are."""

    category: str | None
    count: int
    wrong: float


@dataclass(frozen=True)
class Progress:
    """How reviewing goes.

    Of the last `answers`, `were_wrong` labels were truly wrong. Of the `count` labels that look
    wrong now about `wrong` truly are, `sure` of them above `SURE`; of the next `ahead` about
    `ahead_wrong` are.
    """

    days: tuple[Day, ...]
    promises: tuple[Promise, ...]
    answers: int
    were_wrong: int
    count: int
    wrong: float
    sure: float
    ahead: int
    ahead_wrong: float
    categories: tuple[CategoryLeft, ...]


def progress(catalogue: Catalogue, midnights: Sequence[datetime]) -> Progress:
    """Return how reviewing goes; a day begins at each of `midnights`, the oldest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        model = models.active(session)
        left = queries.left(session, model.id) if model else []
        following = queries.next_scores(session, model.id, LATELY) if model else []
        days = queries.per_day(session, midnights)
        bins = queries.by_score(session)
        answers, were_wrong = queries.lately(session, LATELY)
    return Progress(
        days=_days(days, midnights),
        promises=tuple(_promise(row) for row in bins),
        answers=answers,
        were_wrong=were_wrong,
        count=sum(row.count for row in left),
        wrong=sum(row.wrong for row in left),
        sure=sum(row.sure for row in left),
        ahead=len(following),
        ahead_wrong=sum(following),
        categories=tuple(CategoryLeft(row.category, row.count, row.wrong) for row in left),
    )


def _days(rows: Sequence[queries.DayRow], midnights: Sequence[datetime]) -> tuple[Day, ...]:
    """Return every day, those on which nothing was decided too."""
    found = {row.day: row for row in rows}
    nothing = queries.DayRow(0, 0, 0, 0, 0)
    return tuple(
        Day(begins, row.kept, row.changed, row.set_aside, row.in_bulk)
        for begins, row in ((begins, found.get(n, nothing)) for n, begins in enumerate(midnights))
    )


def _promise(row: queries.BinRow) -> Promise:
    low, high = row.bin / queries.BINS, (row.bin + 1) / queries.BINS
    return Promise(low, high, row.decided, row.wrong, *interval(row.wrong, row.decided))
