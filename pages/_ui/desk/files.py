"""Files that go out: what changed since the last download, what the desk shows, whole lists."""

from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import changes, exporting, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.changes import ChangeFile, MadeFile
from catalog_ai.services.table_files import ExportFile
from pages._ui import cache, file_views, frame, parts, viewmodels
from pages._ui.desk import address, filters

IN_SIGHT = 3  # change files that are listed at once
EARLIER = 50  # and in all; still older ones are made again by the command
_FORMAT = "files.format"
_CHANGES = "files.changes"  # the change file that this session asked for last
_ERROR = "files.error"


def show(catalogue: Catalogue) -> None:
    """Draw the change files, the desk's list, and the whole lists; a press redraws only these."""
    _draw(catalogue)


@st.fragment
def _draw(catalogue: Catalogue) -> None:
    st.segmented_control(
        "Format",
        list(file_views.FORMATS),
        format_func=file_views.FORMATS.__getitem__,
        default="csv",
        required=True,
        key=_FORMAT,
    )
    st.caption(file_views.format_line(_format()))
    try:
        _show_changes(catalogue)
        _show_list(catalogue)
        _show_others(catalogue)
    except CatalogError as error:
        st.error(viewmodels.plain(str(error)), icon=":material/error:")


def _format() -> str:
    return str(st.session_state.get(_FORMAT) or "csv")


def _show_changes(catalogue: Catalogue) -> None:
    """Draw the next change file and those before it."""
    st.markdown("##### Changes")
    waiting = cache.cached(catalogue, ("labels", "exports"), changes.waiting)
    st.caption(file_views.changes_line(waiting, parts.now()))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            file_views.make_label(waiting),
            icon=":material/output:",
            type="primary",
            key="files.make",
            disabled=waiting.rows == 0,
            on_click=_make,
            args=(catalogue,),
        )
        made: ChangeFile | None = st.session_state.get(_CHANGES)
        if made is not None:
            label = file_views.save_label(made.number, made.rows)
            offer(made, label, type="primary" if waiting.rows == 0 else "secondary")
    if error := st.session_state.pop(_ERROR, ""):
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    if made is not None and made.warning:
        st.warning(viewmodels.plain(made.warning), icon=":material/difference:")
    _show_earlier(catalogue)


def _show_earlier(catalogue: Catalogue) -> None:
    """List the change files that were made, the newest in sight."""
    earlier = cache.cached(catalogue, ("exports",), changes.made_files, limit=EARLIER)
    for file in earlier[:IN_SIGHT]:
        _show_made(catalogue, file)
    if earlier[IN_SIGHT:]:
        with st.expander("Older change files"):
            for file in earlier[IN_SIGHT:]:
                _show_made(catalogue, file)


def _show_made(catalogue: Catalogue, file: MadeFile) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        line = file_views.made_line(file, parts.now())
        st.markdown(viewmodels.plain(line), width="content")
        st.button(
            "Download again",
            key=f"files.again.{file.number}",
            type="tertiary",
            on_click=_again,
            args=(catalogue, file.number),
        )


def _show_list(catalogue: Catalogue) -> None:
    """Offer what the desk's filters find, in its order; they are drawn here as they are there."""
    st.markdown("##### What the desk shows")
    filters.show(catalogue, cache.cached(catalogue, filters.TOPICS, review.progress))
    wanted, sort = address.wanted(), address.sort(frame.reviewer())
    rows = cache.cached(catalogue, filters.TOPICS, exporting.queue_rows, wanted)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = viewmodels.plain(file_views.list_label(wanted, rows))
        download(catalogue, "queue", label, _format(), wanted=wanted, sort=sort)
        st.caption(viewmodels.plain(file_views.list_line(sort)), width="content")


def _show_others(catalogue: Catalogue) -> None:
    """Offer the other files, each made when asked for: first its button, then the download."""
    st.markdown("##### Whole lists")
    for kind, (label, what) in file_views.WHOLE_LISTS.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            download(catalogue, kind, label, _format())
            st.caption(what, width="content")


def download(catalogue: Catalogue, kind: str, label: str, format: str = "csv", **part: Any) -> None:
    """Offer a file, made when asked for: first the button, then the download.

    `part` says what of the queue, as in `exporting.export`.
    """
    if not st.button(label, icon=":material/table_view:", key=f"download.{kind}"):
        return
    try:
        with st.spinner("Making the file…", show_time=True):
            file = exporting.export(catalogue, kind, format, created_by=frame.reviewer(), **part)
    except CatalogError as error:
        st.warning(viewmodels.plain(str(error)), icon=":material/front_hand:")
        return
    offer(file, f"Save {viewmodels.count(file.rows, 'row')}")


def offer(
    file: ExportFile, label: str, *, type: Literal["primary", "secondary"] = "secondary"
) -> None:
    """Draw the button with which the browser takes a file; the page stays as it is."""
    st.download_button(
        label,
        file.data,
        file_name=file.file_name,
        mime=file.mime,
        type=type,
        on_click="ignore",
        icon=":material/download:",
    )


def _make(catalogue: Catalogue) -> None:
    """Make the next change file and keep it for the download button."""
    _keep(lambda: changes.make(catalogue, _format(), created_by=frame.reviewer()))


def _again(catalogue: Catalogue, number: int) -> None:
    _keep(lambda: changes.again(catalogue, number))


def _keep(made: Callable[[], ChangeFile]) -> None:
    try:
        st.session_state[_CHANGES] = made()
    except CatalogError as error:
        st.session_state[_ERROR] = str(error)
