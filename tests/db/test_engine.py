import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import IntegrityError

from db import engine as database
from db.engine import create, read, wal_is_safe, write
from db.errors import LockedError, StorageError
from db.queries.revisions import revisions
from db.schema import Note

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def note(name: str) -> Note:
    return Note(name=name, text="a sentence", created_at=NOW)


def names(engine: Engine) -> list[str]:
    with read(engine) as session:
        return list(session.scalars(select(Note.name).order_by(Note.id)))


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
    ],
)
def test_wal_only_where_its_reset_bug_is_fixed(version: tuple[int, ...], safe: bool) -> None:
    assert wal_is_safe(version) is safe


@pytest.mark.sqlite("pragmas are SQLite's")
def test_the_connection_is_as_the_rules_want_it(engine: Engine) -> None:
    with read(engine) as session:
        value = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
        version = session.execute(text("SELECT sqlite_version()")).scalar_one()
    assert wal_is_safe(tuple(int(part) for part in version.split(".")))
    assert value == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": database.BUSY_TIMEOUT_MS,
    }


def test_an_unsafe_sqlite_keeps_a_rollback_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "wal_is_safe", lambda: False)
    engine = create(f"sqlite:///{tmp_path}/old.db")
    with read(engine) as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "delete"
    engine.dispose()


def test_a_write_is_kept_and_raises_its_topics_once(engine: Engine) -> None:
    with write(engine, touches=("notes", "notes", "models")) as session:
        session.add(note("model"))
    with write(engine, touches=("notes",)) as session:
        session.add(note("other"))
    assert names(engine) == ["model", "other"]
    with read(engine) as session:
        assert revisions(session) == {"notes": 2, "models": 1}


def test_an_error_inside_a_write_leaves_nothing_behind(engine: Engine) -> None:
    with pytest.raises(RuntimeError), write(engine, touches=("notes",)) as session:
        session.add(note("model"))
        session.flush()
        raise RuntimeError
    assert names(engine) == []
    with read(engine) as session:
        assert revisions(session) == {}


def test_an_unknown_topic_is_refused_before_anything_is_written(engine: Engine) -> None:
    unknown = pytest.raises(ValueError, match="'label' is no revision topic")
    with unknown, write(engine, touches=("label",)) as session:
        session.add(note("model"))
    assert names(engine) == []


def test_what_a_read_changes_is_not_kept(engine: Engine) -> None:
    with read(engine) as session:
        session.add(note("model"))
        session.flush()
    assert names(engine) == []


def test_objects_outlive_the_write_that_made_them(engine: Engine) -> None:
    with write(engine) as session:
        made = note("model")
        session.add(made)
    assert made.name == "model"


def test_foreign_keys_hold(engine: Engine) -> None:
    with pytest.raises(IntegrityError), write(engine) as session:
        session.execute(text("INSERT INTO projection_points VALUES (1, 1, 0, 0)"))


def test_a_read_sees_one_moment_while_others_write(engine: Engine) -> None:
    with read(engine) as session:
        count = text("SELECT count(*) FROM notes")
        assert session.execute(count).scalar() == 0
        with write(engine) as other:
            other.add(note("model"))
        assert session.execute(count).scalar() == 0
    assert names(engine) == ["model"]


def test_what_a_writer_has_read_is_still_true_when_it_writes(
    engine: Engine, open_database: Callable[[], Engine]
) -> None:
    """Each adds the note whose number is how many there are: side by side, two would be alike."""
    failures: list[BaseException] = []

    def add(own: Engine) -> None:
        try:
            for _ in range(3):
                with write(own) as session:
                    count = session.execute(text("SELECT count(*) FROM notes")).scalar_one()
                    time.sleep(0.01)
                    session.add(note(f"{count}"))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=add, args=(open_database(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(engine) == [f"{number}" for number in range(12)]


def test_writers_that_first_read_wait_for_each_other(
    engine: Engine, open_database: Callable[[], Engine]
) -> None:
    """Deferred transactions would fail here at once: both read, both then write."""
    failures: list[BaseException] = []

    def count_up(own: Engine) -> None:
        try:
            for _ in range(20):
                with write(own, touches=("notes",)) as session:
                    session.execute(text("SELECT count(*) FROM notes")).scalar()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=count_up, args=(open_database(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with read(engine) as session:
        assert revisions(session) == {"notes": 80}


def test_a_busy_database_is_said_in_words(
    engine: Engine, open_database: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)
    other = open_database()
    with write(engine) as session:
        session.add(note("model"))
        session.flush()
        with pytest.raises(LockedError, match="try again"), write(other) as second:
            second.add(note("other"))


@pytest.mark.sqlite(
    "a file can be kept from growing; tests/db/test_server.py has the server's word"
)
def test_a_full_disk_is_said_in_words_and_leaves_nothing(engine: Engine) -> None:
    with pytest.raises(StorageError, match="disk is full"), write(engine) as session:
        pages = session.execute(text("PRAGMA page_count")).scalar_one()
        session.execute(text(f"PRAGMA max_page_count = {pages}"))
        session.add(Note(name="model", text="x" * 100_000, created_at=NOW))
    engine.dispose()
    assert names(engine) == []


@pytest.mark.sqlite("a pragma does it; tests/db/test_server.py has the server's word")
def test_a_read_only_database_is_said_in_words(engine: Engine) -> None:
    with pytest.raises(StorageError, match="may not be written"), write(engine) as session:
        session.execute(text("PRAGMA query_only = ON"))
        session.add(note("model"))
    engine.dispose()


def test_a_file_that_is_no_database_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"SQLite is not here. " * 100)
    with pytest.raises(StorageError, match="not a catalogue"):
        names(create(f"sqlite:///{tmp_path}/catalog.db"))


def test_a_damaged_database_is_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    plain = sqlite3.connect(file)
    plain.execute("CREATE TABLE notes (id INTEGER, name TEXT)")
    plain.executemany("INSERT INTO notes VALUES (?, ?)", [(i, "x" * 500) for i in range(100)])
    plain.commit()
    plain.close()
    damaged = bytearray(file.read_bytes())
    damaged[4096:] = b"\xff" * (len(damaged) - 4096)
    file.write_bytes(damaged)
    with pytest.raises(StorageError, match="damaged"):
        names(create(f"sqlite:///{file}"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("catalog.db", "no database address"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://localhost/catalog", "SQLite and PostgreSQL are"),
    ],
)
def test_an_address_that_cannot_be_used_says_why(url: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        create(url)


def test_a_folder_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        create(f"sqlite:///{tmp_path}/file/catalog.db")
