"""Rename a category or merge several into one: seen before, done at once, undone as one.

All of it is one transaction: a kill in the middle leaves nothing behind. The given-up name stays
known as another word for the new one, so that the next delivery is understood.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from catalog_ai.data.sources import normal_label
from catalog_ai.errors import ConflictError
from catalog_ai.services import categories, jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.photos import ensure_thumbnail
from catalog_ai.services.rename_plan import Plan, plan
from db.commands import categories as commands
from db.commands import jobs as job_commands
from db.commands.batches import add_batch
from db.engine import read, write
from db.queries import batches as batch_queries
from db.queries import categories as queries
from db.queries import jobs as job_queries
from db.queries.categories import CategoryRow
from db.queries.categories import RenamingRow as RenamingRow

_EXAMPLES = 8
_CONFIRMED = ("kept", "changed")
_TOPICS = ("labels", "scores")


class Batch(Protocol):
    """A stored batch, as far as taking its names back needs it."""

    @property
    def id(self) -> int: ...

    @property
    def parameters(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Preview:
    """What a renaming would change; `joins` says that `to` is a category with its own products.

    `by_state` counts the products by the state of their review, of which `confirmed` were looked
    at by people. `examples` are thumbnails.
    """

    sources: tuple[str, ...]
    to: str
    products: int
    by_state: Mapping[str, int]
    confirmed: int
    joins: bool
    examples: tuple[Path, ...]
    sentence: str


@dataclass(frozen=True)
class Renamed:
    """A renaming that was done, as a batch of decisions, and a sentence that says so."""

    batch_id: int
    products: int
    sentence: str


def preview(catalogue: Catalogue, sources: Sequence[str], to: str) -> Preview:
    """Return what giving `sources` the name `to` would change; several sources are a merge.

    Raises `UsageError` and `ConflictError` as `rename` does.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        found = plan(session, sources, to)
        shown = queries.examples(session, found.labels, _EXAMPLES)
    products = sum(found.by_state.values())
    return Preview(
        sources=tuple(found.sources.values()),
        to=found.to,
        products=products,
        by_state=found.by_state,
        confirmed=sum(found.by_state.get(state, 0) for state in _CONFIRMED),
        joins=found.joins,
        examples=tuple(
            ensure_thumbnail(catalogue.settings, product.stored_image, product.thumbnail)
            for product in shown
        ),
        sentence=_foretold(found, products),
    )


def rename(
    catalogue: Catalogue, sources: Sequence[str], to: str, *, reviewer: str, request_key: str
) -> Renamed:
    """Give every product of `sources` the category `to`; their names go on meaning it.

    What was kept stays kept, what waits goes on waiting. `request_key` is made when the preview is
    drawn: sent twice, it is one renaming. Raises `UsageError` for names that cannot be,
    `ConflictError` where somebody renamed one of them in between.
    """
    reviewer = categories.reviewer_name(reviewer)
    now = datetime.now(UTC)
    with in_plain_words(), write(catalogue.engine, touches=_TOPICS) as session:
        stored = batch_queries.by_request_key(session, request_key)
        if stored is not None:
            return Renamed(stored.id, stored.products, _said(stored.parameters, stored.products))
        found = plan(session, sources, to)
        parameters, products = _parameters(found), queries.carrying(session, found.labels)
        words = f"{_products(products)}: {', '.join(found.sources.values())} → {found.to}"
        batch_id = add_batch(
            session, "rename", words, parameters, products, reviewer, request_key, now
        )
        commands.relabel_all(session, found.labels, found.to, batch_id, reviewer, now)
        old = {*found.labels, *found.sources.values()} - {found.to}
        commands.rename_in_scores(session, old, found.to)
        _write_names(session, found, reviewer, now)
    jobs.enqueue(catalogue, "assess")
    return Renamed(batch_id, products, _said(parameters, products))


