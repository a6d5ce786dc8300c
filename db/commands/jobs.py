"""Write jobs and workers.

A job belongs to a worker while its state is `running` and its `worker_id` is that worker's. Each
later write of the worker asks for both, so that a job which was cancelled, or given up as lost,
is never overwritten by the one who worked at it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Update, select, update
from sqlalchemy.orm import Session

from db.schema import Job, Worker


def add_job(
    session: Session, kind: str, parameters: dict[str, Any], requested_by: str, now: datetime
) -> int:
    """Queue a job and return its id."""
    job = Job(kind=kind, parameters=parameters, requested_by=requested_by, created_at=now)
    session.add(job)
    session.flush()
    return job.id


def cancel_job(session: Session, job_id: int, now: datetime) -> bool:
    """Cancel a queued or running job; a worker notices at its next progress."""
    unfinished = (Job.id == job_id) & Job.state.in_(("queued", "running"))
    return _changed(session, update(Job).where(unfinished), state="cancelled", finished_at=now)


def add_worker(session: Session, host: str, pid: int, now: datetime) -> int:
    """Register a worker process and return its id."""
    worker = Worker(host=host, pid=pid, started_at=now, heartbeat_at=now)
    session.add(worker)
    session.flush()
    return worker.id


def beat(session: Session, worker_id: int, now: datetime) -> None:
    """Note that the worker is alive."""
    session.execute(update(Worker).where(Worker.id == worker_id).values(heartbeat_at=now))


def sign_off(session: Session, worker_id: int, now: datetime) -> None:
    """Note that the worker ended on its own account."""
    session.execute(
        update(Worker).where(Worker.id == worker_id).values(heartbeat_at=now, stopped_at=now)
    )


def claim_next(
    session: Session, worker_id: int, now: datetime, silent_since: datetime
) -> int | None:
    """Give the oldest queued job to the worker and return its id.

    None where nothing is queued or another worker is at work: jobs build upon each other (vectors,
    then scores, then the map), so they are done one at a time, in the order they were asked for.
    """
    give_up_lost(session, now, silent_since)
    if session.scalar(select(Job.id).where(Job.state == "running").limit(1)) is not None:
        return None
    # Claimers come one after the other, as all writers do (`db.engine.write`). A job whose row
    # somebody holds all the same, such as an administrator at work, is passed over.
    oldest = select(Job).where(Job.state == "queued").order_by(Job.id).limit(1)
    job = session.scalar(oldest.with_for_update(skip_locked=True))
    if job is None:
        return None
    job.state, job.worker_id, job.started_at = "running", worker_id, now
    job.progress, job.message = 0.0, ""
    return job.id


def give_up_lost(session: Session, now: datetime, silent_since: datetime) -> None:
    """Mark running jobs as lost whose worker was last heard of before `silent_since`."""
    alive = select(Worker.id).where(
        Worker.heartbeat_at >= silent_since, Worker.stopped_at.is_(None)
    )
    orphaned = (Job.state == "running") & (Job.worker_id.is_(None) | Job.worker_id.not_in(alive))
    _changed(session, update(Job).where(orphaned), state="lost", finished_at=now)


def set_progress(
    session: Session, job_id: int, worker_id: int, progress: float, message: str
) -> bool:
    """Store how far a job is, 0..1; False where it is no longer this worker's."""
    return _changed(session, _claimed(job_id, worker_id), progress=progress, message=message)


def finish_job(
    session: Session,
    job_id: int,
    worker_id: int,
    state: str,
    message: str,
    now: datetime,
    result: dict[str, Any] | None = None,
) -> bool:
    """Store how a job ended; False where it is no longer this worker's."""
    ended: dict[str, Any] = {"state": state, "message": message, "finished_at": now}
    if state == "done":
        ended |= {"progress": 1.0, "result": result or {}}
    return _changed(session, _claimed(job_id, worker_id), **ended)


def put_back(session: Session, job_id: int, worker_id: int) -> bool:
    """Queue a claimed job again, at its old place; False where it is no longer this worker's."""
    fresh = {"state": "queued", "worker_id": None, "started_at": None, "progress": 0.0}
    return _changed(session, _claimed(job_id, worker_id), message="", **fresh)


def _claimed(job_id: int, worker_id: int) -> Update:
    return update(Job).where(Job.id == job_id, Job.worker_id == worker_id, Job.state == "running")


def _changed(session: Session, change: Update, **values: Any) -> bool:
    result = session.execute(change.values(**values))
    assert isinstance(result, CursorResult)
    return result.rowcount > 0
