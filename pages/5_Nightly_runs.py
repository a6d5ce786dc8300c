"""Nightly runs: what each brought, and what it could not use."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import run_sections, runs
from catalog_ai.services.catalogue import Catalogue
from pages._ui import cache, frame, parts, run_parts, viewmodels


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
        run = chosen(history, reader)
        show_summary(catalogue, run, reader)
        show_section(catalogue, run)
        st.space("medium")
        st.subheader("All runs")
        st.table(viewmodels.runs_table(history, reader), border="horizontal")
    except CatalogError as error:
        frame.stop(error)


def chosen(history: tuple[runs.RunView, ...], reader: viewmodels.tzinfo) -> runs.RunView:
    """Return the run to look into: the one in the URL, at first the newest."""
    by_id = {run.id: run for run in history}
    wanted = st.query_params.get("run", "")
    start = int(wanted) if wanted.isdecimal() and int(wanted) in by_id else history[0].id
    picked = st.selectbox(
        "Look into",
        list(by_id),
        index=list(by_id).index(start),
        format_func=lambda number: viewmodels.run_name(by_id[number], reader),
    )
    st.query_params["run"] = str(picked)
    return by_id[picked]


def show_summary(catalogue: Catalogue, run: runs.RunView, reader: viewmodels.tzinfo) -> None:
    """Say what a run brought, and what went wrong with it or with the last click."""
    run_parts.style()
    needs = cache.cached(catalogue, run_parts.TOPICS, run_sections.needs, run)
    st.subheader(viewmodels.plain(run_sections.headline(run, needs, reader)))
    st.caption(viewmodels.run_line(run))
    if run.message:
        st.warning(viewmodels.plain(run.message), icon=":material/warning:")
    run_parts.show_error()


def show_section(catalogue: Catalogue, run: runs.RunView) -> None:
    """Show one section of a run; what waits for a person comes first."""
    counted = cache.cached(catalogue, run_parts.TOPICS, run_sections.sections, run.id, limit=0)
    if not counted:
        st.caption("It brought nothing new, and nothing that could not be used.")
        return
    words = {section.name: viewmodels.section_name(section) for section in counted}
    name = st.pills(
        "Section",
        list(words),
        default=viewmodels.first_section(counted),
        required=True,
        format_func=lambda name: words.get(name, name),
        key=f"runs.section.{run.id}",
        label_visibility="collapsed",
    )
    section = run_parts.page_of(catalogue, run, str(name))
    if section is None:
        st.caption("Nothing waits here.")
    elif name in runs.TROUBLES:
        run_parts.rows(catalogue, run, section)
    else:
        run_parts.tiles(section)


show()
