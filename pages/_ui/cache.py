"""The only place of `st.cache_*`.

Keys are revisions, not times: the nightly run is another process, and nobody could tell the
dashboard to forget. A counter per topic rises with every change, so an old entry is never asked for
again.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.neighbours import CatalogueIndex, load_index

Result = TypeVar("Result")


def cached(
    catalogue: Catalogue,
    topics: tuple[str, ...],
    service: Callable[..., Result],
    *args: Any,
    **options: Any,
) -> Result:
    """Return `service(catalogue, *args, **options)`, kept until one of `topics` changes."""
    key = (catalogue.settings.database_url, service.__module__, service.__qualname__)
    asked = (args, tuple(sorted(options.items())))
    counters = revision(catalogue, *topics)
    result: Result = _data(key, asked, counters, lambda: service(catalogue, *args, **options))
    return result


def search_index(catalogue: Catalogue) -> CatalogueIndex | None:
    """Return what visual search needs, one for all sessions."""
    counters = revision(catalogue, "products", "labels", "embeddings", "models")
    return _index(catalogue.settings.database_url, counters, lambda: load_index(catalogue))


@st.cache_data(show_spinner=False, max_entries=256)
def _data(key: Any, asked: Any, counters: Any, _compute: Callable[[], Any]) -> Any:
    return _compute()


@st.cache_resource(show_spinner=False, max_entries=2)
def _index(key: str, counters: Any, _compute: Callable[[], Any]) -> Any:
    return _compute()
