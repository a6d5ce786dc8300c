"""Review labels: what looks wrong, the most suspicious first, gone in a keystroke."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, parts, state, viewmodels
from pages._ui.desk import address, bulk, files, filters, item, log, pairs, progress, sheet

STATUS = ("products", "scores", "models", "notes", "projections")  # no decision changes it


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Review labels", worker=False)
    try:
        with cache.one_look(catalogue):
            status = cache.cached(catalogue, STATUS, catalogues.status)
            parts.empty(status)
            if not status.has_scores:
                sentence = "The worker has not looked for wrong labels yet."
                parts.not_ready(catalogue, "assess", sentence, "Look for wrong labels")
            show_desk(catalogue)
    except CatalogError as error:
        frame.stop(error)


@st.fragment  # a decision draws this again, not what is around it
def show_desk(catalogue: Catalogue) -> None:
    """Draw the chosen view of the chosen queue."""
    above, below = st.container(), st.container()
    drawn = [(above, show_above), (below, show_view)]
    if address.is_known():
        drawn.reverse()  # the card first: one waits for it
    try:
        with cache.one_look(catalogue):
            for container, draw in drawn:
                with container:
                    draw(catalogue)
        frame.show_worker(catalogue)
    except CatalogError as error:
        frame.stop(error)


def show_above(catalogue: Catalogue) -> None:
    """Draw what is chosen, how far one is, and what the last click did."""
    counts = cache.cached(catalogue, filters.TOPICS, review.progress)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            "View",
            list(address.VIEWS.values()),
            default=address.VIEWS["single"],
            required=True,
            key=address.VIEW,
            bind="query-params",
            label_visibility="collapsed",
        )
        st.markdown(f":gray[{viewmodels.progress_line(counts)}]", width="content")
    if address.view() in {"single", "sheet", "bulk"}:
        filters.show(catalogue, counts)
    show_messages()


def show_view(catalogue: Catalogue) -> None:
    """Draw the view itself."""
    view = address.view()
    if view == "single":
        item.show(catalogue, address.wanted(), address.sort(frame.reviewer()))
    elif view == "sheet":
        sheet.show(catalogue, address.wanted(), address.sort(frame.reviewer()))
    elif view == "bulk":
        bulk.show(catalogue, address.wanted())
    elif view == "pairs":
        pairs.show(catalogue)
    elif view == "progress":
        progress.show(catalogue)
    else:
        log.show(catalogue)
        files.show(catalogue)


def show_messages() -> None:
    """Say what the last click did, with its undo, or why it did nothing."""
    error, said = state.take_error(), state.last_sentence()
    if error:
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    elif said:
        st.caption(f":material/check: {viewmodels.plain(said)}")


show()
