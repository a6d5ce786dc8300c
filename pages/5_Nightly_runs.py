"""Nightly runs: what each brought, and what it could not use."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import runs
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, parts, viewmodels

SECTIONS = (
    ("quarantined", "Photos that could not be read"),
    ("missing", "Rows whose photo did not come"),
    ("unlisted", "Photos that no row mentions"),
)


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Nightly runs")
    try:
        history = cache.cached(catalogue, ("runs",), runs.list_runs)
        if not history:
            st.info("No run yet. Take in a delivery:", icon=":material/nightlight:")
            st.code("python -m catalog_ai.ingest FOLDER")
            return
        reader = parts.reader_zone()
        st.table(viewmodels.runs_table(history, reader), border="horizontal")
        show_one(catalogue, chosen(history, reader))
    except CatalogError as error:
        frame.stop(error)


def chosen(history: tuple[runs.RunView, ...], reader: viewmodels.tzinfo) -> runs.RunView:
    """Return the run to look into: the one in the URL, at first the newest."""
    by_id = {run.id: run for run in history}
    wanted = st.query_params.get("run", "")
    start = int(wanted) if wanted.isdigit() and int(wanted) in by_id else history[0].id
    picked = st.selectbox(
        "Look into",
        list(by_id),
        index=list(by_id).index(start),
        format_func=lambda number: (
            f"{viewmodels.local(by_id[number].started_at, reader)}: {by_id[number].source}"
        ),
    )
    st.query_params["run"] = str(picked)
    return by_id[picked]


def show_one(catalogue: Catalogue, run: runs.RunView) -> None:
    """List what one run could not use."""
    st.markdown(viewmodels.run_line(run))
    if run.message:
        st.warning(viewmodels.plain(run.message), icon=":material/warning:")
    items = cache.cached(catalogue, ("runs",), runs.run_items, run.id)
    if not items:
        st.success("Everything that was delivered could be used.", icon=":material/done_all:")
    for outcome, title in SECTIONS:
        found = [item for item in items if item.outcome == outcome]
        if not found:
            continue
        st.subheader(f"{title} ({len(found):,})")
        rows = [
            {
                "Photo or row": viewmodels.plain(item.image),
                "Reason": viewmodels.plain(item.reason),
                "Code": viewmodels.plain(item.code),
            }
            for item in found
        ]
        st.table(rows, border="horizontal")


show()
