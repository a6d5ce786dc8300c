import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from catalog_ai import cli, worker
from catalog_ai.config import PROJECT_ROOT
from catalog_ai.errors import DatabaseError, NoModelError, UsageError
from catalog_ai.services import jobs, working
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.jobs import (
    JobView,
    Progress,
    cancel,
    enqueue,
    get_job,
    list_jobs,
    worker_status,
)
from catalog_ai.services.training import TrainedVersion
from db.commands import jobs as commands
from db.engine import read, write
from db.schema import Job, Worker
from tests.helpers import seed_catalogue

Handler = Callable[[Catalogue, dict[str, Any], Progress], dict[str, Any]]


def run(catalogue: Catalogue, **options: Any) -> int:
    return jobs.run_jobs(catalogue, **{"loop": False, "poll_seconds": 0.01} | options)


def environment(catalogue: Catalogue) -> dict[str, str]:
    """Return what another process needs to open the same catalogue."""
    return {
        "CATALOG_HOME": str(catalogue.settings.home),
        "CATALOG_DATABASE_URL": catalogue.settings.database_url,
        "PYTHONPATH": str(PROJECT_ROOT),
    }


def workers(catalogue: Catalogue) -> list[Worker]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(Worker).order_by(Worker.id)))


def claim(catalogue: Catalogue, heard_of: datetime | None = None) -> tuple[int, int | None]:
    """Let a worker that never does anything take the next job."""
    now = datetime.now(UTC)
    with write(catalogue.engine) as session:
        worker_id = commands.add_worker(session, "elsewhere", 1, heard_of or now)
        return worker_id, commands.claim_next(session, worker_id, now, jobs.silent_since())


