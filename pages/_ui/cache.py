"""The only place of `st.cache_*`.

Keys are revisions, not times: the nightly run is another process, and nobody could tell the
dashboard to forget. A counter per topic rises with every change, so an old entry is never asked for
again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import streamlit as st

from catalog_ai.services.catalogue import Catalogue, revision, revisions
from catalog_ai.services.neighbours import CatalogueIndex, load_index

Result = TypeVar("Result")
_LOOK: ContextVar[Mapping[str, int] | None] = ContextVar("look", default=None)


@contextmanager
def one_look(catalogue: Catalogue) -> Iterator[None]:
    """Look at the counters once for all that is asked within: for a page that asks for much.

    Whatever a page writes, it writes in callbacks, and these come before. A callback, and a
    fragment that is drawn again by itself, are outside of it: they look for themselves.
    """
    token = _LOOK.set(revisions(catalogue))
    try:
        yield
    finally:
        _LOOK.reset(token)


def cached(
    catalogue: Catalogue,
    topics: tuple[str, ...],
    service: Callable[..., Result],
    *args: Any,
    **options: Any,
) -> Result:
    """Return `service(catalogue, *args, **options)`, kept until one of `topics` changes.

    All sessions share what is returned: read it, never change it. Arguments are plain values, or
    frozen dataclasses of them: they are told apart by what `repr` says.
    """
    name = f"{service.__module__}.{service.__qualname__}"
    asked = repr((catalogue.settings.database_url, name, args, sorted(options.items())))
    counters = _counters(catalogue, topics)
    result: Result = _kept(asked, counters, lambda: service(catalogue, *args, **options))
    return result


def search_index(catalogue: Catalogue) -> CatalogueIndex | None:
    """Return what visual search needs, one for all sessions."""
    counters = revision(catalogue, "products", "labels", "embeddings", "models")
    return _index(catalogue.settings.database_url, counters, lambda: load_index(catalogue))


def large(
    catalogue: Catalogue,
    topics: tuple[str, ...],
    service: Callable[..., Result],
    *args: Any,
    **options: Any,
) -> Result:
    """Return the same as `cached` of what takes megabytes: only the latest few are kept."""
    name = f"{service.__module__}.{service.__qualname__}"
    asked = repr((catalogue.settings.database_url, name, args, sorted(options.items())))
    counters = _counters(catalogue, topics)
    result: Result = _few(asked, counters, lambda: service(catalogue, *args, **options))
    return result


def _counters(catalogue: Catalogue, topics: tuple[str, ...]) -> tuple[int, ...]:
    look = _LOOK.get()
    if look is None:
        return revision(catalogue, *topics)
    return tuple(look.get(topic, 0) for topic in topics)


# Not `cache_data`: it would pickle and copy every result, and hash arguments field by field.
@st.cache_resource(show_spinner=False, max_entries=256)
def _kept(asked: str, counters: tuple[int, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=12)
def _few(asked: str, counters: tuple[int, ...], _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=2)
def _index(key: str, counters: Any, _compute: Callable[[], Any]) -> Any:
    return _compute()
