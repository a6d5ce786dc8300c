"""What the page Categories draws and remembers: renaming with its preview, adding, undoing."""

from collections.abc import Callable, Sequence
from uuid import uuid4

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import batching, categories, renaming
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, category_views, frame, viewmodels

TOPICS = ("products", "labels", "scores", "models")
OPENED = "category"  # query parameter: the category whose row is open
NEW_NAME, ADDED = "categories.name", "categories.add"
_PAIR = "categories.pair"
_SAID, _ERROR, _LAST, _KEYS, _DONE = (
    f"categories.{name}" for name in ("said", "error", "last", "keys", "done")
)


def opened() -> str:
    """Return the name of the category in the address, "" for none."""
    return str(st.query_params.get(OPENED, ""))


def open_row(name: str) -> None:
    """Put a category into the address, or take it out."""
    if name:
        st.query_params[OPENED] = name
    else:
        st.query_params.pop(OPENED, None)


def opened_pair() -> tuple[str, str] | None:
    """Return the pair that is about to be merged."""
    pair: tuple[str, str] | None = st.session_state.get(_PAIR)
    return pair


def open_pair(pair: tuple[str, str] | None) -> None:
    """Remember which pair is about to be merged."""
    st.session_state[_PAIR] = pair


def show_messages(catalogue: Catalogue) -> None:
    """Say what the last click did, with its undo, or why it did nothing."""
    error, said = st.session_state.pop(_ERROR, ""), st.session_state.get(_SAID, "")
    batch_id = st.session_state.get(_LAST)
    if error:
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    if said:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/check: {viewmodels.plain(said)}", width="content")
            if batch_id is not None:
                undo_button(catalogue, batch_id, "categories.undo")


def undo_button(catalogue: Catalogue, batch_id: int, key: str) -> None:
    """Offer to take a renaming back."""
    st.button(
        "Undo",
        icon=":material/undo:",
        key=key,
        type="tertiary",
        disabled=not frame.reviewer(),
        on_click=undo,
        args=(catalogue, batch_id),
    )


def show_renaming(catalogue: Catalogue, sources: Sequence[str], to: str, key: str) -> None:
    """Show what a renaming would change, and the button that does it."""
    try:
        seen = cache.cached(catalogue, TOPICS, renaming.preview, tuple(sources), to)
    except CatalogError as error:
        st.warning(viewmodels.plain(str(error)), icon=":material/front_hand:")
        return
    st.markdown(viewmodels.plain(seen.sentence))
    if seen.products:
        st.html(category_views.previews(seen))
        st.caption(viewmodels.plain(category_views.states(seen)))
    if not frame.reviewer():
        st.info("Type your name in the sidebar: changes are stored with it.")
    st.button(
        category_views.button(seen),
        key=key,
        type="primary",
        disabled=not frame.reviewer(),
        on_click=rename,
        args=(catalogue, seen.sources, seen.to, _key(seen.sources, seen.to)),
    )


def merge_button(catalogue: Catalogue, label: str, into: str) -> None:
    """Offer to merge a label of few products into a category in one click."""
    st.button(
        viewmodels.plain(f"Merge into {into}"),
        key=f"categories.few.{label}",
        type="tertiary",
        disabled=not frame.reviewer(),
        on_click=rename,
        args=(catalogue, (label,), into, _key((label,), into)),
    )


def rename(catalogue: Catalogue, sources: tuple[str, ...], to: str, request_key: str) -> None:
    """Rename or merge, and close what was open."""

    def do() -> str:
        made = renaming.rename(
            catalogue, sources, to, reviewer=frame.reviewer(), request_key=request_key
        )
        st.session_state[_LAST] = made.batch_id
        return made.sentence

    _act(do)


def undo(catalogue: Catalogue, batch_id: int) -> None:
    """Take a renaming back: labels and names are again what they were."""

    def do() -> str:
        key = f"undo-batch-{batch_id}"
        return batching.undo_batch(
            catalogue, batch_id, reviewer=frame.reviewer(), request_key=key
        ).sentence

    _act(do)


def add(catalogue: Catalogue, name: str) -> None:
    """Add a category."""
    _act(lambda: categories.add(catalogue, name, reviewer=frame.reviewer()))


def add_typed(catalogue: Catalogue) -> None:
    """Add the category whose name was typed, and empty the field."""
    name = str(st.session_state.get(ADDED, ""))
    if name.strip():
        add(catalogue, name)
        st.session_state[ADDED] = ""


def remove(catalogue: Catalogue, name: str) -> None:
    """Take a category back that nothing carries."""
    _act(lambda: categories.remove(catalogue, name, reviewer=frame.reviewer()))


def _act(do: Callable[[], str]) -> None:
    """Do one thing; what it said, or why it did nothing, is shown on the next draw."""
    st.session_state[_LAST] = None
    try:
        st.session_state[_SAID] = do()
    except CatalogError as error:
        st.session_state[_ERROR], st.session_state[_SAID] = str(error), ""
        return
    st.session_state[_DONE] = st.session_state.get(_DONE, 0) + 1
    open_row("")
    open_pair(None)


def _key(sources: tuple[str, ...], to: str) -> str:
    """Return the key made when a button was drawn: ten clicks on it are one renaming."""
    keys: dict[object, str] = st.session_state.setdefault(_KEYS, {})
    return keys.setdefault((sources, to, st.session_state.get(_DONE, 0)), uuid4().hex)