def renamings(catalogue: Catalogue, *, limit: int = 10) -> tuple[RenamingRow, ...]:
    """Return what was renamed and merged, the newest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        return tuple(queries.renamings(session, limit))


def forget_renaming(session: Session, batch: Batch) -> None:
    """Give the names of a renaming the meaning they had before, where it is being undone.

    What came in since under a name that is back, and nobody decided about, gets that name; all
    labels are looked at anew. Raises `ConflictError` where a later renaming builds on this one.
    """
    now = datetime.now(UTC)
    before, to, old = (batch.parameters[name] for name in ("rows", "to", "from"))
    _check_still_stands(queries.all_rows(session), before, to)
    commands.forget(session, before)
    for normal, row in before.items():
        if row is not None:
            commands.put(session, row["name"], normal, row["renamed_to"], row["created_by"], now)
    if len(old) == 1 and not batch.parameters["joins"]:
        commands.rename_in_scores(session, [to], old[0])
    for name, delivered in _delivered_as(session, old, to).items():
        commands.take_back_deliveries(session, delivered, to, name, batch.id, now)
    if job_queries.queued_twin(session, "assess", {}) is None:
        job_commands.add_job(session, "assess", {}, "", now)


def _parameters(found: Plan) -> dict[str, Any]:
    """Return what a batch remembers of a renaming, as JSON values."""
    columns = ("name", "renamed_to", "created_by")
    rows = {
        normal: None if row is None else {name: getattr(row, name) for name in columns}
        for normal, row in found.rows.items()
    }
    names = {"from": list(found.sources.values()), "to": found.to}
    return {**names, "joins": found.joins, "rows": rows}


def _write_names(session: Session, found: Plan, reviewer: str, now: datetime) -> None:
    for normal, name in found.given_up.items():
        commands.put(session, name, normal, found.to, reviewer, now)
    own = normal_label(found.to)
    row = found.rows.get(own)
    if row is None or (row.name, row.renamed_to) != (found.to, None):
        commands.put(session, found.to, own, None, reviewer, now)


def _check_still_stands(rows: Iterable[CategoryRow], before: Iterable[str], to: str) -> None:
    ways = {row.normal_name: row.renamed_to for row in rows}
    end = ways.get(normal_label(to))
    if end is not None:
        raise ConflictError(f"“{to}” was renamed to “{end}” since: undo that first")
    for normal in before:
        if normal != normal_label(to) and ways.get(normal) != to:
            raise ConflictError(f"“{normal}” was renamed once more since: undo that first")


def _delivered_as(session: Session, old: Iterable[str], to: str) -> dict[str, list[str]]:
    """Return name that is back → words of the feed that mean it again and were taken as `to`."""
    given_up = categories.aliases(session)
    names = {normal_label(name): name for name in old if normal_label(name) != normal_label(to)}
    found: dict[str, list[str]] = {}
    for word in queries.delivered_as(session, to):
        meant = given_up.get(normal_label(word), word)
        if normal_label(meant) in names:
            found.setdefault(names[normal_label(meant)], []).append(word)
    return found


def _foretold(found: Plan, products: int) -> str:
    """Return what would happen, in plain sentences."""
    given_up = [f"“{name}”" for name in found.given_up.values()]
    parts = [f"{_products(products)} would become “{found.to}”."]
    if not products:
        parts = [f"No product is of it: the name alone would become “{found.to}”."]
    if found.joins:
        parts.append(f"“{found.to}” has {_products(found.there)} already: the two become one.")
    if given_up:
        parts.append(f"A delivery that says {_or(given_up)} is taken as “{found.to}” from then on.")
    return " ".join(parts)


def _said(parameters: Mapping[str, Any], products: int) -> str:
    old = " and ".join(f"“{name}”" for name in parameters["from"])
    verb = "is" if len(parameters["from"]) == 1 else "are"
    return f"{old} {verb} “{parameters['to']}” now: {_products(products)}."


def _products(number: int) -> str:
    return f"{number:,} product{'' if number == 1 else 's'}"


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
