"""One item at a time: the photo, the evidence, one key for each decision, then the next."""

from dataclasses import dataclass

import streamlit as st

from catalog_ai.services import history, rechecking, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import Filter, QueueItem, QueuePage, Sort
from pages._ui import cache, frame, parts, sheet_views, state, viewmodels
from pages._ui.desk import address, keys, sheet, tiles
from pages._ui.desk.filters import TOPICS

PER_PAGE = 16
_HISTORY = "review.history"


@dataclass(frozen=True)
class _Place:
    """The item that is shown, where it stands, and who else is looking at it.

    `again` is the decision that is shown a second time with it: nobody is told.
    """

    item: QueueItem
    before: int | None
    following: int | None
    other: str = ""
    again: int | None = None

    @property
    def card(self) -> str:
        """The name of the card that the browser shows."""
        return keys.card(self.item, self.again)


def show(catalogue: Catalogue, wanted: Filter, sort: Sort) -> None:
    """Show the item in the address, else the first that nobody else has."""
    page = sheet.page_of(catalogue, wanted, sort, PER_PAGE)
    place = _second_showing(catalogue, page, wanted) or _place(catalogue, page, wanted.queue)
    bar = st.container()  # filled last: the card is what one waits for
    if place is None:
        with bar:
            _show_bar(catalogue, page, place)
        _nothing_left(catalogue, page)
        return
    if place.other:
        st.info(
            f"{viewmodels.plain(place.other)} is looking at this one now.",
            icon=":material/visibility:",
        )
    with st.container(border=True):
        picture, facts = st.columns((3, 5), gap="medium")
        with picture:
            st.html(f"<div class='hero'>{viewmodels.photo(place.item.image)}</div>")
            _show_closer(catalogue, place.item)
        with facts:
            st.html(f"<div data-card='{place.card}'>{viewmodels.facts(place.item)}</div>")
            _show_buttons(catalogue, place)
            st.html(viewmodels.twin(place.item) + viewmodels.alikes(place.item))
    with bar:
        _show_bar(catalogue, page, place)
    _show_history(catalogue, place)
    _show_tiles(page, place.item)


def _show_history(catalogue: Catalogue, place: _Place) -> None:
    """Show what happened to the product: deliveries and decisions."""
    if place.again is not None:
        return  # it would tell what was decided the first time
    # Only who opens it pays for it; it stays open from one product to the next.
    history_of = st.expander("History", icon=":material/history:", key=_HISTORY, on_change="rerun")
    if not history_of.open:
        return
    with history_of:
        lines = cache.cached(catalogue, (*TOPICS, "runs"), history.history, place.item.product_id)
        now = parts.now()
        if not lines:
            st.caption("Nothing has happened to it yet.")
        for line in lines:
            st.html(viewmodels.history_line(line, now))


def _place(catalogue: Catalogue, page: QueuePage, queue: str) -> _Place | None:
    """Return the item to show and claim it, so that nobody else is given it."""
    ids = [item.product_id for item in page.items]
    asked = state.focus()
    if asked is not None and asked in ids:
        start = ids.index(asked)
        ids = ids[start:] + ids[:start]
    elif asked is not None and _whole(catalogue, asked, None) is not None:
        ids = [asked, *ids]
    by_name = asked is not None and ids[:1] == [asked] and not state.followed()
    chosen, other = next(iter(ids), None), ""
    if frame.reviewer():
        claims = state.claim(catalogue, ids, keep=asked if by_name else None)
        if not claims.mine and not by_name:
            return None
        chosen = next(iter(claims.mine), asked)
        other = "" if claims.mine else claims.others.get(asked or 0, "")
    if chosen is None:
        return None
    on_page = any(item.product_id == chosen for item in page.items)
    item = _whole(catalogue, chosen, queue if on_page else None)
    return None if item is None else _placed(page, item, other)


def _whole(catalogue: Catalogue, product_id: int, queue: str | None) -> QueueItem | None:
    return cache.cached(catalogue, TOPICS, review.product_item, product_id, queue=queue)


def _second_showing(catalogue: Catalogue, page: QueuePage, wanted: Filter) -> _Place | None:
    """Return an item that is shown once more among the others, where one is due."""
    by_name = state.focus() is not None and not state.followed()
    if wanted.queue != "wrong" or by_name or not frame.reviewer():
        return None
    asked = {"reviewer": frame.reviewer(), "skipped": state.left_aside()}
    due = cache.cached(catalogue, TOPICS, rechecking.due, **asked)
    if due is None:
        return None
    if not state.claim(catalogue, [due.item.product_id]).mine:
        return None
    following = state.focus() or next((item.product_id for item in page.items), None)
    return _Place(due.item, None, following, again=due.decision_id)


def _placed(page: QueuePage, item: QueueItem, other: str = "") -> _Place:
    ids = [shown.product_id for shown in page.items]
    place = ids.index(item.product_id) if item.product_id in ids else -1
    following = ids[place + 1] if place + 1 < len(ids) else next(iter(ids[:-1]), None)
    return _Place(item, ids[place - 1] if place > 0 else None, following, other)


