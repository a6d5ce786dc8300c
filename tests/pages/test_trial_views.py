"""What pages say of a model on trial, without a browser."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog_ai.services.comparing import Change, Figures, Judged, Tally, Trial, TrialPair
from catalog_ai.services.models import Activation
from catalog_ai.services.retraining import Readiness
from pages._ui import trial_views

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
HOSTILE = "<b>x</b>"
SOME = Tally(photos=65, old_right=60, new_right=62, better=3, worse=1)


def figures(everything: Tally = SOME, unseen: Tally = SOME) -> Figures:
    return Figures(everything, unseen, everything, Tally(), Tally(), ())


def change(**values: object) -> Change:
    known: dict[str, object] = {
        "product_id": 1,
        "sku": "AB-1",
        "title": "Linen hat",
        "label": "hat",
        "thumbnail": Path("nowhere.jpg"),
        "image": Path("nowhere.jpg"),
        "old_label": "dress",
        "new_label": "hat",
        "old_confidence": 0.61,
        "new_confidence": 0.88,
        "verdict": "",
        "reviewer": "",
    }
    return Change(**(known | values))  # type: ignore[arg-type]


def test_the_button_says_how_much_there_is_to_learn() -> None:
    words = trial_views.retrain_button(Readiness("small", 38, ""))
    assert words == "Retrain on the corrections (38 since the active model was trained)"
    assert trial_views.retrain_button(Readiness("small", 0, "")) == "Retrain on the corrections"


def test_a_trial_says_what_it_is() -> None:
    trial = Trial(
        *("small-2", "small-1", NOW - timedelta(minutes=5), 28),
        *(341, 42, (TrialPair("dress", "hat", 1200),), figures(), Judged(0, 0, 0)),
    )
    assert trial_views.learnt_line(trial, NOW) == (
        "small-2 has learnt from 28 more corrections and was compared with small-1, the model in "
        "use, on 341 products, 5 minutes ago."
    )
    assert trial_views.changed_line(trial) == "12.3% of 341 products"
    assert trial_views.pair_name(trial.pairs[0]) == "dress → hat: 1,200"


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(), "No photo is kept for measuring yet, so judge a sample below."),
        (Tally(9, 8, 8, 0, 0), "both are right on the same ones."),
        (SOME, "right on 3 that the present one has wrong, and wrong on 1 that the present one"),
        (SOME, "so small a difference may be chance."),
        (Tally(400, 300, 330, 40, 10), "it is better, and that is hardly chance."),
        (Tally(400, 330, 300, 10, 40), "it is worse, and that is hardly chance."),
    ],
)
def test_the_figures_are_said_in_a_sentence(tally: Tally, words: str) -> None:
    assert words in trial_views.verdict_sentence(tally)


def test_shares_come_with_their_bounds() -> None:
    assert trial_views.right(63, 65) == "96.9%"
    assert trial_views.right(0, 0) == "–"
    assert trial_views.bounds(63, 65) == "63 of 65; probably between 89% and 99%"


def test_a_figure_that_is_too_good_says_so() -> None:
    assert trial_views.seen_note(figures()) == ""
    part = trial_views.seen_note(figures(Tally(photos=100), SOME))
    assert part.startswith("Left out: 35 photos of 100 that the model in use")
    none = trial_views.seen_note(figures(SOME, Tally()))
    assert "all 65 photos" in none
    assert "too good" in none


def test_sets_of_photos_without_any_are_left_out_of_the_table() -> None:
    rows = trial_views.groups_table(figures())
    assert [row["Photos"] for row in rows] == [
        *(r"Kept for measuring, all", "Of these, never learnt from"),
        "Without labels that look wrong",
    ]
    assert rows[0] == {
        **{"Photos": "Kept for measuring, all", "Count": "65", "In use": "92.3%", "New": "95.4%"},
        **{"Better": "3", "Worse": "1"},
    }


def test_what_people_said_is_counted() -> None:
    assert trial_views.judged_line(Judged(0, 0, 0), 40) == (
        "40 products by chance: who is right about each?"
    )
    assert trial_views.judged_line(Judged(15, 4, 1), 40) == (
        "Of 20 judged, the new model is right in 15, the present one in 4, neither in 1."
    )
    first, second = change(verdict="new"), change(product_id=2)
    assert trial_views.next_to_judge((first, second)) == second
    assert trial_views.next_to_judge((first,)) is None


def test_a_change_shows_both_answers_and_the_label() -> None:
    facts = trial_views.change_facts(change())
    assert "The present model says dress, 61% sure; the new one says hat, 88% sure." in facts
    assert "<b>hat</b>" in facts
    tile = trial_views.change_tile(change(verdict="old"))
    assert "dress 61% → <b>hat</b> 88%" in tile
    assert "✗ the present one is right" in tile


def test_names_are_never_markup() -> None:
    names = dict.fromkeys(("sku", "title", "label", "old_label", "new_label"), HOSTILE)
    hostile = change(**names)
    for words in (trial_views.change_facts(hostile), trial_views.change_tile(hostile)):
        assert HOSTILE not in words
        assert "&lt;b&gt;x&lt;/b&gt;" in words


def test_who_chose_a_version() -> None:
    when = NOW - timedelta(hours=3)
    assert trial_views.activation_line(Activation("small-2", "Ana", when), NOW) == (
        "small-2, chosen by Ana 3 hours ago"
    )
    assert trial_views.activation_line(Activation("small-2", "", when), NOW) == (
        "small-2, chosen 3 hours ago"
    )
