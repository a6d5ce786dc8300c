"""Change all that matches the filter: what, a preview with its count, then one batch."""

from dataclasses import dataclass

import streamlit as st

from catalog_ai.errors import CatalogError, ConflictError
from catalog_ai.services import batching, review
from catalog_ai.services.batching import ACTIONS, MOST, Preview
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import AS_USUAL, Filter, QueuePage
from pages._ui import cache, frame, sheet_views, state, viewmodels
from pages._ui.desk import sheet, tiles, told
from pages._ui.desk.filters import TOPICS

PER_PAGE = 32
HINT = "Tick what to leave out:"
SHOWN = 6  # kinds of change that are spelled out
_ACTION, _LABEL = "review.bulk.action", "review.bulk.label"


@dataclass(frozen=True)
class _Change:
    """What was chosen; `tiles` are the scope, the name and the products of those on the page."""

    wanted: Filter
    action: str
    label: str | None
    without: frozenset[int]
    tiles: tuple[str, str, list[int]]


def show(catalogue: Catalogue, wanted: Filter) -> None:
    """Show what would change, what to leave out, and the button that does it."""
    sheet.redrawn()
    page = sheet.page_of(catalogue, wanted, AS_USUAL, PER_PAGE)
    sheet.show_bar(catalogue, page)
    told.show(catalogue)
    if not page.items:
        st.info("Nothing matches these filters.", icon=":material/filter_alt:")
        return
    _draw(catalogue, wanted, page)


@st.fragment
def _draw(catalogue: Catalogue, wanted: Filter, page: QueuePage) -> None:
    """Draw the change; a tick draws only this again."""
    if sheet.redrawn():
        st.rerun()
    action, label, size = _ask(catalogue)
    body = st.container(border=True)
    scope = f"bulk.{sheet_views.filter_name(wanted)}"
    name = f"bulk.{sheet_views.sheet_name(page.items)}"
    shown = [item.product_id for item in page.items]
    drawn = [sheet_views.tile(item) | {"sign": "left out"} for item in page.items]
    without = tiles.show(scope, name, drawn, hint=HINT, size=size, on_look=sheet.look)
    with body:
        if action == "relabel" and label is None:
            st.caption("Choose the label that they should have.")
            return
        change = _Change(wanted, action, label, frozenset(without), (scope, name, shown))
        _show_preview(catalogue, change)


def _ask(catalogue: Catalogue) -> tuple[str, str | None, int]:
    """Draw what can be done and return what was chosen, with its label and the photos' size."""
    label = None
    with st.container(horizontal=True, vertical_alignment="center"):
        action = st.segmented_control(
            "What to do",
            list(ACTIONS),
            format_func=ACTIONS.__getitem__,
            default="accept",
            required=True,
            key=_ACTION,
            label_visibility="collapsed",
        )
        if action == "relabel":
            label = st.selectbox(
                "Label",
                cache.cached(catalogue, TOPICS, review.categories),
                index=None,
                key=_LABEL,
                placeholder="Which label?",
                label_visibility="collapsed",
                width=200,
            )
        size = tiles.show_size()
    return action or "accept", label, size


def _show_preview(catalogue: Catalogue, change: _Change) -> None:
    try:
        preview = cache.cached(
            *(catalogue, TOPICS, batching.preview, change.wanted, change.action, change.label),
            without=change.without,
        )
    except CatalogError as error:
        st.warning(viewmodels.plain(str(error)), icon=":material/front_hand:")
        return
    st.html(sheet_views.changes_table(preview.changes, SHOWN))
    if change.without:
        st.caption(f"{viewmodels.count(len(change.without), 'product')} left out by you.")
    if preview.count > MOST:
        st.info(f"At most {MOST:,} at once: choose fewer by filters.")
    if not frame.reviewer():
        st.info("Type your name in the sidebar: decisions are stored with it.")
    st.button(
        viewmodels.plain(sheet_views.bulk_words(preview, ACTIONS[change.action], change.label)),
        type="primary",
        key="review.bulk.decide",
        disabled=not frame.reviewer() or not 0 < preview.count <= MOST,
        on_click=_decide,
        args=(catalogue, change, preview),
    )


def _decide(catalogue: Catalogue, change: _Change, preview: Preview) -> None:
    """Do what was previewed, unless something was ticked in the very same moment."""
    sheet.redraw()
    try:
        if tiles.latest(*change.tiles) != change.without:
            raise ConflictError("what is left out changed just now: look at the preview again")
        outcome = batching.decide_all(
            *(catalogue, change.wanted, change.action, change.label),
            without=change.without,
            shown=preview,
            reviewer=frame.reviewer(),
            request_key=state.request_key(f"bulk.{preview.fingerprint}"),
        )
    except CatalogError as error:
        state.say_error(error)
        return
    told.remember(outcome)
    tiles.clear(change.tiles[0])
