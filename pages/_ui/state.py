"""What a page remembers between two clicks: the item in focus, the last decision, its key."""

from uuid import uuid4

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import deciding
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import Decided
from catalog_ai.services.review import QUEUES, QueueItem
from pages._ui import frame

ITEM = "item"  # query parameter
PAGE = "review.page"
_LAST = "review.last"
_SAID = "review.said"
_ERROR = "review.error"
_KEYS = "review.keys"


def focus() -> int | None:
    """Return the id of the item in the URL."""
    value = st.query_params.get(ITEM, "")
    return int(value) if value.isdigit() else None


def set_focus(product_id: int | None) -> None:
    """Put an item into the URL, or take it out."""
    if product_id is None:
        st.query_params.pop(ITEM, None)
    else:
        st.query_params[ITEM] = str(product_id)


def request_key(item: QueueItem) -> str:
    """Return the key made when this card was drawn: ten clicks on it are one decision."""
    keys: dict[str, str] = st.session_state.setdefault(_KEYS, {})
    return keys.setdefault(f"{item.product_id}.{item.version}", uuid4().hex)


def decide(
    catalogue: Catalogue,
    item: QueueItem,
    following: int | None,
    action: str,
    label: str | None = None,
) -> None:
    """Store a decision and go on to the next item; what went wrong is shown on the next draw."""
    try:
        decided = deciding.decide(
            catalogue,
            item.product_id,
            action,
            label=label,
            reviewer=frame.reviewer(),
            request_key=request_key(item),
            seen_version=item.version,
            seen_sha256=item.image_sha256,
        )
    except CatalogError as error:
        st.session_state[_ERROR] = str(error)
        return
    st.session_state[_LAST], st.session_state[_SAID] = decided, decided.sentence
    set_focus(following)


def decide_chosen(catalogue: Catalogue, item: QueueItem, following: int | None, key: str) -> None:
    """Store the label chosen in the list under `key`."""
    chosen = st.session_state.get(key)
    if chosen:
        decide(catalogue, item, following, "relabel", chosen)


def undo(catalogue: Catalogue, decision_id: int, product_id: int) -> None:
    """Take a decision back and show its product again."""
    try:
        undone = deciding.undo(
            catalogue, decision_id, reviewer=frame.reviewer(), request_key=f"undo-{decision_id}"
        )
    except CatalogError as error:
        st.session_state[_ERROR] = str(error)
        return
    st.session_state[_LAST], st.session_state[_SAID] = None, undone.sentence
    set_focus(product_id)


def last_decision() -> Decided | None:
    """Return what was decided last in this session, None where that was taken back."""
    last: Decided | None = st.session_state.get(_LAST)
    return last


def last_sentence() -> str:
    """Return what the last decision or undo of this session did."""
    return str(st.session_state.get(_SAID, ""))


def first_page() -> None:
    """Begin at the first item again, after another queue or category was chosen."""
    st.session_state[PAGE] = 1
    set_focus(None)


def show_pair(label: str, suggestion: str) -> None:
    """Choose the queue of products labelled `label` that look like `suggestion`."""
    st.session_state["review.queue"] = QUEUES["wrong"]
    st.session_state["review.category"] = label
    st.session_state["review.suggestion"] = suggestion
    first_page()


def take_error() -> str:
    """Return what went wrong with the last click, once."""
    return str(st.session_state.pop(_ERROR, ""))
