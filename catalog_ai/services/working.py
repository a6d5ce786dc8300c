"""Do queued jobs: claim one, show its progress, say how it ended, and be seen alive meanwhile."""

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalog_ai.errors import CatalogError, StoppedError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.jobs import Progress
from catalog_ai.services.signals import signals_call
from db.commands import jobs as commands
from db.engine import read, write
from db.errors import LockedError, StorageError
from db.queries import jobs as queries

HEARTBEAT_SECONDS = 2.0
PROGRESS_SECONDS = 0.5
_JOBS = ("jobs",)

Parameters = dict[str, Any]


# Not derived from Exception: no job may mistake these for a failure of its own and carry on.
class JobTaken(BaseException):
    """Somebody cancelled the job, or gave it up as lost: what it computes is not wanted."""


class WorkerStopped(BaseException):
    """A signal asks this process to end."""


class Runner:
    """One worker process, registered and seen alive from start to end of `run`."""

    def __init__(
        self, catalogue: Catalogue, watch: Callable[[jobs.JobView], None] | None = None
    ) -> None:
        self._catalogue = catalogue
        self._watch = watch or (lambda job: None)
        self._stop = threading.Event()
        self._in_job = False
        self._id = 0

    def run(self, *, loop: bool, poll_seconds: float) -> int:
        """Work until nothing is queued, with `loop` until stopped; return how many failed."""
        failed = 0
        with signals_call(self._on_signal), self._signed_on():
            while not self._stop.is_set():
                job_id = self._claim()
                if job_id is not None:
                    failed += not self._do(job_id)
                elif loop or self._queued():
                    self._stop.wait(poll_seconds)
                else:
                    break
        return failed

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stop.set()
        if self._in_job:
            self._in_job = False
            raise WorkerStopped

    @contextmanager
    def _signed_on(self) -> Iterator[None]:
        engine = self._catalogue.engine
        with write(engine) as session:
            self._id = commands.add_worker(session, socket.gethostname(), os.getpid(), _now())
        ended = threading.Event()
        heart = threading.Thread(target=self._beat, args=(ended,), daemon=True)
        heart.start()
        try:
            yield
        finally:
            ended.set()
            heart.join()
            with write(engine, touches=_JOBS) as session:
                commands.sign_off(session, self._id, _now())

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                with write(self._catalogue.engine) as session:
                    commands.beat(session, self._id, _now())
            except StorageError as error:  # the next beat may get through; a missing one shows
                print(f"worker: no heartbeat stored: {error}", file=sys.stderr)

    def _queued(self) -> bool:
        with read(self._catalogue.engine) as session:
            return queries.queued_count(session) > 0

    def _claim(self) -> int | None:
        if not self._queued():  # an idle worker only reads
            return None
        with write(self._catalogue.engine, touches=_JOBS) as session:
            return commands.claim_next(session, self._id, _now(), jobs.silent_since())

    def _do(self, job_id: int) -> bool:
        """Do one job and return whether it was done, or no longer wanted, rather than failed."""
        job = jobs.get_job(self._catalogue, job_id)
        self._watch(job)
        try:
            result = self._compute(job)
        except JobTaken:
            pass  # whoever took it has written why
        except WorkerStopped:
            self._write(commands.put_back, job_id)
        except StoppedError:  # an ingest takes the signal itself, to write what is at hand
            self._stop.set()
            self._write(commands.put_back, job_id)
        except (CatalogError, StorageError) as error:
            self._finish(job_id, "failed", str(error))
        except Exception as error:
            traceback.print_exc()
            self._finish(job_id, "failed", f"unexpected error: {type(error).__name__}")
        else:
            self._finish(job_id, "done", "", result)
        ended = jobs.get_job(self._catalogue, job_id)
        self._watch(ended)
        return ended.state != "failed"

    def _compute(self, job: jobs.JobView) -> dict[str, Any]:
        self._in_job = True
        try:
            return _HANDLERS[job.kind](self._catalogue, job.parameters, self._teller(job.id))
        finally:
            self._in_job = False

    def _teller(self, job_id: int) -> Progress:
        """Return what a job calls with its progress, outside of transactions of its own."""
        told_at = 0.0

        def tell(fraction: float, message: str) -> None:
            nonlocal told_at
            if time.monotonic() - told_at < PROGRESS_SECONDS and fraction < 1:
                return
            try:
                mine = self._write(commands.set_progress, job_id, min(fraction, 1.0), message)
            except LockedError:
                return  # the next one will tell
            if not mine:
                raise JobTaken("the job was cancelled; the next run carries on")
            told_at = time.monotonic()
            self._watch(jobs.get_job(self._catalogue, job_id))

        return tell

    def _finish(self, job_id: int, state: str, message: str, *result: dict[str, Any]) -> None:
        self._write(commands.finish_job, job_id, state, message, _now(), *result)

    def _write(self, change: Callable[..., bool], job_id: int, *values: Any) -> bool:
        with write(self._catalogue.engine, touches=_JOBS) as session:
            return change(session, job_id, self._id, *values)


def _now() -> datetime:
    return datetime.now(UTC)


def _train(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.training import train_version

    data = parameters.get("data")
    trained = train_version(
        catalogue, **{**parameters, "data": Path(data) if data else None}, progress=progress
    )
    return {
        "version": trained.version,
        "is_active": trained.is_active,
        "metrics": trained.meta["metrics"],
    }


def _retrain(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.retraining import retrain

    return retrain(catalogue, **parameters, progress=progress)


def _compare(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.comparing import compare

    return compare(catalogue, **parameters, progress=progress)


def _clear(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.discarding import clear_away

    return clear_away(catalogue, **parameters, progress=progress)


def _embed(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.ingest import embed_missing

    return {"embedded": embed_missing(catalogue, **parameters, progress=progress)}


def _assess(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services import run_page
    from catalog_ai.services.assessing import assess

    waiting = run_page.unfinished(catalogue)
    found = asdict(assess(catalogue, progress=progress))
    run_page.write_again(catalogue, waiting)
    return found


def _project(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.projecting import project_map

    return {"projection_id": project_map(catalogue, progress=progress)}


def _ingest(catalogue: Catalogue, parameters: Parameters, progress: Progress) -> dict[str, Any]:
    from catalog_ai.services.retrying import try_again

    return try_again(catalogue, **parameters, progress=progress)


_HANDLERS: dict[str, Callable[[Catalogue, Parameters, Progress], dict[str, Any]]] = {
    "train": _train,
    "retrain": _retrain,
    "compare": _compare,
    "clear": _clear,
    "embed": _embed,
    "assess": _assess,
    "project": _project,
    "ingest": _ingest,
}
