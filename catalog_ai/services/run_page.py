"""A run as a page for people who never open the dashboard: HTML in one file, pictures inside.

It tells what a run left for people, as of when it was written, and says so. What they settle later
is not written into it: it may lie on a share that is away, and has been sent and read. The worker
alone writes it once more, when it has looked at the labels.
"""

import sys
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

from catalog_ai.errors import CatalogError
from catalog_ai.services import runs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.photos import write_whole
from catalog_ai.services.run_cards import card
from catalog_ai.services.run_sections import active_id, headline, needs, sections
from db.engine import read
from db.queries import runs as queries

_PAGES = 7  # runs whose pages may still wait for the worker; older ones have been filled


def write_page(
    catalogue: Catalogue, run_id: int, path: Path, *, now: datetime | None = None
) -> None:
    """Write a run's page to `path`, whole or not at all; missing folders are made.

    Times are on this machine's clock. Raises `UsageError` for a number that is no run's,
    `DatabaseError`, and `OSError` where the file cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    run = runs.get_run(catalogue, run_id)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = templates.get_template("run.html").render(
        run=run,
        headline=headline(run, needs(catalogue, run)),
        facts=_facts(run),
        written=f"{(now or datetime.now(UTC)).astimezone():%A %-d %B, %H:%M}",
        parts=[
            (
                section,
                [(card(section.name, item), _inline(item.thumbnail)) for item in section.items],
            )
            for section in sections(catalogue, run_id)
        ],
    )
    # A feed may hold half a surrogate pair, which UTF-8 has no bytes for.
    write_whole(path, text.encode(errors="replace"))


def unfinished(catalogue: Catalogue) -> tuple[int, ...]:
    """Return runs whose page says that the worker has not looked at their labels yet.

    Of runs that share a file only the newest counts: the page is about that one.
    """
    with in_plain_words(), read(catalogue.engine) as session:
        model_id = active_id(session)
        newest: dict[str, int] = {}
        for run in queries.with_page(session, _PAGES):
            newest.setdefault(run.page, run.id)
        return tuple(
            number for number in newest.values() if queries.judged(session, number, model_id).unseen
        )


def write_again(catalogue: Catalogue, run_ids: tuple[int, ...]) -> None:
    """Write the pages of runs where they were asked for; one that cannot be is a line on stderr.

    A folder that is gone is not made again: it may be a share that is away.
    """
    for run_id in run_ids:
        path = Path()
        try:
            path = Path(runs.get_run(catalogue, run_id).page)
            if not path.parent.is_dir():
                raise FileNotFoundError(2, f"the folder {path.parent} is gone")
            write_page(catalogue, run_id, path)
        except (CatalogError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            print(f"the page {path} of run {run_id} was not written: {why}", file=sys.stderr)


def _facts(run: runs.RunView) -> list[str]:
    """Return what the headline leaves out."""
    found = [f"{run.added:,} new", f"{run.updated:,} changed", f"{run.unchanged:,} as they were"]
    if run.second_look:
        found.append(f"{run.second_look:,} changed under a decision: they wait in Second look")
    return found


def _inline(thumbnail: Path | None) -> str:
    """Return one of our thumbnails as a data URI, "" where there is none."""
    try:
        data = thumbnail.read_bytes() if thumbnail else b""
    except OSError:
        return ""
    return f"data:image/jpeg;base64,{b64encode(data).decode()}" if data else ""
