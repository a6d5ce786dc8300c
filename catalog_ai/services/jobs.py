"""The queue of long work: ask for a job, watch it, cancel it. `working` is who does the jobs.

Jobs are done one at a time, in the order in which they were asked for, whichever worker takes
them: vectors come before scores, scores and map after the model that they belong to.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from db.commands import jobs as commands
from db.engine import read, write
from db.queries import jobs as queries

TITLES = {
    "train": "Train a model",
    "retrain": "Retrain on the corrections",
    "compare": "Compare with the model in use",
    "clear": "Clear away what a discarded model said",
    "embed": "Look at all photos with the new model",
    "assess": "Look for wrong labels",
    "project": "Draw the map",
    "ingest": "Try refused photos again",
}
Progress = Callable[[float, str], None]  # how far a job is, 0..1, and what it is doing
SILENT_AFTER = timedelta(seconds=30)  # a worker says that it is alive every 2 seconds
LOST = "The worker ended without a word: ask for it again."


@dataclass(frozen=True)
class JobView:
    """One job as pages show it; `state` is one of `db.schema.JOB_STATES`, `progress` is 0..1."""

    id: int
    kind: str
    title: str
    state: str
    progress: float
    message: str
    result: dict[str, Any]
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    parameters: dict[str, Any]


@dataclass(frozen=True)
class WorkerStatus:
    """Whether anybody is there to do jobs, when a worker was last heard of, how many jobs wait."""

    running: bool
    last_seen: datetime | None
    queued: int


def enqueue(
    catalogue: Catalogue,
    kind: str,
    parameters: dict[str, Any] | None = None,
    *,
    requested_by: str = "",
    once: bool = True,
) -> int:
    """Ask for a job and return its id; with `once`, a queued job that asks the same is enough.

    `parameters` are JSON values, the keyword arguments of the service behind `kind`. Raises
    `UsageError` for an unknown kind.
    """
    if kind not in TITLES:
        raise UsageError(f"there is no job {kind!r}: choose from {', '.join(TITLES)}")
    wanted = parameters or {}
    with in_plain_words(), write(catalogue.engine, touches=("jobs",)) as session:
        twin = queries.queued_twin(session, kind, wanted) if once else None
        return twin or commands.add_job(session, kind, wanted, requested_by, datetime.now(UTC))


def list_jobs(catalogue: Catalogue, *, limit: int = 20) -> list[JobView]:
    """Return the newest jobs, the newest first."""
    with in_plain_words(), read(catalogue.engine) as session:
        rows = queries.latest_jobs(session, limit, silent_since=silent_since())
    return [_view(row) for row in rows]


def get_job(catalogue: Catalogue, job_id: int) -> JobView:
    """Return one job. Raises `UsageError` where there is none of that number."""
    with in_plain_words(), read(catalogue.engine) as session:
        row = queries.job(session, job_id, silent_since=silent_since())
    if row is None:
        raise UsageError(f"there is no job number {job_id}: the list shows those that there are")
    return _view(row)


def cancel(catalogue: Catalogue, job_id: int) -> None:
    """Cancel a job: at once where it waits, within moments where it runs. Ended ones stay."""
    with in_plain_words(), write(catalogue.engine, touches=("jobs",)) as session:
        commands.cancel_job(session, job_id, datetime.now(UTC))


def worker_status(catalogue: Catalogue) -> WorkerStatus:
    """Return whether a worker is running, by its last sign of life, and how many jobs wait."""
    with in_plain_words(), read(catalogue.engine) as session:
        at_work, last_seen, queued = queries.heartbeats(session)
    running = at_work is not None and at_work >= silent_since()
    return WorkerStatus(running, last_seen, queued)


def run_jobs(
    catalogue: Catalogue,
    *,
    loop: bool,
    poll_seconds: float = 1.0,
    progress: Callable[[JobView], None] | None = None,
) -> int:
    """Do the queued jobs, with `loop` also those to come, and return how many failed.

    `progress` is shown each job as it starts, moves on and ends. SIGTERM or SIGINT puts the job
    at hand back into the queue and returns.
    """
    from catalog_ai.services.working import Runner

    with in_plain_words():
        return Runner(catalogue, progress).run(loop=loop, poll_seconds=poll_seconds)


def silent_since() -> datetime:
    """Return the moment before which a worker's last sign of life means that it is gone."""
    return datetime.now(UTC) - SILENT_AFTER


def _view(row: queries.JobRow) -> JobView:
    state = "lost" if row.worker_gone else row.state
    return JobView(
        id=row.id,
        kind=row.kind,
        title=TITLES.get(row.kind, row.kind),
        state=state,
        progress=row.progress,
        message=LOST if state == "lost" else row.message,
        result=row.result,
        requested_by=row.requested_by,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        parameters=row.parameters,
    )
