"""Review labels: what looks wrong, the most suspicious first, gone in a keystroke."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, parts, saving, state, viewmodels
from pages._ui.desk import address, bulk, files, filters, item, keys, log, pairs, progress, sheet

STATUS = ("products", "scores", "models", "notes", "projections")  # no decision changes it
STORING = (  # keys of the buttons that do
    *("review.keep", "review.accept", "review.not_product", "review.second_look"),
    *(f"review.{number}" for number in range(1, 10)),
    *("review.sheet.decide", "review.bulk.decide", "review.undo", "review.log.undo"),
)
_WHOLE = "review.whole"


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Review labels", worker=False)
    if frame.arrived():
        address.arrive()
    st.session_state[_WHOLE] = True
    show_desk(catalogue)


@st.fragment  # a decision draws this again, not what is around it
def show_desk(catalogue: Catalogue) -> None:
    """Draw the chosen view of the chosen queue."""
    above, below = st.container(), st.container()
    drawn = [(above, show_above), (below, show_view)]
    # Drawn again by itself, the card comes first: one waits for it. With the whole page what is
    # chosen comes first, for its widgets may have yet to read it from the address.
    if not st.session_state.pop(_WHOLE, False):
        drawn.reverse()
    try:
        frame.show_worker(catalogue)
        with cache.one_look(catalogue):
            show_if_ready(catalogue)
            for container, draw in drawn:
                with container:
                    draw(catalogue)
    except CatalogError as error:
        frame.stop(error)


def show_if_ready(catalogue: Catalogue) -> None:
    """End here with what is missing, where there is nothing to look at yet."""
    status = cache.cached(catalogue, STATUS, catalogues.status)
    parts.empty(status)
    if not status.has_scores:
        sentence = "The worker has not looked for wrong labels yet."
        parts.not_ready(catalogue, "assess", sentence, "Look for wrong labels")


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
    keys.guard()
    saving.sign(*STORING)


def show_messages() -> None:
    """Say what the last click did, with its undo, or why it did nothing."""
    error, said = state.take_error(), state.last_sentence()
    if error:
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    elif said:
        st.caption(f":material/check: {viewmodels.plain(said)}")


show()