def _nothing_left(catalogue: Catalogue, page: QueuePage) -> None:
    if page.items:
        st.info(
            "Others are looking at everything on this page: take the next page.",
            icon=":material/group:",
        )
        _show_tiles(page, None)
    elif address.in_use():
        st.info("Nothing here matches these filters.", icon=":material/filter_alt:")
    else:
        sheet.nothing_left(catalogue)


def _show_closer(catalogue: Catalogue, item: QueueItem) -> None:
    """Offer the photo in full size, and what else is known of the product."""
    with st.container(horizontal=True, horizontal_alignment="center"):
        if st.button("Full size", icon=":material/zoom_in:", shortcut="F", type="tertiary"):
            _zoom(catalogue, item)
        if st.button("Keys", icon=":material/keyboard:", shortcut="H", type="tertiary"):
            keys.show()
    known = viewmodels.attributes(item)
    if known:
        st.html(known)


@st.dialog("Full size", width="large")
def _zoom(catalogue: Catalogue, item: QueueItem) -> None:
    photos = review.photos(catalogue, item.product_id)
    st.caption(viewmodels.plain(" · ".join(part for part in (item.sku, item.title) if part)))
    st.html(f"<div class='zoom'>{''.join(viewmodels.photo(path) for path in photos)}</div>")


def _show_buttons(catalogue: Catalogue, place: _Place) -> None:
    """Draw the decisions with their keys; without a name none can be made."""
    item, following = place.item, place.following
    nameless = not frame.reviewer()
    if nameless:
        st.info("Type your name in the sidebar: decisions are stored with it.")
    elif item.review_state == "second_look" and item.asked_by == frame.reviewer():
        st.caption("You asked for this second look: better that somebody else decides.")
    common = {"on_click": state.decide, "disabled": nameless}
    decisions = [("Keep " + (item.label or "as it is"), "keep", "Q")]
    if item.suggestion and item.suggestion != item.label:
        decisions.append((f"Accept {item.suggestion}", "accept", "W"))
    decisions += [("Not a product photo", "not_product", "E"), ("Second look", "second_look", "N")]
    with st.container(horizontal=True, gap="xsmall"):
        for words, action, key in decisions:
            st.button(
                viewmodels.plain(words),
                shortcut=key,
                key=keys.button(action, place.card),
                type="primary" if action == "accept" else "secondary",
                args=(catalogue, item, following, action, None, place.again),
                **common,
            )
    with st.container(horizontal=True, gap="xsmall"):
        for number, candidate in enumerate(item.candidates, 1):
            args = (catalogue, item, following, "relabel", candidate.label, place.again)
            key = keys.button(str(number), place.card)
            words = viewmodels.plain(viewmodels.candidate(candidate))
            st.button(words, shortcut=str(number), args=args, key=key, **common)
    with st.container(horizontal=True, gap="small"):
        _show_other_labels(catalogue, place, disabled=nameless)
        st.text_input(
            "Note",
            key=state.note_key(item),
            placeholder="A note to go with your decision",
            label_visibility="collapsed",
            max_chars=500,
            persist_state="page",
            disabled=nameless,
        )


def _show_other_labels(catalogue: Catalogue, place: _Place, *, disabled: bool) -> None:
    """Offer the categories that have no key of their own."""
    item = place.item
    with_key = {candidate.label for candidate in item.candidates}
    names = cache.cached(catalogue, TOPICS, review.categories)
    others = [name for name in names if name not in with_key]
    if others:
        key = f"review.other.{item.product_id}.{item.version}"
        st.selectbox(
            "Another label",
            others,
            index=None,
            placeholder="Another label",
            key=key,
            label_visibility="collapsed",
            width=220,
            disabled=disabled,
            on_change=state.decide_chosen,
            args=(catalogue, item, place.following, key, place.again),
        )


def _show_bar(catalogue: Catalogue, page: QueuePage, place: _Place | None) -> None:
    """Draw how many there are, the pages, previous and next, and undo."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"{viewmodels.count(page.total, 'product')} here", width="content")
        bound = {"key": address.PAGE, "bind": "query-params"}
        parts.pager(page.pages, **bound, on_change=state.set_focus, args=(None,))
        before, following = (place.before, place.following) if place else (None, None)
        for words, target, arrow in (("Previous", before, "Left"), ("Next", following, "Right")):
            st.button(
                words,
                shortcut=arrow,
                key=keys.button(arrow, place.card if place else ""),
                type="tertiary",
                disabled=target is None,
                on_click=state.go_on if place is None or place.again is None else state.leave,
                args=(target,) if place is None or place.again is None else (place.item, target),
            )
        parts.undo_button(catalogue)


def _show_tiles(page: QueuePage, focus: QueueItem | None) -> None:
    """Show the page as tiles; a click brings one up."""
    drawn = [sheet_views.tile(item) for item in page.items]
    tiles.strip(drawn, shown=focus.product_id if focus else None, on_look=state.set_focus)
