"""Put a model version away: hidden from lists, what it said of products forgotten, weights kept."""

from typing import Any

from catalog_ai.errors import UnknownVersionError, UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.jobs import Progress
from db.commands import models as commands
from db.commands.verdicts import clear_differences
from db.engine import write
from db.queries import comparing, models

KIND = "clear"
_TOUCHES = ("models", "trials")


def discard(catalogue: Catalogue, version: str, *, requested_by: str = "") -> None:
    """Hide a version; the worker then forgets what it said. The active one is refused.

    Raises `UnknownVersionError`, `UsageError`.
    """
    with in_plain_words(), write(catalogue.engine, touches=_TOUCHES) as session:
        row = models.by_version(session, version)
        if row is None:
            raise UnknownVersionError(f"there is no model {version!r}: the page Models lists them")
        if row.is_active:
            raise UsageError(f"{version!r} is in use: use another model first, then discard it")
        commands.set_discarded(session, version, True)
    jobs.enqueue(catalogue, KIND, {"version": version}, requested_by=requested_by)


def bring_back(catalogue: Catalogue, version: str, *, requested_by: str = "") -> None:
    """Show a discarded version again and have it look at all products anew.

    Raises `UnknownVersionError`.
    """
    with in_plain_words(), write(catalogue.engine, touches=_TOUCHES) as session:
        if models.by_version(session, version) is None:
            raise UnknownVersionError(f"there is no model {version!r}: the page Models lists them")
        commands.set_discarded(session, version, False)
    jobs.enqueue(catalogue, "compare", {"version": version}, requested_by=requested_by)


def clear_away(
    catalogue: Catalogue, version: str, progress: Progress | None = None
) -> dict[str, Any]:
    """Delete what a discarded version said of products, a few at a time; return of how many.

    It stops where the version was brought back meanwhile.
    """
    tell = progress or (lambda share, message: None)
    done = last = 0
    while True:
        with in_plain_words(), write(catalogue.engine, touches=("trials",)) as session:
            row = models.by_version(session, version)
            if row is None or not row.is_discarded:
                return {"products": done}
            part = comparing.predicted(session, row.id, after_id=last)
            if not part:
                clear_differences(session, row.id)
                return {"products": done}
            commands.forget_outputs(session, row.id, part)
        last, done = part[-1], done + len(part)
        tell(0.0, f"{done:,} products")
