"""Fixtures that every test may ask for. Heavy imports happen inside them, never at the top."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from catalog_ai.services.catalogue import Catalogue
    from tests.helpers import Seeded
    from tests.servers import Server

_ON_BOTH_DATABASES = ("benchmarks", "db", "services")
# Marked so, a test is left out unless `-m` speaks of it.
_EXTRAS = {"scale": "on a Ray cluster: make test-scale", "gpu": "on a GPU: pytest -m gpu"}


def pytest_configure(config: pytest.Config) -> None:
    if "gpu" not in config.option.markexpr:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # a CPU's answers, to the last digit, are expected
    config.addinivalue_line(
        "markers", "sqlite(reason): runs on SQLite only, for this reason; the others on both"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the extras that nobody asked for."""
    extra = [item for item in items if any(map(item.get_closest_marker, _left_out(config)))]
    if extra:
        config.hook.pytest_deselected(items=extra)
        items[:] = [item for item in items if item not in extra]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out, and how to run it."""
    if left_out := _left_out(config).values():
        terminalreporter.write_line(f"Left out, as extras: tests {', '.join(left_out)}")


def _left_out(config: pytest.Config) -> dict[str, str]:
    return {name: said for name, said in _EXTRAS.items() if name not in config.option.markexpr}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of these folders on SQLite and on PostgreSQL."""
    if "new_database" not in metafunc.fixturenames:
        return
    if metafunc.definition.path.parent.name not in _ON_BOTH_DATABASES:
        return
    if metafunc.definition.get_closest_marker("sqlite") is None:
        metafunc.parametrize("new_database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own catalogue is never touched by a test."""
    for name in ("CATALOG_HOME", "CATALOG_DATABASE_URL", "CATALOG_EXECUTION_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    # Writing an ONNX file takes seconds; the tests that are about it ask for it.
    monkeypatch.setenv("CATALOG_RUNTIME", "torch")
    # Nor are processes started for a handful of photos, but where a test is about them.
    monkeypatch.setenv("CATALOG_WORKERS", "0")


@pytest.fixture(scope="session")
def _compiled_once() -> "Iterator[None]":
    from tests.compiling import compiled_once

    with compiled_once():
        yield


@pytest.fixture(scope="session")
def postgresql(_compiled_once: None) -> "Iterator[Server]":
    """A PostgreSQL server, started when the first test asks for it."""
    from tests.servers import Server

    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory, _compiled_once: None) -> Path:
    """An SQLite database with all tables and no row, to be copied: migrations take 0.2 s."""
    from db.engine import create
    from db.upgrade import upgrade

    folder = tmp_path_factory.mktemp("migrated")
    engine = create(f"sqlite:///{folder}/catalog.db")
    upgrade(engine, folder / "backups", folder / "locks")
    engine.dispose()  # the last connection to close takes what is in the log into the file
    return folder / "catalog.db"


@pytest.fixture
def new_database(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path
) -> "Iterator[Callable[..., str]]":
    """A function that returns the address of another database of this test's kind.

    It has all tables and no row, nor tables where it is called with `migrated=False`.
    """
    if getattr(request, "param", "sqlite") == "sqlite":
        numbers = iter(range(1000))

        def file(*, migrated: bool = True) -> str:
            path = tmp_path / f"databases/{next(numbers)}.db"
            if migrated:
                path.parent.mkdir(exist_ok=True)
                shutil.copy(migrated_file, path)
            return f"sqlite:///{path}"

        yield file
        return
    server: Server = request.getfixturevalue("postgresql")
    made: list[str] = []

    def make(*, migrated: bool = True) -> str:
        made.append(server.new_database(migrated=migrated))
        return made[-1]

    with server.engines_closed():
        yield make
    for url in made:
        server.give_back(url)


@pytest.fixture
def catalogue(
    tmp_path: Path,
    new_database: "Callable[..., str]",
    migrated_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> "Iterator[Catalogue]":
    """An opened, empty catalogue in a folder of its own.

    On a server it is also the one in force, by its setting; on SQLite that is a file in the folder.
    """
    from catalog_ai.config import settings
    from catalog_ai.services.catalogue import open_catalogue

    home, url = tmp_path / "home", new_database()
    if url.startswith("sqlite"):
        home.mkdir()
        shutil.copy(migrated_file, home / "catalog.db")
    else:
        monkeypatch.setenv("CATALOG_DATABASE_URL", url)
    opened = open_catalogue(settings(home=home))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def seeded(catalogue: "Catalogue") -> "Seeded":
    """What lies in `catalogue` after `helpers.seed_catalogue`: a working morning's worth."""
    from tests.helpers import seed_catalogue

    return seed_catalogue(catalogue)


@pytest.fixture(scope="session")
def photos_root() -> Path:
    """The folder of real photos, `CATALOG_TEST_PHOTOS`; without it the test is skipped."""
    folder = os.environ.get("CATALOG_TEST_PHOTOS")
    if not folder:
        pytest.skip("CATALOG_TEST_PHOTOS is not set: it names the folder of real photos")
    root = Path(folder).resolve()
    if not root.is_dir():
        pytest.skip(f"CATALOG_TEST_PHOTOS names {folder!r}, which is no folder")
    return root
