"""Pieces that several pages draw."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, CatalogueStatus
from catalog_ai.services.shop import ProductCard
from pages._ui import frame, state, viewmodels

TILE = 148  # pixels; about eight a row at 1280
SIMILAR = ("pages/2_Shop_the_look.py", "Similar", ":material/image_search:")
REVIEW = ("pages/1_Review_labels.py", "Review its label", ":material/fact_check:")
_NUMBERS = 5  # of pages that are offered at once


def reader_zone() -> viewmodels.tzinfo:
    """Return the time zone of the browser."""
    return viewmodels.zone(st.context.timezone)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def empty(status: CatalogueStatus) -> None:
    """End the page with what to run, where there is nothing to show."""
    if status.products:
        return
    st.info("There are no products yet.", icon=":material/inventory_2:")
    if not status.has_model:
        st.markdown("Train a model on labelled photos first, then take in a delivery:")
        st.code("python -m catalog_ai.train --data FOLDER\npython -m catalog_ai.ingest FOLDER")
    else:
        st.markdown("Take in a delivery:")
        st.code("python -m catalog_ai.ingest FOLDER")
    st.stop()


def not_ready(catalogue: Catalogue, kind: str, sentence: str, button: str) -> None:
    """Say what the worker still has to do, offer to ask for it, and end the page."""
    waiting = [job for job in jobs.list_jobs(catalogue) if job.kind == kind]
    at_it = next((job for job in waiting if job.state in {"queued", "running"}), None)
    worker = jobs.worker_status(catalogue)
    if at_it is not None and worker.running:
        watch_jobs(catalogue, kinds=(kind,), sentence=sentence)
    else:
        st.info(sentence, icon=":material/hourglass_empty:")
        if not worker.running:
            st.markdown("No worker is running. Start one:")
            st.code("python -m catalog_ai.worker")
        if at_it is None:
            ask = {"requested_by": frame.reviewer()}
            st.button(button, on_click=jobs.enqueue, args=(catalogue, kind), kwargs=ask)
    st.stop()


def watch_jobs(catalogue: Catalogue, *, kinds: Sequence[str], sentence: str = "") -> None:
    """Show running jobs of these kinds until they end, then draw the page again."""

    @st.fragment(run_every=2)
    def watch() -> None:
        open_jobs = [
            job
            for job in jobs.list_jobs(catalogue)
            if job.kind in kinds and job.state in {"queued", "running"}
        ]
        if not open_jobs:
            st.rerun()
        if sentence:
            st.info(sentence, icon=":material/hourglass_top:")
        for job in open_jobs:
            line = viewmodels.job_line(job.state, job.title, job.message)
            st.progress(min(1.0, job.progress), text=viewmodels.plain(line))

    watch()


def cards(
    shown: Sequence[ProductCard],
    *,
    key: str,
    caption: Callable[[ProductCard], str] | None = None,
    link: tuple[str, str, str] = SIMILAR,
) -> None:
    """Draw products as tiles: the whole photo, its label, and a link to what looks like it.

    `link` is another page for its (path, words, icon).
    """
    with st.container(horizontal=True, gap="small"):
        for card in shown:
            with st.container(width=TILE, gap=None, key=f"{key}.{card.product_id}"):
                words = caption(card) if caption else ""
                st.html(
                    f"<div class='card'>{viewmodels.photo(card.thumbnail)}</div><div class='tile'>"
                    f"<b>{viewmodels.escaped(card.label)}</b>{words}"
                    f"<div class='clip'>{viewmodels.escaped(card.title or card.sku)}</div></div>"
                )
                product_link(card.product_id, link)


def product_link(product_id: int, link: tuple[str, str, str]) -> None:
    """Draw a link to a product on another page, `SIMILAR` or `REVIEW`."""
    page, label, icon = link
    st.page_link(page, label=label, icon=icon, query_params={"item": str(product_id)})


def pager(pages: int, *, key: str, **options: Any) -> int:
    """Draw the numbers of the pages where there are several, and return the chosen one.

    Beside others in a row it would take less room than its numbers need, and hide some of them: of
    two pages it would show one. These are the pixels from which it shows them all.
    """
    if pages < 2:
        return 1
    width = 200 if pages == 2 else 280
    return st.pagination(pages, key=key, max_visible_pages=_NUMBERS, width=width, **options)


def undo_button(catalogue: Catalogue) -> None:
    """Offer to take back what was done last, where there is anything."""
    if state.done() is not None:
        st.button(
            "Undo",
            icon=":material/undo:",
            shortcut="Z",
            key="review.undo.last",
            type="tertiary",
            on_click=state.undo_last,
            args=(catalogue,),
        )
