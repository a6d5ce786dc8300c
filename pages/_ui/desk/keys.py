"""The keys of a card: which there are, and that each press is about the card that is seen.

The browser knows a card by its name, in its facts and in the keys of its buttons: whatever the
server has drawn since, a press is about the card that the browser showed.
"""

from pathlib import Path

import streamlit as st

from catalog_ai.services.review import QueueItem

KEYS = {
    "Q": "keep the label",
    "W": "accept the suggestion",
    "1 to 9": "choose the candidate with that number",
    "E": "not a product photo",
    "N": "needs a second look, by somebody else",
    "← →": "the item before, the next one",
    "Z": "undo what you did last",
    "F": "the photo in full size",
    "H": "this list",
}
_GUARD = st.components.v2.component(
    "one_card_one_key", js=(Path(__file__).parent / "keys.js").read_text(encoding="utf-8")
)


def card(item: QueueItem, again: int | None) -> str:
    """Return the name of a card; `again` is the decision that it shows a second time."""
    return f"{item.product_id}-{item.version}-{again or 0}"


def button(what: str, card: str) -> str:
    """Return the key of a button of a card, as `keys.js` looks for it."""
    return f"review.{what}.{card}"


def guard() -> None:
    """Let a key press the button of the card that is seen, once: draw it once on the page."""
    _GUARD(key="review.keys.guard", height=0)


@st.dialog("Keys")
def show() -> None:
    """List the keys."""
    st.html(
        "<dl class='attributes'>"
        + "".join(f"<dt><b>{key}</b></dt><dd>{words}</dd>" for key, words in KEYS.items())
        + "</dl>"
    )
    st.caption("They do nothing while you type.")
