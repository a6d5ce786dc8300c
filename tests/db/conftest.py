"""A migrated database in a folder of its own, without any service."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from db.engine import create
from db.upgrade import upgrade


@pytest.fixture
def open_database(new_database: Callable[..., str]) -> Iterator[Callable[[], Engine]]:
    """A function that opens the same database anew, as another process would."""
    opened: list[Engine] = []
    url = new_database()

    def open_again() -> Engine:
        opened.append(create(url))
        return opened[-1]

    yield open_again
    for engine in opened:
        engine.dispose()


@pytest.fixture
def engine(open_database: Callable[[], Engine], tmp_path: Path) -> Engine:
    """An empty database at the newest schema."""
    opened = open_database()
    upgrade(opened, tmp_path / "backups", tmp_path / "locks")
    return opened
