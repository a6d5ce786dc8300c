"""From what services return to what pages say. Plain functions, no streamlit."""

import html
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from catalog_ai.services.deciding import DecisionView
from catalog_ai.services.evidence import Candidate
from catalog_ai.services.history import HistoryLine
from catalog_ai.services.jobs import JobView
from catalog_ai.services.review import LEFT, QUEUES, Pair, QueueItem, ReviewProgress
from catalog_ai.services.run_cards import NO_LABEL, card
from catalog_ai.services.run_sections import Section
from catalog_ai.services.runs import RunItemView, RunView

ALL = "All categories"
_DIGITS = 9  # of a number in an address
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:])")
# Okabe and Ito's palette and its darker siblings: told apart by colour-blind readers as well.
COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7a6a00", "#5b4b8a"),
    *("#94443f", "#2a6f6f"),
)
OTHER_COLOUR = "#b9b4a8"  # for labels beyond the palette: a colour used twice would mislead
WRONG_COLOURS = {"Looks wrong": "#d55e00", "Looks right": "#b9b4a8"}


def plain(text: str) -> str:
    """Return text that Markdown shows as it is: no link, no formula, no HTML."""
    return _MARKDOWN.sub(r"\\\1", text)


def escaped(text: str | None) -> str:
    """Return text for HTML."""
    return html.escape(text if text else NO_LABEL, quote=True)


def zone(name: str | None) -> tzinfo:
    """Return the reader's time zone, UTC where the browser does not say."""
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was: "26 hours ago"."""
    seconds = (now - moment).total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= (2 if unit == "day" else 1):
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


def local(moment: datetime, reader: tzinfo) -> str:
    """Return a moment on the reader's clock: "Mon 23 Nov 2026, 04:12"."""
    return f"{moment.astimezone(reader):%a %-d %b %Y, %H:%M}"


def midnight(now: datetime, reader: tzinfo) -> datetime:
    """Return when the reader's day began."""
    return now.astimezone(reader).replace(hour=0, minute=0, second=0, microsecond=0)


def share(value: Any) -> str:
    """Return 0..1 as a percentage, a dash where there is none."""
    return "–" if value is None else f"{value:.1%}"


def number(value: Any, digits: int = 2) -> str:
    """Return a number, a dash where there is none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def count(value: int, one: str, many: str | None = None) -> str:
    """Return "1 photo" or "2 photos"."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def is_number(text: str) -> bool:
    """Return whether an attribute's value can weigh a chance: "12", "12.90" or "12,90"."""
    whole, _, part = text.replace(",", ".").partition(".")
    return (whole + part).isascii() and (whole + part).isdigit()


def page_number(said: str) -> int:
    """Return the number of a page that an address says, 1 where it says none."""
    return int(said) if said.isdecimal() and len(said) < _DIGITS else 1


def are_numbers(values: Sequence[str]) -> bool:
    """Return whether most of an attribute's values, but for empty ones, can weigh a chance."""
    known = [value for value in values if value.strip()]
    return 2 * sum(map(is_number, known)) > len(known)


def progress_line(progress: ReviewProgress) -> str:
    """Return "5 of 501, 496 left"."""
    total = progress.decided + progress.left
    return f"{progress.decided:,} of {total:,}, {progress.left:,} left"


def nothing_left_line(progress: ReviewProgress, queue: str) -> str:
    """Return that a queue is empty, and where something is left: the first that holds anything."""
    for name in LEFT:
        if name != queue and progress.by_queue[name]:
            wait = count(progress.by_queue[name], "waits", "wait")
            return f"Nothing is left here. {wait} under “{QUEUES[name]}”."
    return "Nothing is left here."


def about_upload(reason: str) -> str:
    """Return why a photo cannot be used, to who chose it: nobody will deliver it again."""
    words = reason.replace(": deliver it again", ": choose another")
    return f"{words[:1].upper()}{words[1:]}.".replace(": deliver a smaller", ": choose a smaller")


def category_of(choice: str) -> str | None:
    """Return the category behind a choice, None for all."""
    return None if choice == ALL else choice


def pair_line(pair: Pair) -> str:
    """Return "dress → skirt: 38 items, about 30 truly wrong"."""
    items = count(pair.count, "item")
    wrong = f"about {pair.wrong:,.0f} truly wrong" if round(pair.wrong) else "perhaps wrong"
    return f"{pair.label} → {pair.suggestion}: {items}, {wrong}"


def pair_table(pairs: Sequence[Pair]) -> tuple[list[str], list[str], list[list[int]]]:
    """Return (labels, suggestions, counts): a row for each label, the one most in doubt first."""
    labels, suggestions = (
        list(dict.fromkeys(names))
        for names in ((pair.label for pair in pairs), (pair.suggestion for pair in pairs))
    )
    counts = {(pair.label, pair.suggestion): pair.count for pair in pairs}
    return labels, suggestions, [[counts.get((a, b), 0) for b in suggestions] for a in labels]


def pair_link(label: str, suggestion: str) -> str:
    """Return the address of a pair's queue, from the page that shows it."""
    return "?" + urlencode({"review.category": label, "review.suggestion": suggestion})


