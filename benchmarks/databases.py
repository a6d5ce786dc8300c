"""The database that a benchmark fills: a file in its home, or a PostgreSQL server of its own."""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from catalog_ai.config import settings
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from db.engine import is_file


@contextmanager
def made_up(
    description: str, arguments: Sequence[str] | None, fill: Callable[[Catalogue, int], object]
) -> Iterator[Catalogue]:
    """Yield a catalogue filled with the products, and on the database, that the flags ask for."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--products", type=int, default=100_000, help="default: %(default)s")
    parser.add_argument("--server", action="store_true", help="on a PostgreSQL of its own")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, database(options.server):
        catalogue = open_catalogue(settings(home=Path(home)))
        fill(catalogue, options.products)
        print(f"{options.products:,} products on {kind_of(catalogue)}")
        yield catalogue
        catalogue.engine.dispose()


def kind_of(catalogue: Catalogue) -> str:
    """Return what kind of database a catalogue has, by name."""
    return "SQLite" if is_file(catalogue.engine) else "PostgreSQL"


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
