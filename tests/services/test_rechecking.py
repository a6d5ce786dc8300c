from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select, text, update

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import deciding, rechecking, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.claiming import claim
from catalog_ai.services.deciding import Decided
from catalog_ai.services.rechecking import Recheck, agreement, answer, due
from db.commands import rechecks
from db.engine import read, write
from db.queries import rechecks as rechecking_queries
from db.queries.second_looks import second_look_asked_by
from db.schema import Batch, Decision, Product
from db.schema import Recheck as Row
from tests.helpers import Seeded

Decide = Callable[..., Decided]


@pytest.fixture
def decide(catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> Decide:
    """Decide about a product as it stands; every decision is chosen to be shown again."""
    monkeypatch.setattr(rechecks, "ONE_IN", 1)
    monkeypatch.setattr(rechecking, "DISTANCE", 2)
    keys = iter(range(1000))

    def decide(product_id: int, action: str, who: str = "Ana", **options: object) -> Decided:
        with read(catalogue.engine) as session:
            seen = session.get_one(Product, product_id)
        return deciding.decide(
            *(catalogue, product_id, action),
            reviewer=who,
            request_key=f"key-{next(keys)}",
            seen_version=seen.version,
            seen_sha256=seen.image_sha256,
            **options,
        )

    return decide


def go_on(decide: Decide, seeded: Seeded, count: int = 2) -> None:
    """Somebody decides about other products; nothing of it is shown again."""
    for product_id in seeded.product_ids[-count:]:
        decide(product_id, "second_look", "Cem")


def decide_as_one(catalogue: Catalogue, kind: str, product_ids: Sequence[int]) -> list[int]:
    """Keep the labels of many products in one batch; return the numbers of the decisions."""
    now = datetime.now(UTC)
    with write(catalogue.engine) as session:
        batch = Batch(
            **{"kind": kind, "words": "", "products": len(product_ids), "reviewer": "Ana"},
            **{"request_key": f"batch {product_ids[0]}", "made_at": now},
        )
        session.add(batch)
        session.flush()
        made = [
            Decision(
                **{"product_id": number, "action": "keep", "state_before": "open"},
                **{"state_after": "kept", "image_sha256": "abc", "reviewer": "Ana"},
                **{"request_key": f"b{number}", "decided_at": now, "batch_id": batch.id},
            )
            for number in product_ids
        ]
        session.add_all(made)
        session.flush()
        return sorted(one.id for one in made)


def say(
    catalogue: Catalogue, shown: Recheck, action: str, who: str = "Ben", **more: object
) -> Decided:
    asked = {
        "reviewer": who,
        "request_key": f"again-{shown.decision_id}",
        "seen_version": shown.item.version,
        "seen_sha256": shown.item.image_sha256,
    } | more
    return answer(catalogue, shown.decision_id, action, **asked)


def shown_to(catalogue: Catalogue, who: str = "Ben", **options: object) -> Recheck:
    found = due(catalogue, reviewer=who, **options)
    assert found is not None
    return found


def state(catalogue: Catalogue, product_id: int) -> tuple[str | None, str]:
    with read(catalogue.engine) as session:
        found = session.get_one(Product, product_id)
        return found.label_current, found.review_state


def chosen(catalogue: Catalogue) -> list[int]:
    with read(catalogue.engine) as session:
        return list(session.scalars(select(Row.decision_id).order_by(Row.decision_id)))


def test_one_in_fifty_is_drawn_the_same_ones_each_time() -> None:
    drawn = [number for number in range(1, 20_001) if rechecks._is_drawn(number)]
    assert 330 < len(drawn) < 470
    gaps = {b - a for a, b in pairwise(drawn)}
    assert len(gaps) > 50, "nobody can count them off"
    assert drawn[:3] == [30, 158, 247]


def test_only_answers_are_chosen(catalogue: Catalogue, seeded: Seeded, decide: Decide) -> None:
    one, two, three, four, five = seeded.wrong_ids[:5]
    made = [
        decide(one, "keep"),
        decide(two, "accept"),
        decide(three, "relabel", label="hat"),
        decide(four, "not_product"),
    ]
    decide(five, "second_look")
    deciding.undo(catalogue, made[0].decision_id, reviewer="Ana", request_key="undo")
    assert chosen(catalogue) == [done.decision_id for done in made]


@pytest.mark.parametrize(("kind", "are_chosen"), [("sheet", True), ("bulk", False)])
def test_of_many_at_once_only_those_that_were_seen_are_chosen(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, kind: str, are_chosen: bool
) -> None:
    ids = decide_as_one(catalogue, kind, seeded.wrong_ids[:2])
    with write(catalogue.engine) as session:
        assert rechecks.pick(session, ids) == (ids if are_chosen else [])
    assert chosen(catalogue) == (ids if are_chosen else [])


def test_it_looks_as_it_did_the_first_time(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    before = review.review_queue(catalogue).items[0]
    decide(before.product_id, "accept", note="I am sure")
    go_on(decide, seeded)
    shown = shown_to(catalogue).item
    differing = {
        name
        for name in vars(before)
        if getattr(before, name) != getattr(shown, name)
        and not (
            name in {"score", "confidence"}
            and getattr(before, name) == pytest.approx(getattr(shown, name))
        )
    }
    assert differing == {"version"}, "nothing betrays that it is a second showing"
    assert before.suggestion, "there was something to see"


def test_it_is_due_when_others_were_made_since(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rechecking, "DISTANCE", 4)
    first = decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded, 3)
    assert due(catalogue, reviewer="Ana") is None
    decide(seeded.wrong_ids[1], "second_look")
    assert shown_to(catalogue, "Ana").decision_id == first.decision_id


@pytest.mark.parametrize("kind", ["sheet", "bulk"])
def test_many_at_once_bring_nothing_nearer(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, kind: str
) -> None:
    """Neither what was decided before, nor what is due after a while in which somebody decides."""
    first = decide(seeded.wrong_ids[0], "keep")
    decide_as_one(catalogue, kind, seeded.wrong_ids[1:5])
    assert due(catalogue, reviewer="Ana") is None
    decide(seeded.product_ids[-1], "second_look")
    decide_as_one(catalogue, kind, seeded.product_ids[8:12])
    assert due(catalogue, reviewer="Ana") is None
    decide(seeded.product_ids[-2], "second_look")
    assert shown_to(catalogue, "Ana").decision_id == first.decision_id


def test_the_distance_is_read_from_an_index(catalogue: Catalogue) -> None:
    """However many rows of batches lie between: no scan, and nothing is sorted."""
    if catalogue.engine.dialect.name != "sqlite":
        pytest.skip("a server has statistics: it chooses by what is in the table")
    with read(catalogue.engine) as session:
        query = rechecking_queries._before(20).compile(
            catalogue.engine, compile_kwargs={"literal_binds": True}
        )
        (step,) = session.execute(text(f"EXPLAIN QUERY PLAN {query}"))
    assert "SEARCH decisions USING COVERING INDEX ix_decisions_batch_id" in step.detail


def test_the_oldest_comes_first_and_no_two_in_a_row(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    first, second = decide(seeded.wrong_ids[0], "keep"), decide(seeded.wrong_ids[1], "keep")
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    assert shown.decision_id == first.decision_id
    aside = shown_to(catalogue, skipped=(shown.item.product_id,))
    assert aside.decision_id == second.decision_id
    say(catalogue, shown, "keep")
    assert due(catalogue, reviewer="Ben") is None, "Ben has just been shown one"
    assert shown_to(catalogue, "Ana").decision_id == second.decision_id
    go_on(decide, seeded)
    assert shown_to(catalogue, "Ben").decision_id == second.decision_id


@pytest.mark.parametrize(
    "columns",
    [
        {"label_current": "skirt"},
        {"label_given": "skirt"},
        {"review_state": "second_look"},
        {"image_sha256": "another photo"},
        {"retired_run_id": 1},
    ],
)
def test_what_has_changed_since_is_not_shown(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, columns: dict[str, object]
) -> None:
    decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded)
    assert agreement(catalogue).waiting == 1
    with write(catalogue.engine) as session:
        one = update(Product).where(Product.id == seeded.wrong_ids[0])
        session.execute(one.values(**columns))
    assert due(catalogue, reviewer="Ben") is None
    assert agreement(catalogue).waiting == 0


def test_what_was_taken_back_or_overtaken_is_not_shown(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    back = decide(seeded.wrong_ids[0], "keep")
    deciding.undo(catalogue, back.decision_id, reviewer="Ana", request_key="undo")
    overtaken = decide(seeded.wrong_ids[1], "keep")
    again = decide(seeded.wrong_ids[1], "keep", "Cem")
    go_on(decide, seeded)
    assert overtaken.decision_id < again.decision_id
    assert shown_to(catalogue).decision_id == again.decision_id
    deciding.undo(catalogue, again.decision_id, reviewer="Ana", request_key="undo 2")
    assert shown_to(catalogue).decision_id == overtaken.decision_id, "it stands again"


def test_what_somebody_else_looks_at_is_not_shown(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded)
    claim(catalogue, seeded.wrong_ids[:1], holder="x", reviewer="Ana")
    assert due(catalogue, reviewer="Ben") is None
    assert due(catalogue, reviewer=" Ana ") is not None
    later = datetime.now(UTC) + timedelta(minutes=6)
    assert due(catalogue, reviewer="Ben", now=later) is not None


@pytest.mark.parametrize("action", ["keep", "accept", "not_product"])
def test_the_same_answer_changes_nothing(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, action: str
) -> None:
    product_id = seeded.wrong_ids[0]
    decide(product_id, action)
    was = state(catalogue, product_id)
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    done = say(catalogue, shown, action)
    assert state(catalogue, product_id) == was
    assert done.sentence.endswith("as was decided before (it was shown a second time).")
    assert say(catalogue, shown, action) == done, "ten clicks are one answer"
    found = agreement(catalogue)
    assert (found.answered, found.agreed, found.waiting) == (1, 1, 0)
    assert (found.by_same_person, found.by_others) == ((0, 0), (1, 1))
    assert found.disagreements == ()
    with read(catalogue.engine) as session:
        row = session.get_one(Decision, done.decision_id)
        assert (row.label_before, row.state_before) == (row.label_after, row.state_after) == was
    assert chosen(catalogue) == [shown.decision_id], "an answer is not shown again itself"


def test_choosing_the_suggestion_by_name_is_the_same_as_accepting_it(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    decide(seeded.wrong_ids[0], "accept")
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    say(catalogue, shown, "relabel", label=shown.item.suggestion.upper())
    assert agreement(catalogue).agreed == 1


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("keep", "accept", "Ana kept {label}; shown it again, Ben chose {suggestion}"),
        ("accept", "keep", "Ana chose {suggestion}; shown it again, Ben kept {label}"),
        (
            *("keep", "not_product"),
            "Ana kept {label}; shown it again, Ben marked it as not a product photo",
        ),
        ("keep", "second_look", "Ana kept {label}; shown it again, Ben asked for a second look"),
    ],
)
def test_another_answer_asks_for_a_third_look(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, first: str, second: str, said: str
) -> None:
    product_id = seeded.wrong_ids[0]
    decide(product_id, first)
    label, _ = state(catalogue, product_id)
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    done = say(catalogue, shown, second)
    note = said.format(label=shown.item.label, suggestion=shown.item.suggestion)
    assert done.sentence == f"AB-001 waits for a second look: {note} (it was shown a second time)."
    assert state(catalogue, product_id) == (label, "second_look")
    found = agreement(catalogue)
    assert (found.answered, found.agreed) == (1, 0)
    assert [(one.sku, one.note) for one in found.disagreements] == [("AB-001", note)]
    assert found.disagreements[0].thumbnail.exists()
    waiting = review.product_item(catalogue, product_id)
    assert waiting is not None
    assert (waiting.reason, waiting.note_from_before) == ("second_look", note)


@pytest.mark.parametrize(
    ("action", "stored"),
    [("keep", "long sleeves"), ("not_product", "as not a product photo: long sleeves")],
)
def test_a_note_goes_with_the_answer(
    catalogue: Catalogue, seeded: Seeded, decide: Decide, action: str, stored: str
) -> None:
    decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded)
    done = say(catalogue, shown_to(catalogue), action, note=" long sleeves ")
    with read(catalogue.engine) as session:
        assert session.get_one(Decision, done.decision_id).note.endswith(stored)


