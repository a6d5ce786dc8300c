"""What a page remembers between two clicks: the item in focus, the last decision, its key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import streamlit as st

from catalog_ai.errors import CatalogError, ConflictError
from catalog_ai.services import claiming, deciding, rechecking
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.claiming import Claims, Following
from catalog_ai.services.deciding import Decided
from catalog_ai.services.review import QueueItem
from pages._ui import frame

ITEM = "item"  # query parameter
_FOLLOWS = "review.follows"
_ASIDE = "review.left_aside"
_HOLDER = "review.holder"
_LAST = "review.last"
_SAID = "review.said"
_ERROR = "review.error"
_KEYS = "review.keys"


@dataclass(frozen=True)
class Done:
    """What was done last in this session, and how it is taken back."""

    product_id: int | None
    undo: Callable[[Catalogue], str]


def focus() -> int | None:
    """Return the id of the item in the URL."""
    value = st.query_params.get(ITEM, "")
    return int(value) if value.isdigit() else None


def set_focus(product_id: int | None) -> None:
    """Put an item into the URL, or take it out."""
    st.session_state[_FOLLOWS] = None
    if product_id is None:
        st.query_params.pop(ITEM, None)
    else:
        st.query_params[ITEM] = str(product_id)


def go_on(product_id: int | None) -> None:
    """Go on to an item, or to one after it where somebody else has it by then."""
    set_focus(product_id)
    st.session_state[_FOLLOWS] = product_id


def followed() -> bool:
    """Return whether the item in the URL came by itself: nobody asked for it by name."""
    return focus() is not None and st.session_state.get(_FOLLOWS) == focus()


def holder() -> str:
    """Return the name under which this browser session claims what it shows."""
    return str(st.session_state.setdefault(_HOLDER, uuid4().hex))


def claim(
    catalogue: Catalogue, product_ids: Sequence[int], *, most: int = 1, keep: int | None = None
) -> Claims:
    """Claim products for this browser session and the reviewer's name."""
    who = {"holder": holder(), "reviewer": frame.reviewer()}
    return claiming.claim(catalogue, product_ids, most=most, keep=keep, **who)


def request_key(what: str) -> str:
    """Return the key made when a card was first drawn: ten clicks on it are one decision."""
    keys: dict[str, str] = st.session_state.setdefault(_KEYS, {})
    return keys.setdefault(what, uuid4().hex)


def note_key(item: QueueItem) -> str:
    """Return under which key a note is typed; it outlives a conflict."""
    return f"review.note.{item.product_id}"


def left_aside() -> tuple[int, ...]:
    """Return products shown a second time that were passed over in this session."""
    aside: tuple[int, ...] = st.session_state.get(_ASIDE, ())
    return aside


def leave(item: QueueItem, following: int | None) -> None:
    """Pass over a product that is shown a second time."""
    st.session_state[_ASIDE] = (*left_aside(), item.product_id)
    go_on(following)


def decide(
    catalogue: Catalogue,
    item: QueueItem,
    following: int | None,
    action: str,
    label: str | None = None,
    again: int | None = None,
) -> None:
    """Store a decision and go on to the next item; what went wrong is shown on the next draw.

    `again` is the decision that the item shows a second time.
    """
    said: dict[str, Any] = {
        "label": label,
        "reviewer": frame.reviewer(),
        "request_key": request_key(f"{again or ''}.{item.product_id}.{item.version}"),
        "seen_version": item.version,
        "seen_sha256": item.image_sha256,
        "note": str(st.session_state.get(note_key(item)) or ""),
        "following": None if following is None else Following(following, holder()),
    }
    try:
        if again is not None:
            decided = rechecking.answer(catalogue, again, action, **said)
        else:
            decided = deciding.decide(catalogue, item.product_id, action, **said)
    except CatalogError as error:
        say_error(error)
        if isinstance(error, ConflictError):
            set_focus(item.product_id)  # with what was typed, even where it left the queue
        return
    st.session_state.pop(note_key(item), None)
    _decided(decided)
    go_on(following)


def decide_chosen(
    catalogue: Catalogue,
    item: QueueItem,
    following: int | None,
    key: str,
    again: int | None = None,
) -> None:
    """Store the label chosen in the list under `key`."""
    chosen = st.session_state.get(key)
    if chosen:
        decide(catalogue, item, following, "relabel", chosen, again)


def undo(catalogue: Catalogue, decision_id: int, product_id: int) -> None:
    """Take a decision back and show its product again."""
    try:
        sentence = _take_back(catalogue, decision_id)
    except CatalogError as error:
        say_error(error)
        return
    remember(sentence, None)
    set_focus(product_id)


def undo_last(catalogue: Catalogue) -> None:
    """Take back what was done last in this session, one decision or many."""
    last = done()
    if last is None:
        return
    try:
        st.session_state[_SAID] = last.undo(catalogue)
    except CatalogError as error:
        say_error(error)
        return
    st.session_state[_LAST] = None
    if last.product_id is not None:
        set_focus(last.product_id)


def remember(sentence: str, last: Done | None) -> None:
    """Say `sentence` on the next draw, with `last` to be taken back by Undo."""
    st.session_state[_LAST], st.session_state[_SAID] = last, sentence


def done() -> Done | None:
    """Return what was done last in this session, None where that was taken back."""
    last: Done | None = st.session_state.get(_LAST)
    return last


def last_sentence() -> str:
    """Return what the last decision or undo of this session did."""
    return str(st.session_state.get(_SAID, ""))


def say_error(error: CatalogError) -> None:
    """Show on the next draw why a click did nothing."""
    st.session_state[_ERROR] = str(error)


def take_error() -> str:
    """Return what went wrong with the last click, once."""
    return str(st.session_state.pop(_ERROR, ""))


def _decided(decided: Decided) -> None:
    def take_back(catalogue: Catalogue) -> str:
        return _take_back(catalogue, decided.decision_id)

    remember(decided.sentence, Done(decided.product_id, take_back))


def _take_back(catalogue: Catalogue, decision_id: int) -> str:
    key = f"undo-{decision_id}"
    return deciding.undo(
        catalogue, decision_id, reviewer=frame.reviewer(), request_key=key
    ).sentence
