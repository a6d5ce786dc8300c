"""Review labels: what looks wrong, the most suspicious first, gone in a keystroke."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import deciding, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import QueueItem, QueuePage
from pages._ui import cache, charts, frame, parts, state, viewmodels

TOPICS = ("products", "labels", "scores", "models")
PER_PAGE = 24
PAIRS = 12  # ways of looking wrong that are named beside the table


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Review labels")
    try:
        status = cache.cached(catalogue, (*TOPICS, "notes", "projections"), catalogues.status)
        parts.empty(status)
        if not status.has_scores:
            sentence = "The worker has not looked for wrong labels yet."
            parts.not_ready(catalogue, "assess", sentence, "Look for wrong labels")
        page = show_filters(catalogue)
    except CatalogError as error:
        frame.stop(error)
    show_messages()
    item = focused(catalogue, page)
    if item is None:
        st.success("Nothing is left here.", icon=":material/done_all:")
    else:
        show_item(catalogue, page, item)
        show_page(page, item)
    show_pairs(catalogue)
    show_decisions(catalogue)


def show_filters(catalogue: Catalogue) -> QueuePage:
    """Draw the choice of queue, category and page; return what was chosen."""
    progress = cache.cached(catalogue, TOPICS, review.progress)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        queue = st.segmented_control(
            "Queue",
            list(review.QUEUES.values()),
            default=review.QUEUES["wrong"],
            required=True,
            key="review.queue",
            bind="query-params",
            on_change=state.first_page,
            label_visibility="collapsed",
        )
        names = (viewmodels.ALL, *cache.cached(catalogue, TOPICS, review.categories))
        category = st.selectbox(
            "Category",
            names,
            key="review.category",
            bind="query-params",
            on_change=state.first_page,
            label_visibility="collapsed",
            width=220,
        )
        suggestion = st.selectbox(
            "Suggestion",
            (viewmodels.ANY, *names[1:]),
            key="review.suggestion",
            bind="query-params",
            on_change=state.first_page,
            label_visibility="collapsed",
            width=220,
        )
        st.markdown(f":gray[{viewmodels.progress_line(progress)}]", width="content")
    chosen = {
        "queue": viewmodels.queue_of(queue or ""),
        "category": viewmodels.category_of(category),
        "suggestion": viewmodels.category_of(suggestion),
        "per_page": PER_PAGE,
    }
    page = cache.cached(catalogue, TOPICS, review.review_queue, **chosen)
    if page.pages > 1:
        number = st.pagination(page.pages, key=state.PAGE, bind="query-params")
        page = cache.cached(catalogue, TOPICS, review.review_queue, **chosen, page=number)
    return page


def focused(catalogue: Catalogue, page: QueuePage) -> QueueItem | None:
    """Return the item in the URL, else the first of the page."""
    wanted = state.focus()
    for item in page.items:
        if item.product_id == wanted:
            return item
    linked = cache.cached(catalogue, TOPICS, review.product_item, wanted) if wanted else None
    return linked or next(iter(page.items), None)


def show_messages() -> None:
    """Say what the last click did, with its undo, or why it did nothing."""
    error, said = state.take_error(), state.last_sentence()
    if error:
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    elif said:
        st.caption(f":material/check: {viewmodels.plain(said)}")


def show_item(catalogue: Catalogue, page: QueuePage, item: QueueItem) -> None:
    """Show one item large, with its evidence and what can be decided."""
    ids = [other.product_id for other in page.items]
    place = ids.index(item.product_id) if item.product_id in ids else -1
    following = ids[place + 1] if place + 1 < len(ids) else next(iter(ids[:-1]), None)
    before = ids[place - 1] if place > 0 else None
    with st.container(border=True):
        picture, facts = st.columns((2, 3), gap="large")
        with picture:
            st.html(f"<div class='hero'>{viewmodels.photo(item.image)}</div>")
        with facts:
            st.html(viewmodels.facts(item))
            show_buttons(catalogue, item, following)
            st.html(viewmodels.alikes(item))
            show_moves(catalogue, before, following)


def show_buttons(catalogue: Catalogue, item: QueueItem, following: int | None) -> None:
    """Draw the decisions with their keys; without a name none can be made."""
    nameless = not frame.reviewer()
    if nameless:
        st.info("Type your name in the sidebar: decisions are stored with it.")
    common = {"on_click": state.decide, "disabled": nameless}
    decisions = [("Keep " + (item.label or "as it is"), "keep", "Q")]
    if item.suggestion and item.suggestion != item.label:
        decisions.append((f"Accept {item.suggestion}", "accept", "W"))
    decisions += [("Not a product photo", "not_product", "E"), ("Second look", "second_look", "N")]
    with st.container(horizontal=True, gap="small"):
        for words, action, key in decisions:
            st.button(
                viewmodels.plain(words),
                shortcut=key,
                type="primary" if action == "accept" else "secondary",
                args=(catalogue, item, following, action),
                **common,
            )
    with st.container(horizontal=True, gap="small"):
        for place, candidate in enumerate(item.candidates, 1):
            args = (catalogue, item, following, "relabel", candidate.label)
            words = f"{viewmodels.plain(candidate.label)} {candidate.probability:.0%}"
            st.button(words, shortcut=str(place), args=args, key=f"review.choice.{place}", **common)
    show_other_labels(catalogue, item, following, disabled=nameless)


def show_other_labels(
    catalogue: Catalogue, item: QueueItem, following: int | None, *, disabled: bool
) -> None:
    """Offer the categories that have no key of their own."""
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
            args=(catalogue, item, following, key),
        )


def show_moves(catalogue: Catalogue, before: int | None, following: int | None) -> None:
    """Draw previous, next and undo."""
    last = state.last_decision()
    with st.container(horizontal=True):
        for words, target, arrow in (("Previous", before, "Left"), ("Next", following, "Right")):
            st.button(
                words,
                shortcut=arrow,
                type="tertiary",
                disabled=target is None,
                on_click=state.set_focus,
                args=(target,),
            )
        if last is not None:
            st.button(
                "Undo",
                icon=":material/undo:",
                shortcut="Z",
                type="tertiary",
                on_click=state.undo,
                args=(catalogue, last.decision_id, last.product_id),
            )


def show_page(page: QueuePage, focus: QueueItem) -> None:
    """Show the page as tiles; a click brings one up."""
    st.caption(f"{viewmodels.count(page.total, 'product')} here, page {page.page} of {page.pages}")
    with st.container(horizontal=True, gap="small"):
        for item in page.items:
            with st.container(width=parts.TILE, gap=None):
                st.html(
                    f"<div class='card'>{viewmodels.photo(item.thumbnail)}</div>"
                    + viewmodels.tile(item)
                )
                st.button(
                    "Shown above" if item.product_id == focus.product_id else "Look",
                    key=f"review.look.{item.product_id}",
                    type="tertiary",
                    on_click=state.set_focus,
                    args=(item.product_id,),
                )


def show_pairs(catalogue: Catalogue) -> None:
    """Show in which ways labels look wrong, each a link into its queue."""
    pairs = cache.cached(catalogue, TOPICS, review.pairs)
    if not pairs:
        return
    with st.expander("What is taken for what", icon=":material/grid_on:"):
        table, lines = st.columns((3, 2), gap="large")
        with table:
            drawn = charts.doubts(*viewmodels.pair_table(pairs), viewmodels.pair_link)
            st.plotly_chart(drawn, config={"displayModeBar": False}, key="review.pairs")
        with lines:
            for place, pair in enumerate(pairs[:PAIRS]):
                st.button(
                    viewmodels.plain(viewmodels.pair_line(pair)),
                    key=f"review.pair.{place}",
                    type="tertiary",
                    on_click=state.show_pair,
                    args=(pair.label, pair.suggestion),
                )


def show_decisions(catalogue: Catalogue) -> None:
    """List what was decided, each with its undo, and offer the files."""
    with st.expander("Decisions and files", icon=":material/history:"):
        with st.container(horizontal=True):
            parts.download(catalogue, "queue", "Queue as a file")
            parts.download(catalogue, "decisions", "Decisions as a file")
        done = cache.cached(catalogue, TOPICS, deciding.decisions, limit=20)
        if not done:
            st.caption("Nobody has decided anything yet.")
        for decision in done:
            with st.container(horizontal=True, vertical_alignment="center"):
                line = viewmodels.decision_line(decision, parts.now())
                st.markdown(f"**{viewmodels.plain(decision.sku)}** {viewmodels.plain(line)}")
                if decision.action != "undo" and not decision.undone:
                    st.button(
                        "Undo",
                        key=f"review.undo.{decision.id}",
                        type="tertiary",
                        disabled=not frame.reviewer(),
                        on_click=state.undo,
                        args=(catalogue, decision.id, decision.product_id),
                    )


show()
