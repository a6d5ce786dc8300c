"""Models: the versions, which is active, a new one on trial, and training another."""

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import comparing, jobs, models
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.models import ModelView
from pages._ui import cache, charts, frame, parts, trial, viewmodels

TOPICS = ("models", "embeddings")
GREEN, GREY = "#2f6f62", "#b08d57"
_STILL = {"displayModeBar": False}  # its tools would lie over the titles


def show() -> None:
    """Draw the page."""
    catalogue = frame.begin("Models")
    try:
        versions = cache.cached(catalogue, TOPICS, models.list_models)
        on_trial = cache.cached(catalogue, trial.TOPICS, comparing.open_trial)
        trial.show_said(catalogue)
        model = show_versions(catalogue, versions)
        trial.show(catalogue, on_trial)
        if model is not None:
            with st.expander("How it was trained", expanded=on_trial is None):
                show_charts(model)
        trial.show_put_away(catalogue)
        show_training(catalogue, bool(versions))
        show_jobs(catalogue)
    except CatalogError as error:
        frame.stop(error)


def show_versions(catalogue: Catalogue, versions: tuple[ModelView, ...]) -> ModelView | None:
    """Let one version be chosen, show what it is worth, and return it."""
    if not versions:
        st.info("There is no model yet. Train one on labelled photos:", icon=":material/school:")
        st.code("python -m catalog_ai.train --data FOLDER")
        return None
    names = [model.version for model in versions]
    active = next((place for place, model in enumerate(versions) if model.is_active), 0)
    words = {model.version: version_words(model) for model in versions}
    # Once another is in use the page is about that one, and the list says so of it.
    key = f"models.version.{names[active]}"
    chosen = st.selectbox(*("Version", names), index=active, format_func=words.__getitem__, key=key)
    model = versions[names.index(chosen)]
    show_figures(model)
    if not model.is_active:
        show_uses(catalogue, model)
    return model


def show_uses(catalogue: Catalogue, model: ModelView) -> None:
    """Offer to use a version that is not in use, or to compare it first."""
    by = {"requested_by": frame.reviewer()}
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Use this model from now on",
            on_click=trial.use,
            args=(catalogue, model.version),
            help="The worker then looks at all photos again; the present model stays available.",
        )
        st.button(
            "Try it first",
            on_click=trial.asked,
            args=(jobs.enqueue, catalogue, "compare", {"version": model.version}),
            kwargs=by,
            help="The worker looks at all photos with it and says which would change category.",
        )


def version_words(model: ModelView) -> str:
    """Return a version in a line."""
    active = " · active" if model.is_active else ""
    return f"{model.version} · {viewmodels.share(model.metrics.get('accuracy'))} right{active}"


def show_figures(model: ModelView) -> None:
    """Show what was measured on the validation photos."""
    metrics, data = model.metrics, model.meta.get("data", {})
    columns = st.columns(5, border=True)
    columns[0].metric("Right category", viewmodels.share(metrics.get("accuracy")))
    columns[1].metric("Same category first", viewmodels.share(metrics.get("top1")))
    columns[2].metric("Among the first five", viewmodels.share(metrics.get("top5")))
    columns[3].metric(
        "Same garment again",
        viewmodels.share(metrics.get("reshot_recall_at_1")),
        help="Each photo is shot again: at an angle, cropped, in another light. How often is its "
        "original the first that is found?",
    )
    columns[4].metric(
        "mAP@R",
        viewmodels.number(metrics.get("map_at_r"), 3),
        help="How many of the closest products are of the same category, counting near ones more.",
    )
    reader = parts.reader_zone()
    st.caption(
        f"Recipe {viewmodels.plain(model.recipe)}, trained "
        f"{viewmodels.local(model.created_at, reader)} on {data.get('train', 0):,} photos, "
        f"measured on {data.get('validation', 0):,} others; "
        f"{viewmodels.number(metrics.get('parameters'), 0)} parameters; how sure it is differs "
        f"from how often it is right by {viewmodels.share(metrics.get('calibration_error'))}; "
        f"mean distance within a category "
        f"{viewmodels.number(metrics.get('same_class_distance'))}, between categories "
        f"{viewmodels.number(metrics.get('different_class_distance'))}; "
        f"{model.predictions:,} products classified."
    )


def show_charts(model: ModelView) -> None:
    """Show the curves per epoch and the confusion matrix."""
    classifier = model.history.get("classifier", [])
    siamese = model.history.get("siamese", [])
    left, right = st.columns(2, gap="large")
    with left:
        if classifier:
            lines = {"train_accuracy": ("training", GREY), "val_accuracy": ("validation", GREEN)}
            drawn = charts.curves("Share right", classifier, lines)
            st.plotly_chart(drawn, config=_STILL, key="models.accuracy")
            lines = {"train_loss": ("training", GREY), "val_loss": ("validation", GREEN)}
            drawn = charts.curves("Loss", classifier, lines)
            st.plotly_chart(drawn, config=_STILL, key="models.loss")
    with right:
        if model.confusion:
            chart = charts.confusion(model.classes, model.confusion)
            st.plotly_chart(chart, config=_STILL, key="models.confusion")
        if siamese:
            chart = charts.curves("Visual search, loss", siamese, {"loss": ("training", GREY)})
            st.plotly_chart(chart, config=_STILL, key="models.siamese")


def show_training(catalogue: Catalogue, may_activate: bool) -> None:
    """Offer to train on the catalogue's own photos and labels."""
    st.subheader("Train another")
    with st.form("models.train"):
        st.caption("On the photos and labels that the catalogue holds now.")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            recipe = st.selectbox(
                *("Recipe", list(models.RECIPES)),
                format_func=lambda name: f"{name}: {models.RECIPES[name]}",
                width=340,
            )
            epochs = st.number_input("Epochs (0: the recipe's own)", 0, 500, 0, width=220)
            activate = st.checkbox("Use it when it is done", disabled=not may_activate)
            asked = st.form_submit_button("Start", type="primary")
    if asked:
        models.start_training(
            catalogue,
            recipe=recipe,
            epochs=int(epochs) or None,
            activate=activate,
            requested_by=frame.reviewer(),
        )


def show_jobs(catalogue: Catalogue) -> None:
    """Show what the worker does and has done."""
    found = jobs.list_jobs(catalogue, limit=12)
    if not found:
        return
    st.subheader("Jobs")
    going = [job for job in found if job.state in {"queued", "running"}]
    if going and not jobs.worker_status(catalogue).running:
        st.warning(
            "No worker is running, so these wait. Start one: `python -m catalog_ai.worker`",
            icon=":material/pause_circle:",
        )
    others = tuple(kind for kind in jobs.TITLES if kind not in trial.KINDS)
    if any(job.kind in others for job in going):
        parts.watch_jobs(catalogue, kinds=others)
    for job in going:
        st.button(
            viewmodels.plain(f"Cancel “{job.title}”"),
            key=f"models.cancel.{job.id}",
            type="tertiary",
            on_click=jobs.cancel,
            args=(catalogue, job.id),
        )
    now = parts.now()
    rows = [
        {
            "Job": job.title,
            "State": job.state,
            "Asked for": viewmodels.ago(job.created_at, now),
            "By": viewmodels.plain(job.requested_by),
            "Took": viewmodels.took(job.started_at, job.finished_at),
            "Note": viewmodels.plain(job.message),
        }
        for job in found
        if job.state not in {"queued", "running"}
    ]
    if rows:
        st.table(rows, border="horizontal")


show()
