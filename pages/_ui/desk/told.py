"""What the last batch of this session did, row by row, and how it is taken back."""

import streamlit as st

from catalog_ai.services import batching
from catalog_ai.services.batching import Outcome
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, sheet_views, state, viewmodels

ROWS = 50
_OUTCOME = "review.outcome"


def remember(outcome: Outcome) -> None:
    """Say on the next draw what a batch did, with Undo where it did anything."""
    st.session_state[_OUTCOME] = outcome
    batch_id = outcome.batch_id
    if batch_id is None:
        state.remember(outcome.sentence, None)
        return

    def take_back(catalogue: Catalogue) -> str:
        return undo(catalogue, batch_id).sentence

    state.remember(outcome.sentence, state.Done(None, take_back))


def undo(catalogue: Catalogue, batch_id: int) -> Outcome:
    """Take a batch back; what it gave back and left alone is told on the next draw."""
    undone = batching.undo_batch(
        catalogue, batch_id, reviewer=frame.reviewer(), request_key=f"undo-batch-{batch_id}"
    )
    st.session_state[_OUTCOME] = undone
    return undone


def show(catalogue: Catalogue) -> None:
    """Offer the rows of what was done last: those left alone, with reasons, then the others."""
    outcome: Outcome | None = st.session_state.get(_OUTCOME)
    if outcome is None or state.last_sentence() != outcome.sentence:
        return
    with st.expander(sheet_views.outcome_line(outcome), icon=":material/list:"):
        if outcome.left:
            st.html(sheet_views.left_rows(outcome))
        if outcome.batch_id is not None:
            rows = cache.cached(
                *(catalogue, ("labels",), batching.rows, outcome.batch_id), limit=ROWS
            )
            st.html(sheet_views.decision_rows(rows))
            if outcome.products > ROWS:
                st.caption(
                    f"The first {ROWS} of {viewmodels.count(outcome.products, 'product')}; "
                    "the log has the others."
                )
