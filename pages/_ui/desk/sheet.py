"""The contact sheet: one category on a page, the odd ones ticked, one key for all of them."""

from collections.abc import Iterable
from dataclasses import replace

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import batching, review
from catalog_ai.services.batching import Seen
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import Filter, QueuePage, Sort
from pages._ui import cache, frame, parts, sheet_views, state, viewmodels
from pages._ui.desk import address, tiles, told
from pages._ui.desk.filters import TOPICS, labels_of

PER_PAGE = 32
HINT = "Tick what is odd:"
_STAYING = ("all", "decided")  # queues that products stay in once they are decided
_REDRAW = "review.sheet.redraw"


def show(catalogue: Catalogue, wanted: Filter, sort: Sort) -> None:
    """Show a page of one category, or of one suggestion; without either, ask for one."""
    redrawn()
    if wanted.category is None and wanted.suggestion is None:
        told.show(catalogue)
        st.caption("A contact sheet shows one category at a time: choose one.")
        _offer_categories(catalogue, wanted)
        return
    page = page_of(catalogue, wanted, sort, PER_PAGE)
    show_bar(catalogue, page)
    told.show(catalogue)
    page = _claimed(catalogue, page)
    if page.items:
        _draw(catalogue, page, wanted.queue)
    else:
        nothing_left(catalogue)
        _offer_categories(catalogue, wanted)


def page_of(catalogue: Catalogue, wanted: Filter, sort: Sort, per_page: int) -> QueuePage:
    """Return the page of the queue that is in the address."""
    chosen = {"wanted": wanted, "sort": sort, "per_page": per_page, "whole": False}
    chosen["page"] = address.page()
    return cache.cached(catalogue, TOPICS, review.review_queue, **chosen)


def _claimed(catalogue: Catalogue, page: QueuePage) -> QueuePage:
    """Return the page without what others are looking at; the rest is claimed."""
    if not frame.reviewer() or not page.items:
        return page
    ids = [item.product_id for item in page.items]
    claims = state.claim(catalogue, ids, most=len(ids))
    if claims.others:
        names = ", ".join(sorted(set(claims.others.values())))
        words = f"{viewmodels.plain(names)} looking at {len(claims.others)} of these: left out."
        st.caption(f":material/group: {words}")
    mine = set(claims.mine)
    return replace(page, items=tuple(item for item in page.items if item.product_id in mine))


def show_bar(catalogue: Catalogue, page: QueuePage) -> None:
    """Draw how many there are, the pages, and undo."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{viewmodels.count(page.total, 'product')} here", width="content")
        parts.pager(page.pages, key=address.PAGE, bind="query-params")
        parts.undo_button(catalogue)


def nothing_left(catalogue: Catalogue) -> None:
    """Say that the queue is empty, and which other one is not."""
    progress = cache.cached(catalogue, TOPICS, review.progress)
    line = viewmodels.nothing_left_line(progress, address.queue())
    st.success(line, icon=":material/done_all:")


def look(product_id: int) -> None:
    """Show a product large, one at a time."""
    st.session_state[address.VIEW] = address.VIEWS["single"]
    state.set_focus(product_id)
    redraw()


def redrawn() -> bool:
    """Return, once, whether a click inside a fragment changed what is around it."""
    return bool(st.session_state.pop(_REDRAW, False))


def redraw() -> None:
    """Draw the whole page once the fragment is drawn."""
    st.session_state[_REDRAW] = True


def _offer_categories(catalogue: Catalogue, wanted: Filter) -> None:
    with st.container(horizontal=True, gap="small"):
        for label, words in _offered(catalogue, wanted.queue):
            st.button(
                viewmodels.plain(words),
                key=f"review.sheet.category.{label}",
                on_click=_choose,
                args=(label,),
            )


def _offered(catalogue: Catalogue, queue: str) -> Iterable[tuple[str, str]]:
    """Return (category, words), with how many of it look wrong where that is the queue."""
    if queue != "wrong":
        return [(name, name) for name in labels_of(catalogue, queue)]
    progress = cache.cached(catalogue, TOPICS, review.progress)
    return [(label, f"{label} {count:,}") for label, count in progress.by_category.items()]


def _choose(label: str) -> None:
    st.session_state[address.CATEGORY] = label
    st.session_state[address.SUGGESTION] = address.ANY
    address.first_page()


@st.fragment
def _draw(catalogue: Catalogue, page: QueuePage, queue: str) -> None:
    """Draw the sheet; a tick draws only this again."""
    if redrawn():
        st.rerun()
    name = sheet_views.sheet_name(page.items)
    nameless = not frame.reviewer()
    with st.container(horizontal=True, vertical_alignment="center", key="review.sheet.bar"):
        action = st.container(width="stretch")
        size = tiles.show_size()
    drawn = [sheet_views.tile(item) for item in page.items]
    ticked = tiles.show(name, name, drawn, hint=HINT, size=size, on_look=look)
    if nameless:
        action.info("Type your name in the sidebar: decisions are stored with it.")
    action.button(
        viewmodels.plain(sheet_views.action_words(page.items, ticked)),
        shortcut="W",
        type="primary",
        key=f"review.sheet.decide.{name}",  # a second press is about this sheet, not the next
        disabled=nameless,
        on_click=_decide,
        args=(catalogue, page, name, queue),
    )


def _decide(catalogue: Catalogue, page: QueuePage, name: str, queue: str) -> None:
    """Store what the button says, and go on to the next sheet."""
    redraw()
    seen = [Seen(item.product_id, item.version, item.image_sha256) for item in page.items]
    try:
        outcome = batching.decide_sheet(
            catalogue,
            seen,
            tiles.latest(name, name, [item.product_id for item in page.items]),
            reviewer=frame.reviewer(),
            request_key=state.request_key(f"sheet.{name}"),
        )
    except CatalogError as error:
        state.say_error(error)
        return
    told.remember(outcome)
    tiles.clear(name)
    if queue in _STAYING:
        st.session_state[address.PAGE] = page.page + 1
