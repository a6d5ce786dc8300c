"""Words about the files that go out. Plain functions, no streamlit."""

from datetime import datetime

from catalog_ai.services.changes import MANY, MadeFile, Waiting
from catalog_ai.services.review import QUEUES, SORTS, STATES, Filter, Sort
from pages._ui.viewmodels import ago, count

FORMATS = {"csv": "CSV", "parquet": "Parquet", "json": "JSON"}
# kind: what its button says, and what is in it
WHOLE_LISTS = {
    "decisions": ("All decisions", "Who decided what, when and why, the newest first."),
    "products": ("Whole catalogue", "Every product with its corrected label."),
    "training": ("Training folder", "Which photo belongs into which folder, to teach a model."),
}
_FORMAT_LINES = {
    "csv": "For spreadsheets: what they could run as a formula begins with an apostrophe.",
    "parquet": "For other programs: every value as it is, numbers as numbers.",
    "json": "For other programs: every value as it is, a row on each line.",
}


def format_line(format: str) -> str:
    """Return what a format is for."""
    return _FORMAT_LINES[format]


def list_label(wanted: Filter, rows: int) -> str:
    """Return what the button of the desk's list says: "Looks wrong · hat → dress: 12 products"."""
    label, suggestion = wanted.category or "", wanted.suggestion
    parts = [
        QUEUES[wanted.queue],
        f"{label or 'any label'} → {suggestion}" if suggestion else label,
        f"at least {wanted.at_least:.0%} likely wrong" if wanted.at_least is not None else "",
        f"{wanted.attribute} {wanted.value}" if wanted.attribute else "",
        f"run {wanted.run}" if wanted.run is not None else "",
        f"decided by {wanted.reviewer}" if wanted.reviewer else "",
        STATES[wanted.state].lower() if wanted.state else "",
        f"“{wanted.search.strip()}”" if wanted.search.strip() else "",
    ]
    return f"{' · '.join(part for part in parts if part)}: {count(rows, 'product')}"


def list_line(sort: Sort) -> str:
    """Return what is in the desk's list, and in which order."""
    order = f"by chance × {sort.attribute}" if sort.attribute else SORTS[sort.by].lower()
    return f"Exactly what these filters find, {order}."


def changes_line(waiting: Waiting, now: datetime) -> str:
    """Return what the next change file would hold."""
    since = f"since the last one, {ago(waiting.since, now)}" if waiting.since else "so far"
    if waiting.rows == 0:
        return f"Nothing has changed {since}."
    return (
        f"Only what has changed {since}: each product once, with its old and its new label, who "
        "changed it, when and why. The next file begins where this one ends."
    )


def make_label(waiting: Waiting) -> str:
    """Return what the button that makes the next change file says."""
    if waiting.rows is None:
        return f"Make the change file (more than {MANY:,} decisions)"
    if waiting.rows == 0:
        return "Make the change file"
    return f"Make the change file ({count(waiting.rows, 'change')})"


def save_label(number: int, rows: int) -> str:
    """Return what the button says with which the browser takes a change file."""
    return f"Save change file {number} ({count(rows, 'change')})"


def made_line(file: MadeFile, now: datetime) -> str:
    """Return a change file that was made before in a line."""
    who = f", {file.made_by}" if file.made_by else ""
    return f"Change file {file.number}: {count(file.rows, 'change')}{who}, {ago(file.made_at, now)}"
