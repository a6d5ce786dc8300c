"""Begin every page: its title, the navigation, the reviewer's name, the opened catalogue.

A deep link runs a page file without `streamlit_app.py`, so whatever every page needs happens here.
"""

from urllib.parse import quote, unquote

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from pages._ui import style, viewmodels

REVIEWER = "frame.reviewer"
_PAGE, _ARRIVED = "frame.page", "frame.arrived"
_COOKIE = "catalog_reviewer"
PAGES = (
    ("streamlit_app.py", "Today", ":material/wb_sunny:"),
    ("pages/1_Review_labels.py", "Review labels", ":material/fact_check:"),
    ("pages/2_Shop_the_look.py", "Shop the look", ":material/image_search:"),
    ("pages/3_Embedding_map.py", "Embedding map", ":material/scatter_plot:"),
    ("pages/4_Models.py", "Models", ":material/model_training:"),
    ("pages/5_Nightly_runs.py", "Nightly runs", ":material/nightlight:"),
    ("pages/6_Categories.py", "Categories", ":material/category:"),
)


def begin(title: str, *, worker: bool = True) -> Catalogue:
    """Draw what every page has and return the opened catalogue; an error ends the page here.

    A page that is drawn again in parts says itself, with `show_worker`, what the worker does.
    """
    st.session_state[_ARRIVED] = st.session_state.get(_PAGE) != title
    st.session_state[_PAGE] = title
    st.set_page_config(page_title=f"{title} · Catalog Curator", page_icon="👗", layout="wide")
    st.html(style.CSS)
    with st.sidebar:
        st.markdown("### Catalog Curator")
        for path, label, icon in PAGES:
            st.page_link(path, label=label, icon=icon)
        st.space("small")
        _ask_name()
    st.title(title)
    try:
        catalogue = open_catalogue()
        if worker:
            show_worker(catalogue)
    except CatalogError as error:
        stop(error)
    return catalogue


def arrived() -> bool:
    """Return whether this page is drawn for the first time since another one was."""
    return bool(st.session_state.get(_ARRIVED))


def reviewer() -> str:
    """Return the name under which decisions are stored, empty where nobody gave one."""
    return str(st.session_state.get(REVIEWER) or "").strip()


def show_worker(catalogue: Catalogue) -> None:
    """Say in the sidebar whether a worker is running and what waits for it."""
    worker = jobs.worker_status(catalogue)
    with st.sidebar:
        st.empty()  # a fragment may write here only where it did when the whole page was drawn
        if worker.running:
            waiting = f" · {worker.queued} waiting" if worker.queued else ""
            st.caption(f":material/check_circle: Worker running{waiting}")
        elif worker.queued:
            jobs_wait = viewmodels.count(worker.queued, "job waits", "jobs wait")
            st.caption(
                f":material/pause_circle: No worker is running; {jobs_wait}. "
                "Start one: `python -m catalog_ai.worker`"
            )


def stop(error: CatalogError) -> None:
    """Show an error in its own words and end the page."""
    st.error(viewmodels.plain(str(error)), icon=":material/error:")
    st.stop()


def remembered_name() -> str:
    """Return the name that this browser gave before, empty where it gave none."""
    return unquote(st.context.cookies.get(_COOKIE, ""))


def _ask_name() -> None:
    remembered = remembered_name()
    st.text_input(
        "Your name",
        value=st.session_state.get(REVIEWER, remembered),
        key=REVIEWER,
        max_chars=120,
        placeholder="Stored with each decision",
        persist_state="session",
    )
    if reviewer() and reviewer() != remembered:
        # A year, this site only: the name is asked once, not once a day.
        cookie = f"{_COOKIE}={quote(reviewer())};path=/;max-age=31536000;samesite=strict"
        st.html(f"<script>document.cookie = '{cookie}'</script>", unsafe_allow_javascript=True)
