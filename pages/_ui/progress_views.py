"""How reviewing goes, in words: when to stop, what is left, how consistent people are."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from urllib.parse import urlencode

from catalog_ai.services.progressing import SURE, Day, Progress, Promise
from catalog_ai.services.rechecking import Agreement, Disagreement
from pages._ui import viewmodels
from pages._ui.viewmodels import count, escaped

DAYS = 30
CATEGORIES = 14  # that are named; the others are counted
_WIDE_BAR = "grid-template-columns: 9rem 1fr 9rem"
_DOUBTFUL = (0.2, 0.4)  # scores at the end of the queue
# Name, colour, pattern: nobody needs to tell the colours apart.
_KINDS = (
    ("kept", "Kept", "#2f6f62", ""),
    ("changed", "Changed", "#e69f00", "/"),
    ("set_aside", "Second look, or no product photo", "#8a8478", "."),
    ("in_bulk", "Changed many at once", "#7fb3d3", "x"),
)


def midnights(now: datetime, reader: tzinfo, days: int = DAYS) -> tuple[datetime, ...]:
    """Return when each of the last days began for the reader, today last."""
    today = viewmodels.midnight(now, reader)
    return tuple(
        # Noon first: a day on which the clocks change has 23 or 25 hours.
        viewmodels.midnight(today + timedelta(hours=12) - timedelta(days=back), reader)
        for back in range(days - 1, -1, -1)
    )


def day_names(days: Sequence[Day]) -> list[str]:
    """Return the days as the chart names them: "26 Nov"."""
    return [f"{day.begins:%-d %b}" for day in days]


def day_lines(days: Sequence[Day]) -> list[tuple[str, str, str, list[int]]]:
    """Return (name, colour, pattern, counts) of each kind of decision that occurs."""
    lines = [
        (words, colour, pattern, [int(getattr(day, name)) for day in days])
        for name, words, colour, pattern in _KINDS
    ]
    return [line for line in lines if any(line[3])]


def promise_words(promise: Promise) -> str:
    """Return what a point of the chart stands for."""
    return (
        f"said {promise.low:.0%} to {promise.high:.0%}: {promise.wrong:,} of {promise.decided:,} "
        f"truly wrong ({in_hundred(promise.least, promise.most)})"
    )


def in_hundred(least: float, most: float) -> str:
    """Return a range of shares in words: "between 86 and 99 in a hundred"."""
    return f"between {100 * least:.0f} and {100 * most:.0f} in a hundred"


def one_in(wrong: int, decided: int) -> str:
    """Return a share in words: "1 in 8", "3 of 4", "none of 12"."""
    if not wrong:
        return f"none of {decided:,}"
    if 2 * wrong > decided:
        return f"{wrong:,} of {decided:,}"
    return f"1 in {decided / wrong:.0f}"


def found_line(progress: Progress) -> str:
    """Return how many of the last answers found a wrong label, "" before the first."""
    if not progress.answers:
        return ""
    if progress.answers == 1:
        found = "a label that was truly wrong" if progress.were_wrong else "no wrong label"
        return f"The last decision about a known category found {found}."
    line = f"Of the last {progress.answers:,} decisions about a known category "
    line += f"{progress.were_wrong:,} found a label that was truly wrong"
    doubtful = [one for one in progress.promises if _DOUBTFUL[0] <= one.low < _DOUBTFUL[1]]
    decided = sum(one.decided for one in doubtful)
    if decided:
        low, high = doubtful[0].low, doubtful[-1].high
        share = one_in(sum(one.wrong for one in doubtful), decided)
        line += f"; among those that were {100 * low:.0f} to {high:.0%} likely wrong it was {share}"
    return f"{line}."


def left_line(progress: Progress) -> str:
    """Return how many wrong labels are left, and what the next decisions will find."""
    if not progress.count:
        return "No label looks wrong any more."
    wrong = round(progress.wrong)
    line = f"About {count(wrong, 'wrong label')} {'is' if wrong == 1 else 'are'} left among the "
    line += f"{progress.count:,} that look wrong"
    if round(progress.sure):
        line += f", {progress.sure:,.0f} of them among those more than {SURE:.0%} likely wrong"
    if progress.ahead == 1:
        return f"{line}; the next one is {progress.ahead_wrong:.0%} likely wrong."
    return f"{line}; the next {progress.ahead:,} hold about {progress.ahead_wrong:,.0f}."


def left_bars(progress: Progress) -> str:
    """Return what is left of each category as HTML: how many look wrong, about how many are.

    A line leads to what looks wrong of its category.
    """
    shown = progress.categories[:CATEGORIES]
    most = max((one.count for one in shown), default=1)
    lines = [
        f"<div class='bar' style='{_WIDE_BAR}'><span dir='auto'>{_category(one.category)}</span>"
        f"<i style='width:{max(1, round(100 * one.count / most))}%'></i>"
        f"<b>{one.count:,}, about {one.wrong:,.0f} wrong</b></div>"
        for one in shown
    ]
    others = progress.categories[CATEGORIES:]
    if others:
        rest = sum(one.count for one in others)
        more = count(len(others), "other category", "other categories")
        lines.append(f"<div class='muted'>and {rest:,} in {more}</div>")
    return "".join(lines)


def category_link(name: str) -> str:
    """Return the address of what looks wrong of a category, from the page that shows it."""
    return "?" + urlencode({"review.category": name})


def _category(name: str | None) -> str:
    """Return a category as a link, words where there is none to look for."""
    if not name:
        return escaped(name)
    return f"<a href='{escaped(category_link(name))}'>{escaped(name)}</a>"


def agreement_line(agreement: Agreement) -> str:
    """Return how consistent the reviews are: "46 of 48 alike: between 86 and 99 in a hundred"."""
    if not agreement.answered:
        return "Nothing has been shown a second time yet."
    alike = in_hundred(agreement.least, agreement.most)
    return f"{agreement.agreed:,} of {agreement.answered:,} alike: {alike}"


def agreement_parts(agreement: Agreement) -> str:
    """Return who was asked again, and how much waits for it."""
    parts = [
        f"{words} {agreed:,} of {answered:,}"
        for words, (answered, agreed) in (
            ("by the same person", agreement.by_same_person),
            ("by another one", agreement.by_others),
        )
        if answered
    ]
    if agreement.waiting:
        parts.append(f"{count(agreement.waiting, 'decision')} will be shown again")
    line = " · ".join(parts)
    return line[:1].upper() + line[1:]


def disagreement(one: Disagreement, now: datetime) -> str:
    """Return a product of which two things were said, as HTML."""
    return (
        f"<div class='card'>{viewmodels.photo(one.thumbnail)}</div><div class='tile'>"
        f"<b>{escaped(one.sku)}</b><div dir='auto'>✗ {escaped(one.note)}</div>"
        f"<div class='muted'>{viewmodels.ago(one.answered_at, now)}</div></div>"
    )
