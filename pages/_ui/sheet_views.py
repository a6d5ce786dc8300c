"""What a contact sheet and a bulk change say, and the lines of the log. Plain functions."""

import html
from base64 import b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from catalog_ai.services.batch_outcome import NO_LABEL, Change, Outcome
from catalog_ai.services.batching import BatchView, Preview
from catalog_ai.services.deciding import DecisionView
from catalog_ai.services.review import Filter, QueueItem
from pages._ui import viewmodels


def sheet_name(items: Sequence[QueueItem]) -> str:
    """Return a name of what is on a sheet: another one as soon as anything on it changed."""
    said = repr([(item.product_id, item.version, item.suggestion) for item in items])
    return sha256(said.encode()).hexdigest()[:16]


def tile(item: QueueItem) -> dict[str, Any]:
    """Return one tile for the contact sheet; all of it is plain text there."""
    change, suggestion = item.label or NO_LABEL, other_suggestion(item)
    return {
        "id": item.product_id,
        "photo": _photo(item.thumbnail),
        "value": value(item),
        "sign": f"→ {suggestion}" if suggestion else "second look",
        "change": f"{change} → {suggestion}" if suggestion else change,
        "changes": bool(suggestion),
        "name": item.sku,
        "title": " · ".join(part for part in (item.sku, item.title) if part),
    }


def value(item: QueueItem) -> str:
    """Return what the sheet is sorted by, in a word."""
    if item.worth is not None:
        return f"{item.worth:,.1f}"
    if item.reason == "odd" and item.oddity is not None:
        return f"{item.oddity:.0%} odd"
    if item.score is not None:
        return f"{item.score:.0%}"
    return f"{item.confidence:.0%} sure" if item.suggestion else ""


def other_suggestion(item: QueueItem) -> str:
    """Return what is suggested in the place of the label, "" where nothing is."""
    same = (item.suggestion or "").casefold() == (item.label or "").casefold()
    return "" if same else item.suggestion


def action_words(items: Sequence[QueueItem], ticked: Collection[int]) -> str:
    """Return what the one key would do: "3 → skirt, the other 29 are right"."""
    odd = [item for item in items if item.product_id in ticked]
    others = [item for item in items if item.product_id not in ticked]
    to = Counter(other_suggestion(item) for item in odd)
    looks = to.pop("", 0)
    parts = []
    if to:
        target = next(iter(to)) if len(to) == 1 else "their suggestions"
        parts.append(f"{to.total():,} → {target}")
    if looks:
        parts.append(f"{looks:,} for a second look")
    right = sum(item.label is not None for item in others)
    if right:
        parts.append(_right(right, bool(odd)))
    if len(others) > right:
        parts.append(f"{len(others) - right:,} stay without a label")
    return ", ".join(parts)


def changes_table(changes: Sequence[Change], most: int) -> str:
    """Return what many products would become, as HTML: before, after, how many."""
    rows = [
        f"<tr><td dir='auto'>{viewmodels.escaped(change.before)}</td>"
        f"<td dir='auto'>{_after(change)}</td><td>{change.count:,}</td></tr>"
        for change in changes[:most]
    ]
    others = sum(change.count for change in changes[most:])
    if others:
        kinds = viewmodels.count(len(changes) - most, "more kind")
        rows.append(f"<tr><td colspan='2'>{kinds} of change</td><td>{others:,}</td></tr>")
    head = "<tr><th>Now</th><th>Then</th><th>Products</th></tr>"
    return f"<table class='changes'>{head}{''.join(rows)}</table>"


def _after(change: Change) -> str:
    """Return what products become, as HTML: the label in bold where it is another one."""
    state = {
        "changed": "",
        "kept": "kept",
        "second_look": "for a second look",
        "not_product": "not a product photo",
        "open": "open again",
        "": "left alone: nothing is suggested",
    }[change.state]
    label = viewmodels.escaped(change.after)
    words = [label if change.before == change.after else f"<b>{label}</b>", state]
    return ", ".join(word for word in words if word)


def outcome_line(outcome: Outcome) -> str:
    """Return the title of what was done row by row."""
    if not outcome.left_count:
        return "Row by row"
    return f"Row by row; {viewmodels.count(outcome.left_count, 'product')} left alone"


def left_rows(outcome: Outcome) -> str:
    """Return what was left alone and why, as HTML."""
    rows = [(row.sku, row.reason) for row in outcome.left]
    if outcome.left_count > len(rows):
        rows.append((f"And {outcome.left_count - len(rows):,} more", ""))
    return _rows(rows)


def decision_rows(decisions: Iterable[DecisionView]) -> str:
    """Return what was decided about each product, as HTML."""
    return _rows((row.sku, viewmodels.what_was_decided(row)) for row in decisions)


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(
        f"<div dir='auto'><b>{viewmodels.escaped(sku)}</b> {html.escape(words)}</div>"
        for sku, words in rows
    )
    return f"<div class='tile'>{lines}</div>"


def undo_words(decision: DecisionView) -> str:
    """Return what undo gives back: "Undo: dress again"."""
    if decision.label_before == decision.label_after:
        return "Undo"
    return f"Undo: {decision.label_before or NO_LABEL} again"


def filter_name(wanted: Filter) -> str:
    """Return a name of a filter, another one for each."""
    return sha256(repr(wanted).encode()).hexdigest()[:16]


def bulk_words(preview: Preview, words: str, label: str | None) -> str:
    """Return what the button of a bulk change says: "Accept the suggestions: 38 products"."""
    to = f" → {label}" if label else ""
    return f"{words}{to}: {viewmodels.count(preview.count, 'product')}"


def batch_line(batch: BatchView, now: datetime) -> str:
    """Return who did what to many: "Ana, 32 products of dress: 29 kept, 2 minutes ago"."""
    undone = f" (undone by {batch.undone_by})" if batch.undone_by else ""
    return f"{batch.words}{undone} · {batch.reviewer}, {viewmodels.ago(batch.made_at, now)}"


def _right(count: int, others: bool) -> str:
    if not others:
        return "This one is right" if count == 1 else f"All {count:,} are right"
    return "the other one is right" if count == 1 else f"the other {count:,} are right"


def _photo(path: Path) -> str:
    """Return one of our own thumbnails as an address, "" where its file is gone."""
    try:
        return f"data:image/jpeg;base64,{b64encode(path.read_bytes()).decode()}"
    except OSError:
        return ""
