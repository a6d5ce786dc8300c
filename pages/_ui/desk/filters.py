"""The top of the desk: which queue, which part of it, in which order, and saved views."""

from collections.abc import Callable

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import categories, review, views
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.review import QUEUES, SORTS, STATES, Choices, ReviewProgress
from pages._ui import cache, frame, viewmodels
from pages._ui.desk import address

TOPICS = ("products", "labels", "scores", "models")
_ALWAYS = ("wrong", "all")
_SAVED = "review.save_as"
_WIDE, _WIDER = 150, 196  # pixels; the second for the orders


def show(catalogue: Catalogue, progress: ReviewProgress) -> None:
    """Draw what can be chosen; `address` says what was."""
    queues = show_queues(progress)
    choices = cache.cached(catalogue, ("products", "runs"), review.choices)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        names = cache.cached(catalogue, TOPICS, review.categories)
        labels = (address.ALL, *labels_of(catalogue, address.queue()))
        _choice(address.CATEGORY, labels, "Category", free=True, width=_WIDE)
        _choice(address.SUGGESTION, (address.ANY, *names), "Suggestion", free=True, width=_WIDE)
        st.text_input(
            "Search",
            key=address.SEARCH,
            bind="query-params",
            placeholder="SKU or title",
            icon=":material/search:",
            on_change=address.first_page,
            label_visibility="collapsed",
            width=_WIDE,
        )
        _choice(address.SORT, _orders(choices), "Order", width=_WIDER)
        show_more(catalogue, choices)
        show_views(catalogue)
    if address.in_use():  # which is known once the choices have read the address
        queues.button("Clear filters", type="tertiary", on_click=address.clear)


def labels_of(catalogue: Catalogue, queue: str) -> tuple[str, ...]:
    """Return the labels that products of a queue may carry, by name."""
    names = cache.cached(catalogue, TOPICS, review.categories)
    if queue == "wrong":
        return names
    others = cache.cached(catalogue, TOPICS, categories.not_yet)
    return others if queue == "unknown" else (*names, *others)


def show_queues(progress: ReviewProgress) -> "st.delta_generator.DeltaGenerator":
    """Draw the queues that hold anything, each with how much; return their row."""
    chosen = address.queue()
    row = st.container(horizontal=True, gap="xsmall")
    with row:
        for name, words in QUEUES.items():
            count = progress.by_queue[name]
            if count or name in (*_ALWAYS, chosen):
                st.button(
                    f"{words} {count:,}",
                    key=f"{address.QUEUE}.{name}",
                    type="primary" if name == chosen else "tertiary",
                    on_click=address.choose_queue,
                    args=(name,),
                )
    return row


def show_more(catalogue: Catalogue, choices: Choices) -> None:
    """Draw the filters that are needed less often."""
    used = address.in_use(address.MORE)
    with st.popover(f"More filters · {used}" if used else "More filters"):
        st.slider(
            "At least so likely wrong",
            *(0, 100),
            step=5,
            key=address.LEAST,
            bind="query-params",
            format="%d%%",
            on_change=address.first_page,
        )
        attributes = (address.ANY_ATTRIBUTE, *choices.attributes)
        chosen = _choice(
            *(address.ATTRIBUTE, attributes, "Attribute"),
            free=True,
            on_change=lambda: address.attribute_chosen(choices.attributes),
        )
        if chosen != address.ANY_ATTRIBUTE:
            values = choices.attributes.get(chosen, ())
            _choice(address.VALUE, values or ("",), "is", free=True)
        sources = tuple(address.run_choice(*run) for run in choices.runs)
        _choice(address.RUN, (address.ANY_RUN, *sources), "Came with or changed by")
        people = cache.cached(catalogue, ("labels",), review.reviewers)
        _choice(address.REVIEWER, (address.ANYBODY, *people), "Decided by", free=True)
        _choice(address.STATE, (address.ANY_STATE, *STATES.values()), "State")


def show_views(catalogue: Catalogue) -> None:
    """Draw the saved views, and a way to save this one."""
    saved = cache.cached(catalogue, ("views",), views.list_views)
    with st.popover("Views", icon=":material/bookmark:"):
        for view in saved:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.button(
                    viewmodels.plain(view.name),
                    key=f"review.view.open.{view.name}",
                    type="tertiary",
                    help=viewmodels.plain(f"Saved by {view.created_by}"),
                    on_click=address.open_query,
                    args=(view.query,),
                )
                st.button(
                    "Delete",
                    key=f"review.view.delete.{view.name}",
                    icon=":material/delete:",
                    type="tertiary",
                    on_click=views.forget_view,
                    args=(catalogue, view.name),
                )
        if not saved:
            st.caption("A view is this queue with its filters and order, under a name for all.")
        with st.form("review.views", border=False, clear_on_submit=True):
            name = st.text_input("Save this view as", max_chars=views.MAX_NAME, key=_SAVED)
            if st.form_submit_button("Save"):
                try:
                    query = address.query()
                    views.save_view(catalogue, name, query, reviewer=frame.reviewer())
                except CatalogError as error:
                    st.warning(viewmodels.plain(str(error)))
                else:
                    st.rerun()


def _orders(choices: Choices) -> tuple[str, ...]:
    """Return the orders to choose from; attributes that hold numbers can weigh the chance."""
    weighed = (
        address.CHANCE_TIMES + name
        for name, values in choices.attributes.items()
        if viewmodels.are_numbers(values)
    )
    return (SORTS["score"], *weighed, SORTS["newest"], SORTS["random"])


def _choice(
    key: str,
    options: tuple[str, ...],
    label: str,
    *,
    free: bool = False,
    width: int | None = None,
    on_change: Callable[[], None] = address.first_page,
) -> str:
    """Draw a choice; with a `width` it stands in the row, where its values say what it is."""
    chosen = st.selectbox(
        label,
        options,
        key=key,
        bind="query-params",
        accept_new_options=free,
        on_change=on_change,
        label_visibility="collapsed" if width else "visible",
        width=width or "stretch",
    )
    return str(chosen or options[0])
