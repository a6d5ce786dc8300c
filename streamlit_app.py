"""Today: what last night's run brought, and where to click next."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import briefing, runs
from catalog_ai.services import catalogue as catalogues
from catalog_ai.services.review import QUEUES
from pages._ui import cache, frame, parts, viewmodels

TOPICS = ("products", "labels", "scores", "models", "runs", "projections")
REVIEW = "pages/1_Review_labels.py"
OTHERS = ("unlabelled", "odd", "twins", "disputed")  # queues that are named where they hold any


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Today")
    reader, now = parts.reader_zone(), parts.now()
    try:
        parts.empty(cache.cached(catalogue, TOPICS, catalogues.status))
        since = viewmodels.midnight(now, reader)
        today = cache.cached(catalogue, TOPICS, briefing.today, since=since)
    except CatalogError as error:
        frame.stop(error)
    show_run(today, reader, now)
    show_work(today)
    left, right = st.columns((5, 3), gap="large")
    with left:
        show_newest(today)
    with right:
        show_model(today, reader)
        show_categories(today)


def show_run(today: briefing.Briefing, reader: viewmodels.tzinfo, now: viewmodels.datetime) -> None:
    """Say what the last run brought, and how long ago that was."""
    run = today.last_run
    if run is None:
        return
    when = run.finished_at or run.started_at
    st.markdown(
        f"**Last run {viewmodels.ago(when, now)}** ({viewmodels.local(when, reader)}): "
        f"{viewmodels.run_line(run)}"
    )
    if run.state in {"stopped", "failed"}:
        st.warning(
            f"That run {run.state}: {viewmodels.plain(run.message)}", icon=":material/warning:"
        )
    odd = runs.attention(run)
    if odd:
        st.page_link(
            "pages/5_Nightly_runs.py",
            label=f"{viewmodels.count(odd, 'photo or row', 'photos or rows')} to look into",
            icon=":material/report:",
            query_params={"run": str(run.id)},
        )


def show_work(today: briefing.Briefing) -> None:
    """Show what waits, each number above the way to it."""
    waiting = (
        ("Looks wrong", today.looks_wrong),
        ("Second look", today.second_look),
        ("Not a known category", today.unknown),
    )
    columns = st.columns(4, border=True)
    for column, (queue, count) in zip(columns, waiting, strict=False):
        with column:
            st.metric(queue, f"{count:,}")
            st.page_link(
                REVIEW,
                label="Review",
                icon=":material/arrow_forward:",
                disabled=not count,
                query_params={"review.queue": queue},
            )
    progress = today.progress
    with columns[3]:
        st.metric("Reviewed today", f"{progress.today:,}")
        st.caption(viewmodels.progress_line(progress))
    others = [(name, progress.by_queue[name]) for name in OTHERS if progress.by_queue[name]]
    with st.container(horizontal=True, gap="medium"):
        for name, count in others:
            st.page_link(
                REVIEW,
                label=f"{QUEUES[name]} {count:,}",
                icon=":material/arrow_forward:",
                query_params={"review.queue": QUEUES[name]},
                width="content",
            )


def show_newest(today: briefing.Briefing) -> None:
    """Show the last arrivals."""
    st.subheader("Newest products")
    if today.newest:
        parts.cards(today.newest, key="today.newest")
    else:
        st.caption("No run has added a product yet.")


def show_model(today: briefing.Briefing, reader: viewmodels.tzinfo) -> None:
    """Show the active model and its figures."""
    st.subheader("Active model")
    model = today.model
    if model is None:
        st.caption("There is none: run `python -m catalog_ai.train --data FOLDER`.")
        return
    st.markdown(f"{viewmodels.plain(model.version)}, {viewmodels.local(model.created_at, reader)}")
    figures = st.columns(3)
    figures[0].metric("Right category", viewmodels.share(model.metrics.get("accuracy")))
    figures[1].metric("Similar first", viewmodels.share(model.metrics.get("top1")))
    figures[2].metric("Garment again", viewmodels.share(model.metrics.get("reshot_recall_at_1")))
    st.page_link("pages/4_Models.py", label="All models", icon=":material/model_training:")


def show_categories(today: briefing.Briefing) -> None:
    """Show how many products each label has, the largest first."""
    st.subheader(f"{today.products:,} products")
    shown = list(today.by_category.items())[:12]
    most = max((count for _, count in shown), default=1)
    rows = "".join(
        f"<div class='bar'><span>{viewmodels.escaped(label)}</span>"
        f"<i style='width:{100 * count / most:.1f}%'></i><b>{count:,}</b></div>"
        for label, count in shown
    )
    rest = len(today.by_category) - len(shown)
    st.html(rows + (f"<div class='muted'>and {rest} more labels</div>" if rest > 0 else ""))


show()
