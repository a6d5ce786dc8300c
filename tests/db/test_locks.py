import multiprocessing
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db import engine as database
from db.engine import create, read
from db.errors import LockedError, StorageError
from db.locks import held, is_held
from tests.servers import Server


@pytest.fixture
def url(postgresql: Server) -> Iterator[str]:
    made = postgresql.new_database(migrated=False)
    yield made
    postgresql.give_back(made)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = create(url)
    yield opened
    opened.dispose()


def test_a_lock_has_one_holder(engine: Engine, url: str) -> None:
    other = create(url)
    with held(engine, "ingest") as mine:
        assert mine and is_held(other, "ingest")
        with held(other, "ingest") as theirs, held(other, "upgrade") as another:
            assert (theirs, another) == (False, True)
    assert not is_held(other, "ingest")
    other.dispose()


def test_an_error_inside_frees_the_lock(engine: Engine) -> None:
    with pytest.raises(RuntimeError), held(engine, "ingest"):
        raise RuntimeError
    assert not is_held(engine, "ingest")


def test_a_lock_is_not_left_behind_in_the_pool(engine: Engine) -> None:
    for _ in range(30):
        with held(engine, "ingest") as mine:
            assert mine
    with read(engine) as session:
        left = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert session.execute(text(left)).scalar() == 0


def test_who_waits_too_long_is_told(
    engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)
    other = create(url)
    with (
        held(engine, "upgrade", wait=True),
        pytest.raises(LockedError, match="try again"),
        held(other, "upgrade", wait=True),
    ):
        pass
    other.dispose()


def hold(url: str, ready: Any) -> None:
    with held(create(url), "ingest") as mine:
        ready.put(mine)
        time.sleep(60)


def test_a_killed_holder_frees_its_lock(engine: Engine, url: str) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Queue()
    process = context.Process(target=hold, args=(url, ready))
    process.start()
    try:
        assert ready.get(timeout=60)
        assert is_held(engine, "ingest")
    finally:
        process.kill()
        process.join()
    give_up = time.monotonic() + 10
    while is_held(engine, "ingest") and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not is_held(engine, "ingest")


def test_a_server_out_of_reach_is_said_in_words(tmp_path: Any) -> None:
    gone = create(f"postgresql://postgres@/x?host={tmp_path}")
    with pytest.raises(StorageError, match="cannot be reached"), held(gone, "ingest"):
        pass
