"""Check a catalogue from its schema to its last photo; nothing is ever changed.

The checks are in `services.checks`. `open_as_found` opens a catalogue without upgrading it, so that
what is reported is what was there.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from sqlalchemy.exc import DatabaseError as DriverError

from catalog_ai.config import Settings
from catalog_ai.errors import DatabaseError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.checks import database, files, outputs, work
from catalog_ai.services.checks.finding import NOTE, OK, PROBLEM, Finding, problem
from db.readonly import open_read_only, schema_state

__all__ = ["DECODES", "NOTE", "OK", "PROBLEM", "Finding", "check", "findings", "open_as_found"]

Check = Callable[[Catalogue, bool], Finding]

OF_THE_DATABASE: dict[str, Check] = {
    "schema": database.schema,
    "journal": database.journal,
    "connections": database.connections,
    "integrity": database.integrity,
    "references": database.references,
    "disk": database.disk,
}
OF_THE_CATALOGUE: dict[str, Check] = {
    "stored photos": files.stored_copies,
    "thumbnails": files.thumbnails,
    "other photos": files.orphans,
    "half-written files": files.half_written,
    "vector sizes": outputs.vector_sizes,
    "vector numbers": outputs.vector_numbers,
    "predictions": outputs.predictions,
    "model files": work.model_files,
    "active model": work.active_model,
    "runs": work.runs,
    "jobs": work.jobs,
}
DECODES = "photos decode"
ONLY_DEEP: dict[str, Check] = {DECODES: files.decodable}


def open_as_found(settings: Settings) -> Catalogue:
    """Open a catalogue to look at it: no upgrade, no folder made, and its database not writable.

    Raises `DatabaseError` where there is none.
    """
    with in_plain_words():
        return Catalogue(settings, open_read_only(settings.database_url))


def check(catalogue: Catalogue, *, deep: bool = False) -> list[Finding]:
    """Return what every check found, in a fixed order; `deep` decodes and compares everything.

    Raises `DatabaseError` where the database cannot be read at all.
    """
    return list(findings(catalogue, deep=deep))


def findings(catalogue: Catalogue, *, deep: bool = False) -> Iterator[Finding]:
    """Yield what `check` returns, each as soon as it is known."""
    with in_plain_words():
        schema = schema_state(catalogue.engine)
    checks = dict(OF_THE_DATABASE)
    if schema.current is not None and not schema.is_newer:
        checks |= OF_THE_CATALOGUE | (ONLY_DEEP if deep else {})
    for name, ask in checks.items():
        yield replace(_answer(ask, catalogue, deep), name=name)


def _answer(ask: Check, catalogue: Catalogue, deep: bool) -> Finding:
    """Return what a check found; one that cannot be made is a finding as well."""
    try:
        with in_plain_words():
            return ask(catalogue, deep)
    except DatabaseError as error:
        return problem("this could not be checked", str(error))
    except DriverError as error:
        return problem(f"this could not be checked: {error.orig}", "see what else is reported here")
    except OSError as error:
        place = error.filename or "the disk"
        return problem(f"this could not be checked: {place}: {error.strerror}", "see who owns it")
