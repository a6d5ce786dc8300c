"""SQL that is compiled once, however many databases the tests open.

An engine keeps the statements that it compiled, and its dialect what it knows of their types. The
engines of a test end with it, and the next test would compile the same anew: half the time of one
that stores a little and asks for it. So all engines of a kind share what the first has.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine

from db import engine, server

_STATEMENTS = 5_000  # more than all tests have


@contextmanager
def compiled_once() -> Iterator[None]:
    """Let the engines that are made meanwhile share their dialect and what they compiled."""
    kept: dict[str, Engine] = {}

    def create(url: str | URL, **options: Any) -> Engine:
        made = create_engine(url, query_cache_size=_STATEMENTS, **options)
        first = kept.setdefault(made.dialect.name, made)
        if first.dialect.server_version_info is None:  # it never reached a database
            kept[made.dialect.name] = made
        else:
            made.dialect.initialize = _nothing_to_ask
            made.dialect, made._compiled_cache = first.dialect, first._compiled_cache
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "create_engine", create)
        patch.setattr(server, "create_engine", create)
        yield


def _nothing_to_ask(_connection: Any) -> None:
    """Stand in for the questions about a server that the first engine has asked."""
