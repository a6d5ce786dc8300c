"""What the page Nightly runs draws of one run: tiles of products, rows that could not be used."""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import jobs, run_sections, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.run_sections import Section
from pages._ui import cache, frame, parts, viewmodels

TOPICS = ("runs", "products", "labels", "scores", "models")
PER_PAGE = 24
TRIES = 200  # jobs among which those of a run are looked for
_ERROR = "runs.error"
_CSS = """<style>
[class*="st-key-run-tile"] img { width: 100%; height: 168px; object-fit: contain; }
[class*="st-key-run-row"] img { width: 64px; height: 64px; object-fit: contain; }
[class*="st-key-run-row"] { border-top: 1px solid #e8e3d9; padding-top: .6rem; }
.run-empty { height: 168px; background: #f3f0ea; border-radius: .5rem; }
</style>"""


def style() -> None:
    """Give pictures of a run their places, whatever their shape."""
    st.html(_CSS)


def page_of(catalogue: Catalogue, run: runs.RunView, name: str) -> Section | None:
    """Draw what chooses a part of a section, and return that part, None where it is empty."""
    asked: dict[str, Any] = {"names": (name,), "limit": PER_PAGE}
    if name == "quarantined" and run.waiting < run.quarantined:
        hidden = st.toggle("Hide what is settled", key="runs.hide")
        asked["settled"] = "open" if hidden else None
    section = _section(catalogue, run, asked)
    if section is None:
        return None
    if section.unseen:
        st.info("The worker has not looked at all labels yet.", icon=":material/hourglass_empty:")
    elif section.note:
        st.caption(section.note)
    pages = -(-section.count // PER_PAGE)
    if pages < 2:
        return section
    chosen = st.pagination(pages, key=f"runs.page.{run.id}.{name}")
    # There may be fewer pages than a moment ago, when it was chosen.
    offset = (min(chosen, pages) - 1) * PER_PAGE
    return _section(catalogue, run, asked | {"offset": offset})


def tiles(section: Section) -> None:
    """Draw products: the picture that we made of each, and what is said of it."""
    with st.container(horizontal=True, gap="small"):
        for item in section.items:
            with st.container(width=parts.TILE, gap=None, key=f"run-tile-{section.name}-{item.id}"):
                if not _picture(item, "stretch"):
                    st.html("<div class='run-empty'></div>")
                st.html(viewmodels.run_card(section.name, item))


def rows(catalogue: Catalogue, run: runs.RunView, section: Section) -> None:
    """Draw what could not be used; a person may dismiss what was refused, or have it tried."""
    refused = section.name == "quarantined"
    tries = _tries(catalogue, run) if refused else []
    if refused:
        _dismiss_all(catalogue, section)
    for item in section.items:
        with st.container(
            horizontal=True, vertical_alignment="center", key=f"run-row-{section.name}-{item.id}"
        ):
            _picture(item, 64)
            state = viewmodels.tried(item, tries)
            st.html(viewmodels.run_card(section.name, item, state.words), width="stretch")
            if refused:
                _buttons(catalogue, item, state.can_try)


def show_error() -> None:
    """Say what went wrong with the last click, once."""
    error = st.session_state.pop(_ERROR, "")
    if error:
        st.error(viewmodels.plain(error), icon=":material/error:")


def _picture(item: runs.RunItemView, width: Literal["stretch"] | int) -> bool:
    """Draw an item's thumbnail; whether there is one, also a moment after it was looked up."""
    if item.thumbnail is None or not item.thumbnail.is_file():
        return False
    st.image(str(item.thumbnail), width=width)
    return True


def _section(catalogue: Catalogue, run: runs.RunView, asked: dict[str, Any]) -> Section | None:
    found = cache.cached(catalogue, TOPICS, run_sections.sections, run.id, **asked)
    return next(iter(found), None)


def _tries(catalogue: Catalogue, run: runs.RunView) -> list[jobs.JobView]:
    """Return the tries of this delivery; those at work are shown until they end."""
    tries = viewmodels.tries_of(run, jobs.list_jobs(catalogue, limit=TRIES))
    at_work = any(job.state in {"queued", "running"} for job in tries)
    if at_work and jobs.worker_status(catalogue).running:
        parts.watch_jobs(catalogue, kinds=("ingest",))
    return tries


def _dismiss_all(catalogue: Catalogue, section: Section) -> None:
    waiting = [item.id for item in section.items if item.settled == "open"]
    if len(waiting) > 1:
        label = f"Dismiss all shown ({len(waiting)})"
        _button(label, "runs.dismiss", runs.dismiss, catalogue, waiting)


def _buttons(catalogue: Catalogue, item: runs.RunItemView, can_try: bool) -> None:
    if item.settled == "dismissed":
        _button("Reopen", f"runs.open.{item.id}", runs.settle, catalogue, item.id, "open")
        return
    if can_try:
        asked_by = {"requested_by": frame.reviewer()}
        _button("Try again", f"runs.try.{item.id}", runs.retry, catalogue, item.id, **asked_by)
    if item.settled == "open" or can_try or item.remedy:
        dismissed = (catalogue, item.id, "dismissed")
        _button("Dismiss", f"runs.dismiss.{item.id}", runs.settle, *dismissed)


def _button(
    label: str, key: str, service: Callable[..., object], *args: object, **options: object
) -> None:
    st.button(label, key=key, on_click=_call, args=(service, *args), kwargs=options)


def _call(service: Callable[..., object], *args: object, **options: object) -> None:
    try:
        service(*args, **options)
    except CatalogError as error:
        st.session_state[_ERROR] = str(error)