def run_name(run: RunView, reader: tzinfo) -> str:
    """Return how a run is called in a list."""
    return f"{local(run.started_at, reader)}: {run.source}"


def run_line(run: RunView) -> str:
    """Return what a run brought, in a line."""
    parts = [count(run.added, "new product"), f"{run.updated:,} changed"]
    parts.append(f"{run.unchanged:,} as they were")
    if run.quarantined:
        parts.append(f"{run.quarantined:,} could not be used")
    if run.retired:
        parts.append(f"{run.retired:,} no longer delivered")
    return " · ".join(parts)


def runs_table(runs: tuple[RunView, ...], reader: tzinfo) -> list[dict[str, str]]:
    """Return a row of words for each run."""
    return [
        {
            "Started": local(run.started_at, reader),
            "State": run.state,
            "Delivered": f"{run.seen:,}",
            "New": f"{run.added:,}",
            "Changed": f"{run.updated:,}",
            "As they were": f"{run.unchanged:,}",
            "Not used": f"{run.quarantined:,}",
            "No photo": f"{run.missing:,}",
            "No row": f"{run.unlisted:,}",
            "Hidden": f"{run.retired:,}",
            "Seconds": f"{run.seconds:,.1f}",
            "Photos a second": f"{run.images_per_second:,.0f}",
        }
        for run in runs
    ]


def section_name(section: Section) -> str:
    """Return a section's name with how many it holds."""
    return f"{section.title} {section.count:,}" if section.count else section.title


def first_section(sections: Sequence[Section]) -> str:
    """Return the section to begin with: what could not be used, where there is any."""
    names = [section.name for section in sections]
    return "quarantined" if "quarantined" in names else names[0]


def run_card(section: str, item: RunItemView, state: str = "") -> str:
    """Return the words of an item of a run, as HTML; `state` is what became of it since."""
    said = card(section, item)
    lines = [f"<div class='clip' dir='auto'>{_bold(said.name, bool(said.reason))}</div>"]
    if said.after:
        lines.insert(0, f"<div>{_label(said.before)} → <b>{_label(said.after)}</b></div>")
    elif said.before:
        lines.insert(0, f"<div><b>{_label(said.before)}</b></div>")
    for words in (said.reason, state):
        if words:
            lines.append(f"<div dir='auto'>{html.escape(words)}</div>")
    for words in (said.doubt, " · ".join(part for part in (said.aside, said.code) if part)):
        if words:
            lines.append(f"<div class='muted'>{html.escape(words)}</div>")
    return f"<div class='tile'>{''.join(lines)}</div>"


@dataclass(frozen=True)
class Tried:
    """What became of the last try of a refused photo, and whether another can be asked for."""

    words: str
    can_try: bool


NOTHING_TRIED = Tried("", True)


def tries_of(run: RunView, found: Sequence[JobView]) -> list[JobView]:
    """Return the tries of one delivery, the newest first."""
    return [job for job in found if job.kind == "ingest" and job.parameters["source"] == run.source]


def tried(item: RunItemView, tries: Sequence[JobView]) -> Tried:
    """Return what became of the last try of an item; `tries` are the newest first."""
    last = next((job for job in tries if item.image in job.parameters.get("only", [])), None)
    if item.settled == "dismissed":
        return Tried("Dismissed.", False)
    if item.remedy:
        return Tried(item.remedy, False)
    if last is None and item.settled == "open":
        return NOTHING_TRIED
    if last is None:
        return Tried("It was asked to be tried again.", True)
    if last.state == "queued":
        return Tried("Will be tried again as soon as the worker is free.", False)
    if last.state == "running":
        return Tried("Is being tried again now.", False)
    if last.state != "done":
        return Tried(f"Could not be tried again: {last.message or last.state}", True)
    if last.result.get("quarantined"):
        return Tried("Was tried again and refused again: see the newest run.", True)
    if item.settled == "open":
        return Tried("Was tried again: no product of the delivery has it now.", True)
    return Tried("Was tried again: it is in now.", False)


def _label(label: str) -> str:
    """Return a label for HTML, in its own direction."""
    return f"<bdi>{html.escape(label)}</bdi>"


def _bold(text: str, bold: bool) -> str:
    return f"<b>{html.escape(text)}</b>" if bold else html.escape(text)


def verdict(item: QueueItem) -> str:
    """Return the label and what it probably should be, as HTML."""
    if not item.suggestion or item.suggestion == item.label:
        return f"<div class='verdict'>{escaped(item.label)}</div>"
    return (
        f"<div class='verdict'><span class='was'>{escaped(item.label)}</span>"
        f"<span class='arrow'>→</span>{escaped(item.suggestion)}</div>"
    )


