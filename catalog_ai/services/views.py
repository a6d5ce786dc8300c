"""Saved views of the desk: a name for what an address asks for, for everybody."""

from dataclasses import dataclass
from datetime import UTC, datetime

from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.commands import views as commands
from db.engine import read, write
from db.queries import views as queries

MAX_NAME = 120


@dataclass(frozen=True)
class ViewRow:
    """A view: its name, the query of its address (without "?"), who saved it and when."""

    name: str
    query: str
    created_by: str
    created_at: datetime


def list_views(catalogue: Catalogue) -> tuple[ViewRow, ...]:
    """Return all views, by name."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.saved_views(session)
    return tuple(ViewRow(row.name, row.query, row.created_by, row.created_at) for row in rows)


def save_view(catalogue: Catalogue, name: str, query: str, *, reviewer: str) -> ViewRow:
    """Save `query` under `name`, in the place of a view that was called so before.

    Raises `UsageError` for a name that is empty or too long.
    """
    name = " ".join(name.split())
    if not name:
        raise UsageError("give the view a name, for instance: dresses over 100")
    if len(name) > MAX_NAME:
        raise UsageError(f"that name has {len(name)} letters: shorten it to {MAX_NAME} at most")
    view = ViewRow(name, query, reviewer, datetime.now(UTC))
    with in_plain_words(), write(catalogue.engine, touches=("views",)) as session:
        commands.save(session, view.name, view.query, view.created_by, view.created_at)
    return view


def forget_view(catalogue: Catalogue, name: str) -> None:
    """Delete a view; that it is gone already is fine."""
    with in_plain_words(), write(catalogue.engine, touches=("views",)) as session:
        commands.forget(session, name)
