"""A full disk, a read-only, damaged or newer database: one sentence each, nothing half-written."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest

from tests.reliability.child import INGEST, REAL_INGEST, Child, Ended
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import some_of
from tests.reliability.stub import Stub

CANNOT_WRITE = 74
COUNT = 160
CASES = [(False, 1), (True, 0), (False, 0), (True, 1)]  # a rollback journal, workers


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, `home`, and what was delivered to it, `in`."""
    folder = tmp_path_factory.mktemp("original")
    deliver(folder / "in", range(32))
    assert Child(folder / "home", INGEST, folder / "in").end().code == 0
    return folder


@pytest.fixture
def home(original: Path, tmp_path: Path) -> Path:
    """A copy of that catalogue."""
    return Path(shutil.copytree(original / "home", tmp_path / "home"))


@contextmanager
def sql(home: Path) -> Iterator[sqlite.Connection]:
    """The database at `home`, committed and closed at the end."""
    with closing(sqlite.connect(home / "catalog.db")) as database:
        yield database
        database.commit()


def refused(ended: Ended, words: str) -> None:
    """It said one plain sentence with `words` in it, and the exit code."""
    assert ended.code == CANNOT_WRITE, ended
    assert ended.errors.startswith("error: ")
    assert ended.errors.count("\n") == 1, ended.errors
    assert words in ended.errors


@pytest.mark.parametrize(("rollback_journal", "workers"), some_of(CASES, 0))
def test_a_disk_that_fills_up_stops_the_ingest_between_two_groups(
    home: Path, tmp_path: Path, rollback_journal: bool, workers: int, figure: Callable[[str], None]
) -> None:
    expected = deliver(tmp_path / "in", range(COUNT))
    with sql(home) as database:
        pages = database.execute("PRAGMA page_count").fetchone()[0]
    full = Stub(rollback_journal=rollback_journal, max_pages=pages + 15)
    refused(
        Child(home, INGEST, tmp_path / "in", stub=full, workers=workers).end(), "the disk is full"
    )
    kept = check(home)
    assert 32 < len(kept.products) < COUNT
    assert len(kept.products) % 32 == 0
    room = Stub(rollback_journal=rollback_journal)
    ended = Child(home, INGEST, tmp_path / "in", stub=room, workers=workers).end()
    assert (ended.code, ended.errors) == (0, "")
    kept = check(home)
    assert (kept.products, kept.last_run) == (expected, "done")
    figure(
        f"database full in the middle ({'rollback journal' if rollback_journal else 'WAL'}, "
        f"{workers} workers): one sentence, exit 74, 0 half-written, the next run completes"
    )


def test_a_database_that_may_not_be_written(
    home: Path, original: Path, figure: Callable[[str], None]
) -> None:
    (home / "catalog.db").chmod(0o444)
    refused(_with_rights(home, original), "may not be written")
    figure("database read-only: 'may not be written', exit 74")


def test_a_folder_that_may_not_be_written(
    home: Path, original: Path, figure: Callable[[str], None]
) -> None:
    home.chmod(0o555)
    try:
        refused(_with_rights(home, original), "may not be written")
    finally:
        home.chmod(0o755)
    figure("folder read-only: 'may not be written', exit 74")


def _with_rights(home: Path, original: Path) -> Ended:
    try:
        return Child(home, REAL_INGEST, original / "in", obeys_rights=True).end()
    except Exception as error:  # preexec_fn's errors arrive as subprocess.SubprocessError
        pytest.skip(f"run by an administrator who cannot give up his rights: {error}")


def test_a_file_that_is_no_database(
    home: Path, original: Path, figure: Callable[[str], None]
) -> None:
    (home / "catalog.db").write_bytes(b"this is no database " * 1000)
    refused(Child(home, REAL_INGEST, original / "in").end(), "is not a catalogue")
    figure("no database at all: 'is not a catalogue', exit 74")


def test_a_damaged_database(home: Path, original: Path, figure: Callable[[str], None]) -> None:
    with (home / "catalog.db").open("r+b") as file:
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    refused(Child(home, REAL_INGEST, original / "in").end(), "is damaged")
    figure("database damaged: 'is damaged', exit 74")


def test_a_database_of_a_later_version(
    home: Path, original: Path, figure: Callable[[str], None]
) -> None:
    with sql(home) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    refused(Child(home, REAL_INGEST, original / "in").end(), "a later version")
    with sql(home) as database:
        assert database.execute("SELECT count(*) FROM products").fetchone() == (32,)
    figure("database of a later version: 'a later version', exit 74, its rows as they were")