def facts(item: QueueItem) -> str:
    """Return what is known of an item, as HTML: the verdict, why, how sure, and which product."""
    known = []
    if item.score is not None:
        known.append(f"{item.score:.0%} likely wrong")
    if item.suggestion:
        known.append(f"{item.suggestion} {item.confidence:.0%} sure")
    known += [item.sku, item.title]
    if item.label_given and item.label_given != item.label:
        known.append(f"delivered as {item.label_given}")
    if item.trained_on:
        known.append("the model learnt from this photo")
    written = " · ".join(f"<bdi>{escaped(part)}</bdi>" for part in known if part)
    note = f"<div class='note'>{escaped(item.note_from_before)}</div>"
    said = (
        f"{verdict(item)}<div>{escaped(item.evidence)}</div>"
        f"<div class='muted'>{written}</div>" + (note if item.note_from_before else "")
    )
    return f"<div class='facts' data-sku='{escaped(item.sku)}'>{said}</div>"


def candidate(found: Candidate) -> str:
    """Return "dress 48%"; the name alone where there is next to no chance."""
    return f"{found.label} {found.probability:.0%}" if found.probability >= 0.01 else found.label


def attributes(item: QueueItem) -> str:
    """Return what the manifest says of a product, as HTML."""
    rows = "".join(
        f"<dt>{escaped(name)}</dt><dd dir='auto'>{escaped(value)}</dd>"
        for name, value in item.attributes.items()
        if value
    )
    return f"<dl class='attributes'>{rows}</dl>" if rows else ""


def twin(item: QueueItem) -> str:
    """Return the product that is all but the same photo and carries another label, as HTML."""
    if item.twin is None:
        return ""
    return (
        f"<div class='twin'><div class='tile'>{photo(item.twin.thumbnail)}"
        f"<div class='clip'>{escaped(item.twin.label)}</div>"
        f"<span class='disagree'>✗ twin, {escaped(item.twin.sku)}</span></div></div>"
    )


def alikes(item: QueueItem) -> str:
    """Return the look-alikes as HTML: a photo, its label, whether it agrees and who says so."""
    cells = []
    for near in item.neighbours:
        word, css = _sign(near.label, item)
        confirmed = "<div class='muted'>✓ confirmed</div>" if near.confirmed else ""
        cells.append(
            f"<div class='tile'>{photo(near.thumbnail)}"
            f"<div class='clip'>{escaped(near.label)}</div>"
            f"<span class='{css}'>{word}</span>{confirmed}</div>"
        )
    return f"<div class='alikes'>{''.join(cells)}</div>"


def _sign(label: str | None, item: QueueItem) -> tuple[str, str]:
    """Return whether a look-alike's label agrees with the item's, in words and as a class."""
    if label == item.label:
        return "✓ same label", "agree"
    if label == item.suggestion:
        return "→ as suggested", "disagree"
    return "another label", "muted"


def photo(path: Path) -> str:
    """Return one of our own thumbnails as HTML; an empty frame where its file is gone."""
    try:
        encoded = b64encode(path.read_bytes()).decode()
    except OSError:
        return "<div class='photo' role='img' aria-label='photo missing'></div>"
    return f"<img class='photo' alt='' src='data:image/jpeg;base64,{encoded}'>"


def decision_line(decision: DecisionView, now: datetime) -> str:
    """Return who decided what and when."""
    return f"{what_was_decided(decision)} · {decision.reviewer}, {ago(decision.decided_at, now)}"


def what_was_decided(decision: DecisionView) -> str:
    """Return what a decision did: "dress → skirt (undone)"."""
    what = {
        "keep": f"kept {decision.label_after or NO_LABEL}",
        "not_product": "not a product photo",
        "second_look": "second look",
        "undo": f"undone: {decision.label_after or NO_LABEL} again",
    }.get(
        decision.action,
        f"{decision.label_before or NO_LABEL} → {decision.label_after or NO_LABEL}",
    )
    return what + (" (undone)" if decision.undone else "")


def history_line(line: HistoryLine, now: datetime) -> str:
    """Return a line of a product's history as HTML: what, the note, whether it was undone, when."""
    words = f"<s>{escaped(line.words)}</s>" if line.undone_by else escaped(line.words)
    undone = f" · undone by {escaped(line.undone_by)}" if line.undone_by else ""
    note = f"<div class='note'>{escaped(line.note)}</div>" if line.note else ""
    when = ago(line.happened_at, now)
    return f"<div>{words}<span class='muted'>{undone} · {when}</span></div>{note}"


def selected_ids(event: Any) -> list[int]:
    """Return the product ids of a Plotly selection: ours in `customdata`, never its indices."""
    points = event.get("selection", {}).get("points", []) if event else []
    found = (point.get("customdata") for point in points)
    ids = (
        data[0] if isinstance(data, list | tuple) else data for data in found if data is not None
    )
    return list(dict.fromkeys(int(value) for value in ids))


def job_line(state: str, title: str, message: str) -> str:
    """Return a job in a line."""
    words = {"queued": "waiting", "running": "running", "done": "done"}.get(state, state)
    return f"{title}: {words}" + (f" · {message}" if message else "")


def took(started: datetime | None, finished: datetime | None) -> str:
    """Return how long something took."""
    if started is None or finished is None:
        return ""
    return f"{(finished - started) / timedelta(seconds=1):,.0f} s"
