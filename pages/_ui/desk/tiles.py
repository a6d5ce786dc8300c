"""Products as tiles that are ticked by click or key: the browser does it at once, without a rerun.

What is ticked is told to the server behind; a press of a button afterwards already knows it.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pages._ui.desk import address

SIZES = (80, 300, 120)  # pixels: the least, the most, and at first; seven a row at 1280
STRIP = 104  # pixels; eight a row at 1280
_TICKED = "review.ticked"
_HERE = Path(__file__).parent
_HTML = (
    "<p class='hint'><span></span> click, or <kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> "
    "<kbd>↓</kbd> and <kbd>X</kbd>; <kbd>A</kbd> ticks <button type='button'>all or none</button>; "
    "<kbd>Enter</kbd> shows one large.</p><div class='tiles'></div>"
)
_TILES = st.components.v2.component(
    "contact_sheet",
    html=_HTML,
    css=(_HERE / "contact_sheet.css").read_text(encoding="utf-8"),
    js=(_HERE / "contact_sheet.js").read_text(encoding="utf-8"),
)


def show_size() -> int:
    """Draw the size of the photos, right = bigger, and return it in pixels."""
    least, most, first = SIZES
    return st.slider(
        "Size of the photos",
        *(least, most, first),
        key=address.SIZE,
        bind="query-params",
        format="Size %d",
        label_visibility="collapsed",
        width=170,
    )


def show(
    scope: str,
    name: str,
    tiles: Sequence[dict[str, Any]],
    *,
    hint: str,
    size: int,
    on_look: Callable[[int], None],
) -> set[int]:
    """Draw tiles and return the ids that are ticked within `scope`, on other pages of it as well.

    `name` is another one for other tiles. `on_look` is told which tile is to be shown large.
    """
    key = _key(name)
    shown = {int(tile["id"]) for tile in tiles}

    def look() -> None:
        chosen = st.session_state[key].get("look")
        if chosen is not None:
            on_look(int(chosen))

    _TILES(
        key=key,
        data={
            "name": name,
            "hint": hint,
            "size": size,
            "ticked": sorted(ticked_in(scope) & shown),
            "tiles": list(tiles),
        },
        on_ticked_change=lambda: latest(scope, name, shown),
        on_look_change=look,
    )
    return ticked_in(scope)


def strip(
    tiles: Sequence[dict[str, Any]], *, shown: int | None, on_look: Callable[[int], None]
) -> None:
    """Draw tiles of which one is `shown` large; a click tells `on_look` which is wanted instead."""
    key = _key("strip")

    def look() -> None:
        chosen = st.session_state[key].get("look")
        if chosen is not None:
            on_look(int(chosen))

    name = f"{shown} {[tile['id'] for tile in tiles]}"
    data = {"name": name, "size": STRIP, "shown": shown, "tiles": list(tiles), "looking": True}
    _TILES(key=key, data=data, on_look_change=look)


def latest(scope: str, name: str, shown: Collection[int]) -> set[int]:
    """Take in what the browser said last of the tiles `shown`; return all that is ticked.

    Who presses a button right after a tick sends both at once, and Streamlit may call back for the
    button first: what decides asks here, not for what was known when it was drawn.
    """
    said = (st.session_state.get(_key(name)) or {}).get("ticked")
    if said is not None:
        _all()[scope] = (ticked_in(scope) - set(shown)) | {int(number) for number in said}
    return ticked_in(scope)


def ticked_in(scope: str) -> set[int]:
    """Return which products are ticked within a scope."""
    return set(_all().get(scope, ()))


def clear(scope: str) -> None:
    """Tick nothing within a scope."""
    _all().pop(scope, None)


def _key(name: str) -> str:
    return f"review.tiles.{name}"


def _all() -> dict[str, set[int]]:
    kept: dict[str, set[int]] = st.session_state.setdefault(_TICKED, {})
    return kept
