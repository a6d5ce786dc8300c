"""How reviewing goes: what is done and left, when to stop, and how consistent people are."""

import streamlit as st

from catalog_ai.services import progressing, rechecking, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.progressing import Progress
from catalog_ai.services.rechecking import Agreement
from pages._ui import cache, charts, parts, progress_views, viewmodels
from pages._ui.desk.filters import TOPICS

_TILE = 190  # pixels; a note of two sentences has room
_STILL = {"displayModeBar": False}


def show(catalogue: Catalogue) -> None:
    """Show how reviewing goes."""
    midnights = progress_views.midnights(parts.now(), parts.reader_zone())
    counts = cache.cached(catalogue, TOPICS, review.progress, since=midnights[-1])
    progress = cache.cached(catalogue, TOPICS, progressing.progress, midnights=midnights)
    agreement = cache.cached(catalogue, TOPICS, rechecking.agreement)
    show_counts(counts, progress)
    show_charts(progress)
    left, ours = st.columns(2, gap="large")
    with left:
        show_left(progress)
    with ours:
        show_agreement(agreement)


def show_counts(counts: review.ReviewProgress, progress: Progress) -> None:
    """Show what is done, and what decides when to stop."""
    for column, (words, number) in zip(
        st.columns(4),
        (
            ("Decided", f"{counts.decided:,}"),
            ("Decided today", f"{counts.today:,}"),
            ("Left to look at", f"{counts.left:,}"),
            ("Wrong labels among them, about", f"{progress.wrong:,.0f}"),
        ),
        strict=True,
    ):
        column.metric(words, number)
    found = progress_views.found_line(progress)
    st.markdown(viewmodels.plain(f"{found} {progress_views.left_line(progress)}".strip()))


def show_charts(progress: Progress) -> None:
    """Show the decisions of each day, and how often the scores were right."""
    daily, promised = st.columns(2, gap="large")
    with daily:
        lines = progress_views.day_lines(progress.days)
        if lines:
            names = progress_views.day_names(progress.days)
            drawn = charts.by_day("Decisions a day", names, lines)
            st.plotly_chart(drawn, config=_STILL, key="review.progress.days")
        else:
            st.caption(f"Nothing was decided in the last {progress_views.DAYS} days.")
    with promised:
        points = progress.promises
        if points:
            drawn = charts.promises(
                "How often the score was right",
                [(one.low + one.high) / 2 for one in points],
                [one.wrong / one.decided for one in points],
                [(one.least, one.most) for one in points],
                [progress_views.promise_words(one) for one in points],
            )
            st.plotly_chart(drawn, config=_STILL, key="review.progress.promises")
        else:
            st.caption("How often the scores are right shows once labels with a score are decided.")


def show_left(progress: Progress) -> None:
    """Show what is left by category; a name leads to its queue."""
    st.subheader("What looks wrong, by category")
    if progress.categories:
        st.html(progress_views.left_bars(progress))
    else:
        st.caption("Nothing is left.")


def show_agreement(agreement: Agreement) -> None:
    """Show how consistent the reviews are, and where they were not."""
    st.subheader("A check on ourselves")
    st.markdown(viewmodels.plain(progress_views.agreement_line(agreement)))
    st.caption(
        viewmodels.plain(progress_views.agreement_parts(agreement))
        or "One decision in fifty is shown again later, to the same person or to another."
    )
    with st.container(horizontal=True, gap="small"):
        for one in agreement.disagreements:
            with st.container(width=_TILE):
                st.html(progress_views.disagreement(one, parts.now()))
