"""What was decided, the newest first, each with its undo; a batch is one line."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import batching
from catalog_ai.services.batching import BatchView
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import DecisionView
from pages._ui import cache, frame, parts, sheet_views, state, viewmodels
from pages._ui.desk import told

LINES = 30  # at first, and how many more each time
ROWS = 20  # of a batch at first
CHANGES = 8  # kinds of change that are spelled out
TOPICS = ("labels", "products")
_LINES, _OPEN = "review.log.lines", "review.log.open"


def show(catalogue: Catalogue) -> None:
    """Draw the log."""
    parts.undo_button(catalogue)
    told.show(catalogue)
    wanted = st.session_state.get(_LINES, LINES)
    lines = cache.cached(catalogue, TOPICS, batching.log, limit=wanted + 1)
    if not lines:
        st.caption("Nobody has decided anything yet.")
    for line in lines[:wanted]:
        if isinstance(line, BatchView):
            _show_batch(catalogue, line)
        else:
            _show_decision(catalogue, line)
    if len(lines) > wanted:
        st.button("Show earlier ones", type="tertiary", on_click=_set, args=(_LINES, wanted * 2))


def _show_decision(catalogue: Catalogue, decision: DecisionView) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = viewmodels.decision_line(decision, parts.now())
        st.markdown(
            f"**{viewmodels.plain(decision.sku)}** {viewmodels.plain(words)}", width="content"
        )
        if decision.action != "undo" and not decision.undone:
            st.button(
                viewmodels.plain(sheet_views.undo_words(decision)),
                key=f"review.undo.{decision.id}",
                type="tertiary",
                disabled=not frame.reviewer(),
                on_click=state.undo,
                args=(catalogue, decision.id, decision.product_id),
            )


def _show_batch(catalogue: Catalogue, batch: BatchView) -> None:
    opened = st.session_state.get(_OPEN)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        words = sheet_views.batch_line(batch, parts.now())
        st.markdown(f":material/stacks: {viewmodels.plain(words)}", width="content")
        choices = [("Rows", "rows")] + ([("Undo", "undo")] if batch.can_undo else [])
        for label, what in choices:
            is_open = opened == (what, batch.id)
            st.button(
                "Close" if is_open else label,
                key=f"review.log.{what}.{batch.id}",
                type="tertiary",
                on_click=_set,
                args=(_OPEN, None if is_open else (what, batch.id)),
            )
    if opened == ("rows", batch.id):
        with st.container(border=True):
            _show_rows(catalogue, batch)
    elif opened == ("undo", batch.id) and batch.can_undo:
        with st.container(border=True):
            _show_undo(catalogue, batch)


def _show_rows(catalogue: Catalogue, batch: BatchView) -> None:
    """List the decisions of a batch, each with an undo of its own."""
    key = f"review.log.shown.{batch.id}"
    shown = st.session_state.get(key, ROWS)
    for row in cache.cached(catalogue, TOPICS, batching.rows, batch.id, limit=shown):
        _show_decision(catalogue, row)
    if batch.products > shown:
        st.button(
            f"Show more of {batch.products:,}",
            key=f"review.log.more.{batch.id}",
            type="tertiary",
            on_click=_set,
            args=(key, shown + 5 * ROWS),
        )


def _show_undo(catalogue: Catalogue, batch: BatchView) -> None:
    """Say what taking a batch back would give, and offer it."""
    try:
        outcome = cache.cached(catalogue, TOPICS, batching.preview_undo, batch.id)
    except CatalogError as error:
        st.warning(viewmodels.plain(str(error)), icon=":material/front_hand:")
        return
    st.html(sheet_views.changes_table(outcome.changes, CHANGES))
    if outcome.left:
        st.caption(f"{viewmodels.count(outcome.left_count, 'product')} would be left alone:")
        st.html(sheet_views.left_rows(outcome))
    st.button(
        f"Undo {viewmodels.count(outcome.products, 'product')}",
        key=f"review.log.undo.now.{batch.id}",
        type="primary",
        disabled=not frame.reviewer() or not (outcome.products or batch.kind == "rename"),
        on_click=_undo,
        args=(catalogue, batch.id),
    )


def _undo(catalogue: Catalogue, batch_id: int) -> None:
    try:
        undone = told.undo(catalogue, batch_id)
    except CatalogError as error:
        state.say_error(error)
        return
    state.remember(undone.sentence, None)
    _set(_OPEN, None)


def _set(key: str, value: object) -> None:
    st.session_state[key] = value
