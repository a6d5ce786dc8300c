"""The database that a benchmark fills: a file in its home, or a PostgreSQL server of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def database(on_a_server: bool) -> Iterator[None]:
    """Put a server in force where one is wanted; else the database is a file in the home.

    The server is set up like that of the tests: it does not wait for the disk.
    """
    os.environ.pop("CATALOG_DATABASE_URL", None)
    if not on_a_server:
        yield
        return
    from tests.servers import Server

    server = Server()
    try:
        os.environ["CATALOG_DATABASE_URL"] = server.new_database()
        yield
    finally:
        del os.environ["CATALOG_DATABASE_URL"]
        server.stop()
