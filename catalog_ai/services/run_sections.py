"""One run in sections, as its page and the dashboard show it: new, changed, moved, refused, …"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from sqlalchemy.orm import Session

from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.runs import RunItemView, RunView, attention, views
from db.engine import read
from db.queries import models
from db.queries import runs as queries

SHOWN = 48  # items of one section

# name: its title, and a sentence where the title does not say all
TITLES = {
    "added": ("New", ""),
    "updated": ("Changed", "Title, price or photo; the category stayed."),
    "moved": ("Categories that moved", "The feed says another category than before."),
    "wrong": ("Labels that look wrong", "Among what this run brought, the likeliest first."),
    "quarantined": (
        "Could not be used",
        "Where the catalogue had a photo before, it stays, and is the one shown.",
    ),
    "missing": ("Rows whose photo did not come", ""),
    "unlisted": ("Photos that no row mentions", ""),
    "retired": ("No longer delivered", "Hidden; they come back when the feed has them again."),
}


@dataclass(frozen=True)
class Section:
    """A part of a run: how many there are, and the first of them.

    `unseen` is how many labels the worker has yet to look at, of what looks wrong.
    """

    name: str
    title: str
    note: str
    count: int
    items: tuple[RunItemView, ...]
    unseen: int = 0

    @property
    def more(self) -> int:
        """How many there are beside those shown."""
        return self.count - len(self.items)


def sections(
    catalogue: Catalogue,
    run_id: int,
    *,
    names: Sequence[str] = tuple(TITLES),
    settled: str | None = None,
    offset: int = 0,
    limit: int = SHOWN,
) -> tuple[Section, ...]:
    """Return the sections of a run that hold anything, each with `limit` items from `offset` on.

    `settled` keeps, of what could not be used, what a person has dealt with in that way.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        model_id = active_id(session)
        judged = queries.judged(session, run_id, model_id)
        counts = queries.counts(session, run_id) | {"wrong": judged.looks_wrong}
        counts["updated"] = counts.get("updated", 0) - counts["moved"]
        if settled is not None:
            counts["quarantined"] = queries.settled_counts(session, run_id).get(settled, 0)
        found = []
        for name in names:
            unseen = judged.unseen if name == "wrong" else 0
            if not (counts.get(name) or unseen):
                continue
            if name == "wrong":
                rows = queries.looks_wrong(session, run_id, model_id, limit, offset=offset)
            else:
                rows = queries.items(
                    *(session, run_id, ["updated" if name == "moved" else name], limit),
                    offset=offset,
                    moved={"moved": True, "updated": False}.get(name),
                    settled=settled if name == "quarantined" else None,
                )
            items = views(catalogue.settings, rows)
            found.append(Section(name, *TITLES[name], counts.get(name, 0), items, unseen))
    return tuple(found)


def needs(catalogue: Catalogue, run: RunView) -> int:
    """Return how much of a run waits for a person: what it could not use, and doubtful labels."""
    with in_plain_words(), read(catalogue.engine) as session:
        judged = queries.judged(session, run.id, active_id(session))
    return attention(run) + judged.looks_wrong + judged.second_look


def active_id(session: Session) -> int:
    """Return the id of the active model, one that no model has where there is none."""
    model = models.active(session)
    return 0 if model is None else model.id


def headline(run: RunView, needs: int, zone: tzinfo | None = None) -> str:
    """Return a run in one sentence, its time on the clock of `zone`, by default this machine's."""
    moment: datetime = run.finished_at or run.started_at
    when = f"{moment.astimezone(zone):%A %-d %B, %H:%M}"
    through = run.added + run.updated + run.unchanged
    share = f"{through:,} of {_products(run.seen)}"
    if run.state == "running":
        return f"The run that began on {when} is under way: {share} so far."
    if run.state != "done":
        ended = "was stopped" if run.state == "stopped" else "failed"
        return f"The run of {when} {ended} after {share}."
    you = f"{needs:,} need{'s' if needs == 1 else ''} you" if needs else "nothing needs you"
    if not run.seen:
        return f"No product was delivered on {when}; {you}."
    if through == run.seen:
        share = f"All {_products(run.seen)}" if run.seen > 1 else "1 product"
    return f"{share} came in on {when}; {you}."


def _products(count: int) -> str:
    return f"{count:,} product{'' if count == 1 else 's'}"