@pytest.fixture
def do(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    """Make all kinds of job do the same."""

    def set_handler(handler: Handler) -> None:
        monkeypatch.setattr(working, "_HANDLERS", dict.fromkeys(jobs.TITLES, handler))
        monkeypatch.setattr(working, "PROGRESS_SECONDS", 0.0)

    return set_handler


def test_a_queued_job_says_what_it_is(catalogue: Catalogue) -> None:
    number = enqueue(catalogue, "train", {"recipe": "small"}, requested_by="Ana")
    job = get_job(catalogue, number)
    assert (job.title, job.state, job.requested_by) == ("Train a model", "queued", "Ana")
    assert (job.parameters, job.progress, job.started_at) == ({"recipe": "small"}, 0.0, None)
    assert worker_status(catalogue) == jobs.WorkerStatus(running=False, last_seen=None, queued=1)


def test_the_same_wish_is_queued_once_unless_asked_otherwise(catalogue: Catalogue) -> None:
    first = enqueue(catalogue, "embed", {"version": "a"})
    assert enqueue(catalogue, "embed", {"version": "a"}) == first
    assert enqueue(catalogue, "embed", {"version": "b"}) != first
    assert enqueue(catalogue, "embed", {"version": "a"}, once=False) != first
    assert len(list_jobs(catalogue)) == 3


def test_a_running_twin_does_not_stand_for_a_new_wish(catalogue: Catalogue) -> None:
    """It may have read the catalogue before the change that the new wish is about."""
    first = enqueue(catalogue, "assess")
    claim(catalogue)
    assert enqueue(catalogue, "assess") != first


def test_unknown_kinds_and_numbers_are_refused(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"'dance'.*choose from train"):
        enqueue(catalogue, "dance")
    with pytest.raises(UsageError, match="no job number 7"):
        get_job(catalogue, 7)


def test_the_newest_come_first(catalogue: Catalogue) -> None:
    numbers = [enqueue(catalogue, "train", {"seed": seed}) for seed in range(4)]
    assert [job.id for job in list_jobs(catalogue, limit=3)] == numbers[:0:-1]


def test_jobs_are_done_in_the_order_of_asking(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    done: list[Any] = []
    do(lambda catalogue, parameters, progress: done.append(parameters) or {"count": len(done)})
    for seed in range(3):
        enqueue(catalogue, "train", {"seed": seed})
    before = revision(catalogue, "jobs")
    assert run(catalogue) == 0
    assert done == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
    newest = list_jobs(catalogue)[0]
    assert (newest.state, newest.progress, newest.result) == ("done", 1.0, {"count": 3})
    assert newest.started_at is not None and newest.finished_at is not None
    assert revision(catalogue, "jobs") > before


def test_progress_is_stored_and_shown(catalogue: Catalogue, do: Callable[[Handler], None]) -> None:
    seen: list[tuple[str, float, str]] = []

    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        progress(0.25, "a quarter")
        assert get_job(catalogue, number).message == "a quarter"
        progress(1.5, "more than all")
        return {}

    do(work)
    number = enqueue(catalogue, "train")
    run(catalogue, progress=lambda job: seen.append((job.state, job.progress, job.message)))
    assert seen == [
        ("running", 0.0, ""),
        ("running", 0.25, "a quarter"),
        ("running", 1.0, "more than all"),
        ("done", 1.0, ""),
    ]


def test_progress_is_written_at_most_twice_a_second(
    catalogue: Catalogue, do: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        for step in range(1000):
            progress(step / 1000, "step")
        return {}

    do(work)
    monkeypatch.setattr(working, "PROGRESS_SECONDS", 0.5)
    enqueue(catalogue, "train")
    seen: list[JobView] = []
    run(catalogue, progress=seen.append)
    assert len(seen) == 3  # begun, the first progress, done


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (NoModelError("there is no model yet: train one"), "there is no model yet: train one"),
        (RuntimeError("secret detail"), "unexpected error: RuntimeError"),
    ],
)
def test_a_failure_is_said_in_words_and_the_next_job_is_done(
    catalogue: Catalogue,
    do: Callable[[Handler], None],
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    message: str,
) -> None:
    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        if parameters:
            raise error
        return {}

    do(work)
    bad, good = enqueue(catalogue, "train", {"seed": 1}), enqueue(catalogue, "assess")
    assert run(catalogue) == 1
    assert (get_job(catalogue, bad).state, get_job(catalogue, bad).message) == ("failed", message)
    assert get_job(catalogue, good).state == "done"
    assert ("secret detail" in capsys.readouterr().err) == isinstance(error, RuntimeError)


def test_a_cancelled_job_is_never_begun(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    do(lambda catalogue, parameters, progress: pytest.fail("begun"))
    number = enqueue(catalogue, "train")
    cancel(catalogue, number)
    assert run(catalogue) == 0
    assert get_job(catalogue, number).state == "cancelled"


def test_a_running_job_notices_that_it_is_cancelled(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        progress(0.1, "begun")
        cancel(catalogue, number)
        progress(0.2, "further")
        pytest.fail("went on")

    do(work)
    number = enqueue(catalogue, "train")
    assert run(catalogue) == 0
    job = get_job(catalogue, number)
    assert (job.state, job.progress, job.result) == ("cancelled", 0.1, {})


def test_what_is_done_cannot_be_cancelled(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    do(lambda catalogue, parameters, progress: {})
    number = enqueue(catalogue, "train")
    run(catalogue)
    cancel(catalogue, number)
    assert get_job(catalogue, number).state == "done"


def test_the_job_of_a_silent_worker_is_lost_and_the_next_is_done(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    do(lambda catalogue, parameters, progress: {})
    number = enqueue(catalogue, "train")
    long_ago = datetime.now(UTC) - jobs.SILENT_AFTER - timedelta(seconds=1)
    assert claim(catalogue, heard_of=long_ago)[1] == number
    shown = list_jobs(catalogue)[0]
    assert (shown.state, shown.message) == ("lost", jobs.LOST)
    assert not worker_status(catalogue).running
    other = enqueue(catalogue, "assess")
    run(catalogue)
    assert get_job(catalogue, number).state == "lost"
    assert get_job(catalogue, number).finished_at is not None
    assert get_job(catalogue, other).state == "done"


def test_a_lost_job_is_not_overwritten_by_the_worker_that_wakes_up(catalogue: Catalogue) -> None:
    number = enqueue(catalogue, "train")
    sleeper, _ = claim(catalogue, heard_of=datetime.now(UTC) - timedelta(minutes=1))
    enqueue(catalogue, "assess")
    claim(catalogue)
    with write(catalogue.engine) as session:
        assert not commands.set_progress(session, number, sleeper, 0.9, "still here")
        assert not commands.finish_job(session, number, sleeper, "done", "", datetime.now(UTC))
    assert get_job(catalogue, number).state == "lost"


def test_a_worker_waits_for_the_job_of_another(catalogue: Catalogue) -> None:
    """Scores build on vectors: the second job must not overtake the first."""
    first, second = enqueue(catalogue, "embed", {"version": "a"}), enqueue(catalogue, "assess")
    holder, claimed = claim(catalogue)
    assert claimed == first
    assert claim(catalogue)[1] is None
    with write(catalogue.engine) as session:
        commands.finish_job(session, first, holder, "done", "", datetime.now(UTC))
    assert claim(catalogue)[1] == second


def test_several_workers_never_do_a_job_twice(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    done: list[int] = []

    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        done.append(parameters["seed"])
        time.sleep(0.005)
        return {}

    do(work)
    for seed in range(12):
        enqueue(catalogue, "train", {"seed": seed})
    threads = [threading.Thread(target=run, args=(catalogue,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == list(range(12))
    assert {job.state for job in list_jobs(catalogue)} == {"done"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_puts_the_job_back_and_signs_off(
    catalogue: Catalogue, do: Callable[[Handler], None], number: signal.Signals
) -> None:
    before = signal.getsignal(number)

    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        progress(0.5, "half")
        os.kill(os.getpid(), number)
        time.sleep(5)
        pytest.fail("went on")

    do(work)
    job_id = enqueue(catalogue, "train")
    assert run(catalogue, loop=True) == 0
    job = get_job(catalogue, job_id)
    assert (job.state, job.progress, job.started_at) == ("queued", 0.0, None)
    assert workers(catalogue)[0].stopped_at is not None
    assert not worker_status(catalogue).running
    assert signal.getsignal(number) is before
    do(lambda catalogue, parameters, progress: {})
    assert run(catalogue) == 0
    assert get_job(catalogue, job_id).state == "done"


def test_a_worker_is_seen_alive_while_it_works(
    catalogue: Catalogue, do: Callable[[Handler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "HEARTBEAT_SECONDS", 0.01)

    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        started = workers(catalogue)[0]
        for _ in range(500):
            if workers(catalogue)[0].heartbeat_at > started.heartbeat_at:
                break
            time.sleep(0.01)
        else:
            pytest.fail("no heartbeat")
        assert worker_status(catalogue).running
        return {}

    do(work)
    enqueue(catalogue, "train")
    assert run(catalogue) == 0
    status = worker_status(catalogue)
    assert not status.running and status.last_seen is not None


def test_the_worker_whose_clock_says_silence_is_not_running(catalogue: Catalogue) -> None:
    claim(catalogue)
    assert worker_status(catalogue).running
    with write(catalogue.engine) as session:
        past = datetime.now(UTC) - jobs.SILENT_AFTER - timedelta(seconds=1)
        session.execute(update(Worker).values(heartbeat_at=past))
    assert not worker_status(catalogue).running


def test_every_kind_of_job_has_somebody_who_does_it() -> None:
    assert working._HANDLERS.keys() == jobs.TITLES.keys()


def test_the_command_does_what_is_queued_and_tells(
    catalogue: Catalogue,
    do: Callable[[Handler], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    do(lambda catalogue, parameters, progress: progress(0.5, "half") or {})
    enqueue(catalogue, "assess")
    assert worker.main([]) == 0
    assert capsys.readouterr().out.startswith("job 1, Look for wrong labels: done in 0.")


def test_the_command_fails_where_a_job_does(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    enqueue(catalogue, "project")
    assert worker.main(["--database", catalogue.settings.database_url]) == 1
    assert "failed: there is nothing to draw" in capsys.readouterr().out


def test_the_command_says_why_a_database_cannot_be_used(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    assert cli.run(worker.main, ["--database", "nonsense"]) == DatabaseError.exit_code
    assert "'nonsense' is no database address" in capsys.readouterr().err


def test_the_loop_ends_politely(catalogue: Catalogue) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "catalog_ai.worker", "--loop"],
        cwd=catalogue.settings.home,
        env=environment(catalogue),
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(1000):
            if worker_status(catalogue).running or process.poll() is not None:
                break
            time.sleep(0.03)
        process.terminate()
        _, trouble = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, trouble) == (0, b"")
    assert workers(catalogue)[0].stopped_at is not None


def test_a_killed_worker_leaves_its_job_lost(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 while it holds a job: nobody signs off, the heartbeat falls silent."""
    number = enqueue(catalogue, "train")
    script = (
        "import os\n"
        "from catalog_ai.services import jobs, working\n"
        "from catalog_ai.services.catalogue import open_catalogue\n"
        "working._HANDLERS['train'] = lambda *_: os.kill(os.getpid(), 9)\n"
        "jobs.run_jobs(open_catalogue(), loop=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(catalogue),
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert get_job(catalogue, number).state == "running"
    monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(0))
    assert get_job(catalogue, number).state == "lost"
    with read(catalogue.engine) as session:
        assert session.get_one(Job, number).state == "running"  # nobody had to write it down


def test_scores_and_map_are_computed_as_jobs(catalogue: Catalogue) -> None:
    seed_catalogue(catalogue, n=9)
    for kind in ("assess", "project"):
        enqueue(catalogue, kind)
    assert run(catalogue) == 0
    project, assess = list_jobs(catalogue)
    assert assess.result == {"products": 9, "flagged": 0}
    assert project.result == {"projection_id": 2}


def test_training_and_embedding_get_the_parameters_of_their_job(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[dict[str, Any]] = []

    def train_version(catalogue: Catalogue, **options: Any) -> TrainedVersion:
        called.append(options)
        return TrainedVersion("new", True, {"metrics": {"accuracy": 0.9}})

    def embed_missing(catalogue: Catalogue, version: str, progress: Progress) -> int:
        called.append({"version": version, "progress": progress})
        return 12

    monkeypatch.setattr("catalog_ai.services.training.train_version", train_version)
    monkeypatch.setattr("catalog_ai.services.ingest.embed_missing", embed_missing)
    enqueue(catalogue, "train", {"recipe": "small", "epochs": 3, "data": "/photos"})
    enqueue(catalogue, "train", {"epochs": 4})
    enqueue(catalogue, "embed", {"version": "new"})
    assert run(catalogue) == 0
    for options in called:
        assert callable(options.pop("progress"))
    assert called == [
        {"recipe": "small", "epochs": 3, "data": Path("/photos")},
        {"epochs": 4, "data": None},
        {"version": "new"},
    ]
    embed, train, _ = list_jobs(catalogue)
    assert embed.result == {"embedded": 12}
    assert train.result == {"version": "new", "is_active": True, "metrics": {"accuracy": 0.9}}


def test_a_try_of_refused_photos_gets_the_parameters_of_its_job(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []

    def try_again(
        catalogue: Catalogue, source: str, only: list[str], progress: Progress
    ) -> dict[str, Any]:
        progress(1.0, "1 of 1")
        called.append((source, only))
        return {"added": 1}

    monkeypatch.setattr("catalog_ai.services.retrying.try_again", try_again)
    number = enqueue(catalogue, "ingest", {"source": "/feed", "only": ["a.jpg"]})
    assert run(catalogue) == 0
    assert called == [("/feed", ["a.jpg"])]
    job = get_job(catalogue, number)
    assert (job.title, job.result) == ("Try refused photos again", {"added": 1})


def test_a_cancelled_ingest_says_why_its_run_ended(
    catalogue: Catalogue, do: Callable[[Handler], None]
) -> None:
    """The run is closed with the words of what interrupted it."""
    said: list[str] = []

    def work(
        catalogue: Catalogue, parameters: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        cancel(catalogue, number)
        try:
            progress(0.5, "half")
        except working.JobTaken as error:
            said.append(str(error))
            raise
        return {}

    do(work)
    number = enqueue(catalogue, "ingest")
    assert run(catalogue) == 0
    assert said == ["the job was cancelled; the next run carries on"]
