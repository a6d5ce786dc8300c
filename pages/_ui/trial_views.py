"""A model on trial in words: figures beside each other, and which products would change."""

from collections.abc import Sequence
from datetime import datetime

from catalog_ai.services.comparing import (
    Change,
    Figures,
    Judged,
    Tally,
    Trial,
    TrialPair,
    interval,
)
from catalog_ai.services.models import Activation
from catalog_ai.services.retraining import Readiness
from pages._ui import viewmodels
from pages._ui.viewmodels import count, escaped

ALL_CHANGES = "All changes"
_SURE = 0.05  # of being chance
VERDICTS = {"new": "the new one is right", "old": "the present one is right", "neither": "neither"}


def retrain_button(ready: Readiness) -> str:
    """Return the words on the button."""
    if not ready.corrections:
        return "Retrain on the corrections"
    return f"Retrain on the corrections ({ready.corrections:,} since the active model was trained)"


def learnt_line(trial: Trial, now: datetime) -> str:
    """Return what the model on trial is, in a line."""
    learnt = ""
    if trial.corrections:
        learnt = f" has learnt from {count(trial.corrections, 'more correction')} and"
    return (
        f"{trial.version}{learnt} was compared with {trial.base}, the model in use, on "
        f"{count(trial.products, 'product')}, {viewmodels.ago(trial.compared_at, now)}."
    )


def right(rights: int, photos: int) -> str:
    """Return the share that is right, a dash without photos."""
    return viewmodels.share(rights / photos if photos else None)


def bounds(rights: int, photos: int) -> str:
    """Return between which shares the true one probably lies."""
    low, high = interval(rights, photos)
    return f"{rights:,} of {photos:,}; probably between {low:.0%} and {high:.0%}"


def changed_line(trial: Trial) -> str:
    """Return which share of the products would change category."""
    if not trial.products:
        return "no product was compared"
    return f"{trial.changed / trial.products:.1%} of {count(trial.products, 'product')}"


def verdict_sentence(tally: Tally) -> str:
    """Return who is right more often, and whether that says anything."""
    if not tally.photos:
        return "No photo is kept for measuring yet, so judge a sample below."
    photos = count(tally.photos, "photo")
    if not tally.better and not tally.worse:
        return f"On the {photos} kept for measuring, both are right on the same ones."
    said = (
        f"On the {photos} kept for measuring, the new model is right on {tally.better:,} that the "
        f"present one has wrong, and wrong on {tally.worse:,} that the present one has right"
    )
    if tally.chance > _SURE:
        return f"{said}: so small a difference may be chance."
    better = "better" if tally.better > tally.worse else "worse"
    return f"{said}: it is {better}, and that is hardly chance."


def seen_note(figures: Figures) -> str:
    """Return why a figure may be too good, "" where none is."""
    if not figures.seen:
        return ""
    photos = figures.everything.photos
    if not figures.unseen.photos:
        return (
            f"The model in use, or one that it comes from, has learnt from all {photos:,} photos "
            "kept for measuring, so these figures are too good: trust your own sample more."
        )
    return (
        f"Left out: {count(figures.seen, 'photo')} of {photos:,} that the model in use, or one "
        "that it comes from, has learnt from; there its figure would be too good."
    )


def groups_table(figures: Figures) -> list[dict[str, str]]:
    """Return a row of words for each set of photos, those without any left out."""
    groups = (
        ("Kept for measuring, all", figures.everything),
        ("Of these, never learnt from", figures.unseen),
        ("Without labels that look wrong", figures.undoubted),
        ("Confirmed by people", figures.confirmed),
        ("Confirmed, never learnt from", figures.confirmed_unseen),
    )
    return [_row("Photos", name, tally) for name, tally in groups if tally.photos]


def category_table(figures: Figures) -> list[dict[str, str]]:
    """Return a row of words for each category."""
    return [_row("Category", one.category, one.tally) for one in figures.by_category]


def pair_name(pair: TrialPair) -> str:
    """Return one way in which products would change, and how many."""
    return f"{pair.old} → {pair.new}: {pair.products:,}"


def judged_line(judged: Judged, sample: int) -> str:
    """Return what people said so far: "of 20 judged, the new one is right in 15"."""
    if not judged.total:
        return f"{count(sample, 'product')} by chance: who is right about each?"
    said = [f"Of {judged.total:,} judged, the new model is right in {judged.new:,}"]
    said.append(f"the present one in {judged.old:,}")
    if judged.neither:
        said.append(f"neither in {judged.neither:,}")
    return ", ".join(said) + "."


def change_facts(change: Change) -> str:
    """Return what both models say of a product, as HTML."""
    known = " · ".join(part for part in (change.sku, change.title) if part)
    return (
        f"<div class='verdict'><span class='was'>{escaped(change.old_label)}</span>"
        f"<span class='arrow'>→</span>{escaped(change.new_label)}</div>"
        f"<div>The present model says {escaped(change.old_label)}, "
        f"{change.old_confidence:.0%} sure; the new one says {escaped(change.new_label)}, "
        f"{change.new_confidence:.0%} sure.</div>"
        f"<div>The catalogue's label is <b>{escaped(change.label)}</b>.</div>"
        f"<div class='muted'>{escaped(known)}</div>"
    )


def change_tile(change: Change) -> str:
    """Return a product that would change category, as HTML: the photo, both answers, the label."""
    judged = ""
    if change.verdict:
        css = {"new": "agree", "old": "disagree"}.get(change.verdict, "muted")
        sign = {"new": "✓", "old": "✗"}.get(change.verdict, "–")
        judged = f"<div class='{css}'>{sign} {VERDICTS[change.verdict]}</div>"
    return (
        f"<div class='card'>{viewmodels.photo(change.thumbnail)}</div><div class='tile'>"
        f"<div class='clip'>{escaped(change.old_label)} {change.old_confidence:.0%} → "
        f"<b>{escaped(change.new_label)}</b> {change.new_confidence:.0%}</div>"
        f"<div class='clip'>label: {escaped(change.label)}</div>{judged}"
        f"<div class='clip'>{escaped(change.sku)}</div></div>"
    )


def next_to_judge(sample: Sequence[Change]) -> Change | None:
    """Return the first product of the sample that nobody judged yet."""
    return next((change for change in sample if not change.verdict), None)


def activation_line(activation: Activation, now: datetime) -> str:
    """Return who chose which version, and when."""
    by = f" by {activation.by}" if activation.by else ""
    return f"{activation.version}, chosen{by} {viewmodels.ago(activation.at, now)}"


def _row(head: str, name: str, tally: Tally) -> dict[str, str]:
    return {
        head: viewmodels.plain(name),
        "Count": f"{tally.photos:,}",
        "In use": right(tally.old_right, tally.photos),
        "New": right(tally.new_right, tally.photos),
        "Better": f"{tally.better:,}",
        "Worse": f"{tally.worse:,}",
    }
