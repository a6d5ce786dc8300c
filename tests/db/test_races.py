"""Two at once: everything that reads before it writes, with time in between to be overtaken."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from db.commands import jobs, models, notes
from db.commands.products import add_products
from db.engine import read, write
from db.queries import jobs as job_queries
from db.schema import Job, ModelVersion, Note, Product
from tests.db.rows import NOW, add_model

THREADS = 4


@pytest.fixture
def at_once(open_database: Callable[[], Engine]) -> Callable[[Callable[[Any], Any]], list[Any]]:
    """A function that lets several processes' worth of engines do the same in one transaction each.

    Every query takes a while, so that transactions that could overlap do. Returns what each did.
    """

    def run(act: Callable[[Any], Any]) -> list[Any]:
        found: list[Any] = []
        together = threading.Barrier(THREADS)

        def one(engine: Engine) -> None:
            event.listen(engine, "after_cursor_execute", lambda *_: time.sleep(0.005))
            together.wait()
            try:
                with write(engine) as session:
                    made = act(session)
                found.append(made)
            except Exception as error:
                found.append(error)

        threads = [threading.Thread(target=one, args=(open_database(),)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return run


def test_one_job_is_claimed_once(engine: Engine, at_once: Callable[..., list[Any]]) -> None:
    with write(engine) as session:
        workers = iter([jobs.add_worker(session, "here", 1, NOW) for _ in range(THREADS)])
        first, _ = (jobs.add_job(session, "train", {"seed": seed}, "", NOW) for seed in range(2))
    claimed = at_once(lambda session: jobs.claim_next(session, next(workers), NOW, NOW))
    assert sorted(claimed, key=str) == [first, None, None, None]
    with read(engine) as session:
        running = session.scalars(select(Job.state).order_by(Job.id)).all()
        assert running == ["running", "queued"]


def test_the_same_wish_is_queued_once(engine: Engine, at_once: Callable[..., list[Any]]) -> None:
    def wish(session: Any) -> int:
        twin = job_queries.queued_twin(session, "assess", {})
        return twin or jobs.add_job(session, "assess", {}, "", NOW)

    assert at_once(wish) == [1] * THREADS


def test_one_model_is_active(engine: Engine, at_once: Callable[..., list[Any]]) -> None:
    with write(engine) as session:
        versions = iter([f"v{number}" for number in range(THREADS)])
        for number in range(THREADS):
            add_model(session, f"v{number}")
    assert at_once(lambda session: models.activate(session, next(versions))) == [True] * THREADS
    with read(engine) as session:
        assert session.scalar(select(func.count()).where(ModelVersion.is_active)) == 1


def test_a_note_is_written_once(engine: Engine, at_once: Callable[..., list[Any]]) -> None:
    assert at_once(lambda session: notes.set_note(session, "model", "said", NOW)) == [None] * 4
    with read(engine) as session:
        assert session.scalars(select(Note.text)).all() == ["said"]


def test_a_product_is_added_once(engine: Engine, at_once: Callable[..., list[Any]]) -> None:
    """As an ingest does it: what is not there yet is added."""
    photo = dict.fromkeys(("image_path", "image_sha256", "stored_image", "thumbnail"), "a")

    def add(session: Any) -> bool:
        there = session.scalar(select(Product.id).where(Product.sku == "AB-1"))
        return there is None and bool(add_products(session, NOW, [{"sku": "AB-1", **photo}]))

    assert sorted(at_once(add)) == [False, False, False, True]
