"""Try a new model first: what would change, a sample to judge, then use it or put it away."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from catalog_ai.errors import CatalogError
from catalog_ai.services import comparing, discarding, jobs, models, retraining
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.comparing import Change, Trial
from pages._ui import cache, frame, parts, trial_views, viewmodels

TOPICS = ("models", "trials")
KINDS = ("retrain", "compare")  # of jobs that are shown here while they wait or run
_GOING = ("queued", "running")
_READY = (*TOPICS, "labels", "products")
_PAIR = "models.pair"
_PAGE = "models.page"
_LAST = "models.judged"
_ERROR = "models.error"
_SAID = "models.said"
_TILE = 176  # pixels; five a row at 1280


@dataclass(frozen=True)
class _Said:
    """What the last click did, and how it is taken back; `words` are on the button."""

    sentence: str
    words: str = ""
    undo: Callable[[Catalogue], None] | None = None


def show(catalogue: Catalogue, trial: Trial | None) -> None:
    """Offer to retrain, and show what came of it."""
    _show_retraining(catalogue)
    if trial is None:
        return
    st.subheader("Try the new model first")
    st.caption(viewmodels.plain(trial_views.learnt_line(trial, parts.now())))
    _show_figures(trial)
    if trial.changed:
        _show_sample(catalogue, trial)
    _show_ends(catalogue, trial)
    if trial.changed:
        _show_changes(catalogue, trial)


def show_said(catalogue: Catalogue) -> None:
    """Say what the last click did, with its undo, or why it did nothing."""
    error, said = st.session_state.pop(_ERROR, ""), st.session_state.get(_SAID)
    if error:
        st.warning(viewmodels.plain(error), icon=":material/front_hand:")
    elif said is not None:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f":material/check: {viewmodels.plain(said.sentence)}", width="content")
            if said.undo is not None:
                st.button(
                    viewmodels.plain(said.words),
                    key="models.said.undo",
                    type="tertiary",
                    icon=":material/undo:",
                    on_click=said.undo,
                    args=(catalogue,),
                )


def use(catalogue: Catalogue, version: str) -> None:
    """Use a version from now on, and offer to go back to the one before."""
    before = models.active_model(catalogue)
    if not asked(comparing.promote, catalogue, version, reviewer=frame.reviewer()):
        return
    sentence = f"{version} is in use now. The worker looks at all photos with it."
    if before is None or before.version == version:
        st.session_state[_SAID] = _Said(sentence)
        return
    previous = before.version

    def go_back(catalogue: Catalogue) -> None:
        use(catalogue, previous)

    st.session_state[_SAID] = _Said(sentence, f"Use {previous} again", go_back)


def _discard(catalogue: Catalogue, version: str) -> None:
    by = {"requested_by": frame.reviewer()}

    def bring_back(catalogue: Catalogue) -> None:
        if asked(discarding.bring_back, catalogue, version, **by):
            st.session_state[_SAID] = _Said(f"{version} is back; the worker compares it again.")

    if asked(discarding.discard, catalogue, version, **by):
        st.session_state[_SAID] = _Said(f"{version} is discarded.", "Undo", bring_back)


def show_put_away(catalogue: Catalogue) -> None:
    """Show which version was chosen when, and what was discarded."""
    chosen = cache.cached(catalogue, TOPICS, models.activations)
    away = cache.cached(catalogue, TOPICS, models.list_models, discarded=True)
    if chosen:
        with st.expander("Which model was in use when"):
            for activation in chosen:
                line = trial_views.activation_line(activation, parts.now())
                st.markdown(viewmodels.plain(line))
            st.caption("To go back, choose an earlier version above and use it from now on.")
    if away:
        with st.expander(f"Discarded ({len(away)})"):
            for model in away:
                st.button(
                    viewmodels.plain(f"Bring back {model.version}"),
                    key=f"models.back.{model.version}",
                    type="tertiary",
                    on_click=asked,
                    args=(discarding.bring_back, catalogue, model.version),
                    kwargs={"requested_by": frame.reviewer()},
                )


def _show_retraining(catalogue: Catalogue) -> None:
    ready = cache.cached(catalogue, _READY, retraining.readiness)
    if ready is None:
        return
    st.button(
        trial_views.retrain_button(ready),
        icon=":material/school:",
        on_click=asked,
        args=(retraining.ask, catalogue),
        kwargs={"requested_by": frame.reviewer()},
        disabled=bool(ready.why_not),
        help="The worker trains the active model further on the labels as they are now, as a "
        "version of its own. Nothing changes until you have compared both and choose to use it.",
    )
    if any(job.kind in KINDS and job.state in _GOING for job in jobs.list_jobs(catalogue)):
        parts.watch_jobs(catalogue, kinds=KINDS)
    if ready.why_not:
        st.caption(viewmodels.plain(ready.why_not[:1].upper() + ready.why_not[1:] + "."))


def _show_figures(trial: Trial) -> None:
    figures, fair = trial.figures, trial.figures.fair
    columns = st.columns(3, border=True)
    for column, name, rights in zip(
        columns[:2], ("Right, in use", "Right, new"), (fair.old_right, fair.new_right), strict=True
    ):
        with column:
            st.metric(name, trial_views.right(rights, fair.photos))
            st.caption(trial_views.bounds(rights, fair.photos))
    with columns[2]:
        st.metric("Would change category", f"{trial.changed:,}")
        st.caption(trial_views.changed_line(trial))
    st.markdown(trial_views.verdict_sentence(fair))
    if note := trial_views.seen_note(figures):
        st.caption(note)
    with st.expander("Figures by category, and on what people confirmed"):
        st.table(trial_views.groups_table(figures), border="horizontal")
        st.table(trial_views.category_table(figures), border="horizontal")
        st.caption(
            "Measured on about one photo in five, the same for every model; no model trained here "
            "learns from them. Labels count as they are now, also those that look wrong: deciding "
            "about them first makes the figures better."
        )


def _show_sample(catalogue: Catalogue, trial: Trial) -> None:
    """Show one product after another of a sample by chance, with a key for each answer."""
    sample = cache.cached(catalogue, TOPICS, comparing.to_judge, trial.version)
    change = trial_views.next_to_judge(sample)
    with st.container(border=True):
        left, right = st.columns((2, 3), gap="large")
        with left:
            if change is not None:
                st.html(f"<div class='card large'>{viewmodels.photo(change.image)}</div>")
        with right:
            st.markdown("**Judge a sample**")
            st.caption(trial_views.judged_line(trial.judged, len(sample)))
            if change is None:
                st.success("The whole sample is judged.", icon=":material/done_all:")
            else:
                st.html(trial_views.change_facts(change))
                _show_answers(catalogue, trial, change)
            _show_undo(catalogue, trial)


def _show_answers(catalogue: Catalogue, trial: Trial, change: Change) -> None:
    nameless = not frame.reviewer()
    if nameless:
        st.info("Type your name in the sidebar: what you say is stored with it.")
    answers = (
        (f"{change.new_label} is right", "new", "A"),
        (f"{change.old_label} is right", "old", "S"),
        ("Neither", "neither", "D"),
    )
    with st.container(horizontal=True, gap="small"):
        for words, verdict, key in answers:
            st.button(
                viewmodels.plain(words),
                key=f"models.judge.{verdict}.{change.product_id}",  # of this one, not of the next
                shortcut=key,
                disabled=nameless,
                on_click=_judge,
                args=(catalogue, trial.version, change.product_id, verdict),
            )


def _show_undo(catalogue: Catalogue, trial: Trial) -> None:
    version, product_id = st.session_state.get(_LAST, ("", 0))
    if version == trial.version:
        st.button(
            "Undo",
            key="models.undo",
            shortcut="Z",
            type="tertiary",
            icon=":material/undo:",
            on_click=_take_back,
            args=(catalogue, version, product_id),
        )


def _show_ends(catalogue: Catalogue, trial: Trial) -> None:
    which = (catalogue, trial.version)
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Use the new model from now on",
            key="models.promote",
            type="primary",
            on_click=use,
            args=which,
            help="At once, for everybody. The present model stays: you can go back to it.",
        )
        st.button(
            "Discard it",
            key="models.discard",
            on_click=_discard,
            args=which,
            help="It is hidden, and what it said is forgotten. It can be brought back.",
        )


def _show_changes(catalogue: Catalogue, trial: Trial) -> None:
    """Show every product that would change category, a page at a time."""
    st.markdown(f"**Every product that would change category** ({trial.changed:,})")
    pairs = {trial_views.pair_name(pair): (pair.old, pair.new) for pair in trial.pairs}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Which way",
            [trial_views.ALL_CHANGES, *pairs],
            key=_PAIR,
            on_change=_first_page,
            width=340,
            label_visibility="collapsed",
        )
        shown = cache.cached(
            *(catalogue, TOPICS, comparing.changes, trial.version),
            pair=pairs.get(chosen),
            page=st.session_state.get(_PAGE) or 1,
        )
        parts.pager(shown.pages, key=_PAGE)
    with st.container(horizontal=True, gap="small"):
        for change in shown.items:
            with st.container(width=_TILE, key=f"models.change.{change.product_id}"):
                st.html(trial_views.change_tile(change))


def _first_page() -> None:
    st.session_state[_PAGE] = 1


def _judge(catalogue: Catalogue, version: str, product_id: int, verdict: str) -> None:
    reviewer = {"reviewer": frame.reviewer()}
    if asked(comparing.judge, catalogue, version, product_id, verdict, **reviewer):
        st.session_state[_LAST] = (version, product_id)


def _take_back(catalogue: Catalogue, version: str, product_id: int) -> None:
    st.session_state.pop(_LAST, None)
    asked(comparing.take_back, catalogue, version, product_id)


def asked(service: Callable[..., Any], *args: Any, **options: Any) -> bool:
    """Call a service from a click; what went wrong is said on the next draw."""
    try:
        service(*args, **options)
    except CatalogError as error:
        st.session_state[_ERROR] = str(error)
        return False
    return True
