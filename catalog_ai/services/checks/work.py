"""What computes and who works: models, runs, jobs and workers."""

import fcntl
import os
from pathlib import Path

from catalog_ai.errors import CatalogError
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checks.finding import Finding, note, ok, problem
from catalog_ai.services.jobs import TITLES, silent_since
from db.engine import is_file, read
from db.locks import is_held
from db.queries import health, models, products

_WORKER = "python -m catalog_ai.worker"


def model_files(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether every registered model can be loaded and is the one that the database describes."""
    with read(catalogue.engine) as session:
        rows = models.all_versions(session)
    broken = [
        f"{row.version}: {fault}" for row in rows if (fault := _fault(catalogue, row)) is not None
    ]
    if broken:
        return problem(
            f"{len(broken)} of {len(rows)} models cannot be loaded",
            "restore their folders in models/ from a backup made with --photos, or train again",
            broken,
        )
    return ok(f"{len(rows)} models load")


def active_model(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether exactly one model is active, or none where there is nothing to classify."""
    with read(catalogue.engine) as session:
        active = [row.version for row in models.all_versions(session) if row.is_active]
        count = products.count(session)
    if len(active) == 1:
        return ok(f"{active[0]} is active")
    if not active and not count:
        return ok("none is active yet, and the catalogue is empty")
    return problem(
        f"{len(active)} models are active, where exactly one is needed",
        "activate one on the page Models",
        active,
    )


def runs(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether a run is marked running although no ingest is at work."""
    engine = catalogue.engine
    with read(engine) as session:
        before = health.running_runs(session)
    if not before:
        return ok("no run is open")
    if _ingest_is_at_work(catalogue):
        return ok(f"run {before[-1]} is at work")
    with read(engine) as session:  # it may have ended between the question and the lock
        left = sorted(set(before) & set(health.running_runs(session)))
    if not left:
        return ok("a run has just ended")
    return problem(
        f"{len(left)} runs are marked running, but no ingest is at work",
        "start the ingest again: it closes them and carries on where they ended",
        [f"run {run}" for run in left],
    )


def jobs(catalogue: Catalogue, deep: bool) -> Finding:
    """Whether jobs were lost, or wait while nobody works."""
    with read(catalogue.engine) as session:
        found = health.work(session, silent_since())
    if found.abandoned:
        return problem(
            f"{len(found.abandoned)} jobs are marked running, but their worker is gone",
            f"start {_WORKER}, then ask for them again on the page Models",
            _named(found.abandoned),
        )
    if found.lost:
        return note(
            f"{len(found.lost)} jobs were lost with their worker and not asked for again",
            "ask for them again on the page Models",
            _named(found.lost),
        )
    if found.queued and not found.working:
        return note(f"{found.queued} jobs wait, and no worker is running", f"start {_WORKER}")
    if found.silent:
        return note(
            "the last worker ended without signing off",
            f"start {_WORKER} again, with --loop where it should stay",
        )
    return ok(f"{found.queued} jobs wait" if found.queued else "no job waits, none was lost")


def _fault(catalogue: Catalogue, row: models.ModelRow) -> str | None:
    from catalog_ai.checkpoint import load_checkpoint

    try:
        found = load_checkpoint(catalogue.settings.models / row.version, classes=row.classes)
    except CatalogError as error:
        return str(error)
    except OSError as error:
        return f"its files cannot be read: {error.strerror}"
    dimension = found.architecture.dimension
    if dimension != row.dimension:
        return f"its vectors have {dimension} numbers, the database says {row.dimension}"
    return None


def _ingest_is_at_work(catalogue: Catalogue) -> bool:
    """Return whether another process holds the ingest's lock, here or on the server."""
    if _is_held(catalogue.settings.locks / "ingest.lock"):
        return True
    return not is_file(catalogue.engine) and is_held(catalogue.engine, "ingest")


def _is_held(path: Path) -> bool:
    """Return whether another process holds the file; ours is let go at once, and none is made."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _named(jobs: list[tuple[int, str]]) -> list[str]:
    return [f"job {number}, {TITLES.get(kind, kind)}" for number, kind in jobs]
