"""Read jobs and workers."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.schema import Job, Worker


@dataclass(frozen=True)
class JobRow:
    """One job; `worker_gone` says that nobody works at it although it is marked running."""

    id: int
    kind: str
    parameters: dict[str, Any]
    state: str
    progress: float
    message: str
    result: dict[str, Any]
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker_gone: bool


def job(session: Session, job_id: int, *, silent_since: datetime) -> JobRow | None:
    """Return one job. A worker last heard of before `silent_since` counts as gone."""
    found = session.get(Job, job_id)
    return None if found is None else _row(found, _silent_workers(session, silent_since))


def latest_jobs(session: Session, limit: int, *, silent_since: datetime) -> list[JobRow]:
    """Return the newest jobs, the newest first."""
    silent = _silent_workers(session, silent_since)
    newest = session.scalars(select(Job).order_by(Job.id.desc()).limit(limit))
    return [_row(found, silent) for found in newest]


def queued_twin(session: Session, kind: str, parameters: dict[str, Any]) -> int | None:
    """Return the id of a queued job that asks for the very same, if there is one."""
    # Compared here, not in SQL: PostgreSQL has no equality for its JSON type.
    queued = session.scalars(select(Job).where(Job.kind == kind, Job.state == "queued"))
    return next((found.id for found in queued if found.parameters == parameters), None)


def queued_count(session: Session) -> int:
    """Return how many jobs wait for a worker."""
    count = select(func.count()).select_from(Job).where(Job.state == "queued")
    return session.scalar(count) or 0


def heartbeats(session: Session) -> tuple[datetime | None, datetime | None, int]:
    """Return the latest sign of life of those that did not sign off, of any, how many jobs wait."""
    at_work, any_of_them, waiting = session.execute(_heartbeats()).one()
    return at_work, any_of_them, waiting or 0


@cache
def _heartbeats() -> Select[datetime | None, datetime | None, int]:
    latest = select(func.max(Worker.heartbeat_at))
    at_work = latest.where(Worker.stopped_at.is_(None))
    waiting = select(func.count()).select_from(Job).where(Job.state == "queued")
    return select(*(part.scalar_subquery() for part in (at_work, latest, waiting)))


def _silent_workers(session: Session, silent_since: datetime) -> set[int]:
    gone = (Worker.heartbeat_at < silent_since) | Worker.stopped_at.is_not(None)
    return set(session.scalars(select(Worker.id).where(gone)))


def _row(found: Job, silent: set[int]) -> JobRow:
    return JobRow(
        id=found.id,
        kind=found.kind,
        parameters=found.parameters,
        state=found.state,
        progress=found.progress,
        message=found.message,
        result=found.result,
        requested_by=found.requested_by,
        created_at=found.created_at,
        started_at=found.started_at,
        finished_at=found.finished_at,
        worker_gone=found.state == "running"
        and (found.worker_id is None or found.worker_id in silent),
    )