def test_an_answer_taken_back_is_asked_for_again(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    decide(seeded.wrong_ids[0], "keep")
    was = state(catalogue, seeded.wrong_ids[0])
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    done = say(catalogue, shown, "accept")
    deciding.undo(catalogue, done.decision_id, reviewer="Ben", request_key="undo")
    assert state(catalogue, seeded.wrong_ids[0]) == was
    found = agreement(catalogue)
    assert (found.answered, found.waiting, found.disagreements) == (0, 1, ())
    again = shown_to(catalogue)
    assert again.decision_id == shown.decision_id
    say(catalogue, again, "keep", request_key="again 2", who="Ana")
    assert agreement(catalogue).by_same_person == (1, 1)


def test_who_is_overtaken_is_told(catalogue: Catalogue, seeded: Seeded, decide: Decide) -> None:
    decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    decide(seeded.wrong_ids[0], "not_product", "Cem")
    with pytest.raises(ConflictError, match=r"^Cem marked it as not a product photo just now: AB"):
        say(catalogue, shown, "keep")
    assert agreement(catalogue).answered == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reviewer": " "}, "type your name first"),
        ({"action": "undo"}, "there is no decision 'undo'"),
        ({"action": "relabel", "label": "boat"}, "'boat' is no category: choose from dress, hat"),
        ({"decision_id": 1}, "decision number 1 is not shown again: reload the page"),
        ({"decision_id": 999}, "decision number 999 is not shown again"),
    ],
)
def test_what_cannot_be_answered_is_said(
    catalogue: Catalogue,
    seeded: Seeded,
    decide: Decide,
    options: dict[str, object],
    words: str,
) -> None:
    decide(seeded.wrong_ids[0], "keep")
    go_on(decide, seeded)
    shown = shown_to(catalogue)
    asked = {
        "decision_id": shown.decision_id,
        "action": "keep",
        "reviewer": "Ben",
        "request_key": "one",
        "seen_version": shown.item.version,
        "seen_sha256": shown.item.image_sha256,
    }
    with pytest.raises(UsageError, match=words):
        answer(catalogue, **(asked | options))
    assert agreement(catalogue).answered == 0


def test_before_the_first_nothing_is_due(catalogue: Catalogue) -> None:
    assert due(catalogue, reviewer="Ana") is None
    found = agreement(catalogue)
    assert (found.answered, found.waiting, found.least, found.most) == (0, 0, 0.0, 1.0)


def test_what_one_asked_for_oneself_comes_last(
    catalogue: Catalogue, seeded: Seeded, decide: Decide
) -> None:
    one, two, three = seeded.wrong_ids[:3]
    decide(one, "second_look", "Ana")
    decide(two, "second_look", "Ben")
    decide(three, "second_look", "Ana")
    back = decide(three, "keep", "Cem")

    def in_order(who: str) -> list[int]:
        asked = second_look_asked_by(who)
        waiting = Product.review_state == "second_look"
        query = select(Product.id, asked).where(waiting).order_by(asked, Product.id)
        with read(catalogue.engine) as session:
            return [number for number, _ in session.execute(query)]

    assert in_order("Ana") == [two, seeded.second_look_id, one]
    assert in_order("Ben") == [one, seeded.second_look_id, two]
    deciding.undo(catalogue, back.decision_id, reviewer="Ana", request_key="undo")
    assert in_order("Ana") == [two, seeded.second_look_id, one, three], "it waits for Ana again"
