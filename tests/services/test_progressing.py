from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from catalog_ai.services import rechecking, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.progressing import Day, progress
from db.commands import rechecks
from db.engine import read, write
from db.queries import progress as queries
from db.queries.review import many
from db.schema import Batch, Decision, LabelScore, Product
from tests.helpers import Seeded

MIDNIGHTS = tuple(datetime(2026, 11, day, tzinfo=UTC) for day in (21, 22, 23))
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clean(catalogue: Catalogue, seeded: Seeded) -> Seeded:
    """The seeded catalogue with its one decision taken back."""
    add(catalogue, {"action": "undo", "undoes_id": seeded.decision_id, "decided_at": LONG_AGO})
    return seeded


def add(catalogue: Catalogue, *rows: dict[str, object], batch: str = "") -> list[int]:
    """Store decisions as they come from a page, and return their ids."""
    with write(catalogue.engine, touches=("labels",)) as session:
        number = None
        if batch:
            made = Batch(
                **{"kind": batch, "words": "", "products": 1, "reviewer": "Ana"},
                **{"request_key": f"b{next(_KEYS)}", "made_at": MIDNIGHTS[0]},
            )
            session.add(made)
            session.flush()
            number = made.id
        found = [_decision(number, row) for row in rows]
        for one in found:  # one by one: their numbers are in this order
            session.add(one)
            session.flush()
        return [one.id for one in found]


_KEYS = count()


def _decision(batch_id: int | None, columns: dict[str, object]) -> Decision:
    action = columns.get("action", "keep")
    after = {"keep": "hat", "second_look": "hat", "not_product": "hat"}.get(str(action), "dress")
    state = {"keep": "kept", "accept": "changed", "relabel": "changed"}.get(str(action), action)
    values: dict[str, object] = {
        **{"product_id": 1, "label_given": "hat", "label_before": "hat", "label_after": after},
        **{"state_before": "open", "state_after": state, "image_sha256": "abc", "score": 0.5},
        **{"reviewer": "Ana", "request_key": f"key-{next(_KEYS)}", "batch_id": batch_id},
        **{"action": action, "decided_at": MIDNIGHTS[2], "model_version_id": None},
    }
    return Decision(**(values | columns))


def bins(catalogue: Catalogue) -> dict[int, tuple[int, int]]:
    with read(catalogue.engine) as session:
        return {row.bin: (row.decided, row.wrong) for row in queries.by_score(session)}


def test_days_are_the_readers(catalogue: Catalogue, seeded: Seeded) -> None:
    """In India a day begins at half past, and in autumn one day of Berlin has 25 hours."""
    times = [datetime(2026, 10, 24, 18, 29, tzinfo=UTC) + timedelta(minutes=n) for n in (0, 1, 2)]
    times += [datetime(2026, 10, 25, 22, 59, tzinfo=UTC) + timedelta(minutes=n) for n in (0, 1)]
    add(catalogue, *({"decided_at": moment} for moment in times))
    for name, expected in (("Asia/Kolkata", [1, 2, 2]), ("Europe/Berlin", [3, 1, 1])):
        zone = ZoneInfo(name)
        midnights = [datetime(2026, 10, day, tzinfo=zone) for day in (24, 25, 26)]
        found = progress(catalogue, midnights).days
        loop = Counter(moment.astimezone(zone).date() for moment in times)
        assert [day.kept for day in found] == expected
        assert [loop[day.begins.date()] for day in found] == expected
        assert [day.begins for day in found] == midnights


def test_days_tell_what_was_done(catalogue: Catalogue, clean: Seeded) -> None:
    before, after = MIDNIGHTS[0] - timedelta(seconds=1), MIDNIGHTS[2] + timedelta(days=3)
    add(catalogue, {"decided_at": before}, {"decided_at": after, "action": "second_look"})
    first = {"decided_at": MIDNIGHTS[0]}
    made = add(catalogue, first, first, *(first | {"action": a} for a in ("accept", "relabel")))
    add(catalogue, first | {"action": "not_product"})
    add(catalogue, first | {"action": "undo", "undoes_id": made[0]})
    add(catalogue, first, first, batch="sheet")
    add(catalogue, first, batch="bulk")
    add(catalogue, first | {"action": "accept"}, first, batch="rename")
    assert progress(catalogue, MIDNIGHTS).days == (
        Day(MIDNIGHTS[0], kept=3, changed=2, set_aside=1, in_bulk=3),
        Day(MIDNIGHTS[1], 0, 0, 0, 0),
        Day(MIDNIGHTS[2], 0, 0, 1, 0),
    )


def test_a_score_is_held_against_the_truth(catalogue: Catalogue, clean: Seeded) -> None:
    ids = clean.product_ids
    actions = ("keep", "accept", "relabel", "not_product", "second_look")
    rows = [{"product_id": ids[n], "action": actions[n % 5], "score": n / 20} for n in range(20)]
    add(
        catalogue,
        *rows,
        {"product_id": ids[21], "score": 1.0},
        {"product_id": ids[22], "score": None},
    )
    loop: dict[int, list[int]] = {9: [1, 0]}
    for n in range(20):
        if actions[n % 5] != "second_look":
            found = loop.setdefault(n // 2, [0, 0])
            found[0] += 1
            found[1] += actions[n % 5] != "keep"
    assert bins(catalogue) == {n: tuple(found) for n, found in sorted(loop.items())}
    one = progress(catalogue, MIDNIGHTS).promises[4]
    assert (one.low, one.high, one.decided, one.wrong) == (0.4, 0.5, *loop[4])
    assert one.least < one.wrong / one.decided <= one.most


def test_what_says_nothing_about_a_score_is_left_out(catalogue: Catalogue, clean: Seeded) -> None:
    undone = add(catalogue, {"action": "accept"})[0]
    add(catalogue, {"action": "undo", "undoes_id": undone}, {"action": "second_look"})
    add(catalogue, {"action": "accept"}, batch="bulk")
    add(catalogue, {"action": "relabel"}, batch="rename")
    assert bins(catalogue) == {}
    first, again = add(catalogue, {}, {"product_id": 2})
    with write(catalogue.engine) as session:
        session.add(rechecks.Recheck(decision_id=first, answer_id=again, agrees=True))
    assert bins(catalogue) == {5: (1, 0)}, "a second showing is no second label"
    add(catalogue, {"product_id": 3, "action": "accept"}, batch="sheet")
    assert bins(catalogue) == {5: (2, 1)}


def test_the_last_word_counts_and_the_first_score(catalogue: Catalogue, clean: Seeded) -> None:
    add(catalogue, {"score": 0.85}, {"action": "relabel", "score": 0.05})
    assert bins(catalogue) == {8: (1, 1)}
    back = {"label_before": "dress", "label_after": "hat", "score": None}
    last = add(catalogue, back | {"action": "relabel"})[0]
    assert bins(catalogue) == {8: (1, 0)}, "in the end it was what it had been"
    add(catalogue, {"action": "undo", "undoes_id": last})
    assert bins(catalogue) == {8: (1, 1)}
    add(catalogue, {"image_sha256": "another photo", "score": 0.15})
    assert bins(catalogue) == {1: (1, 0), 8: (1, 1)}


def test_only_the_newest_decisions_are_asked(
    catalogue: Catalogue, clean: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "RECENT", 2)
    add(catalogue, *({"product_id": number} for number in (1, 2, 3)))
    assert bins(catalogue) == {5: (2, 0)}


def test_the_last_fifty_answers(catalogue: Catalogue, seeded: Seeded) -> None:
    assert progress(catalogue, MIDNIGHTS).answers == 1  # the seeded one
    add(catalogue, *({"action": "accept"} for _ in range(10)))
    add(catalogue, *({"action": "keep" if n % 5 else "not_product"} for n in range(50)))
    add(catalogue, {"action": "second_look"}, {"action": "accept", "score": None})
    found = progress(catalogue, MIDNIGHTS)
    assert (found.answers, found.were_wrong) == (50, 10)


def test_what_is_left_is_the_sum_of_the_scores(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine, touches=("scores", "products")) as session:
        for number, product_id in enumerate(seeded.wrong_ids):
            score = {"score": 0.95 - 0.15 * number}
            session.execute(
                update(LabelScore).where(LabelScore.product_id == product_id).values(**score)
            )
        kept, stale, gone = seeded.wrong_ids[3:6]
        for product_id, columns in (
            (kept, {"review_state": "kept"}),
            (stale, {"label_current": "skirt"}),
            (gone, {"retired_run_id": seeded.run_id}),
        ):
            session.execute(update(Product).where(Product.id == product_id).values(**columns))
    with read(catalogue.engine) as session:
        rows = many(session, seeded.model_id)
    open_rows = [
        (row.product.label_current, row.score.score or 0.0)
        for row in rows
        if row.score and row.score.looks_wrong and row.product.review_state == "open"
    ]
    assert len(open_rows) == 3
    found = progress(catalogue, MIDNIGHTS)
    scores = [score for _, score in open_rows]
    assert (found.count, found.ahead) == (3, 3)
    assert found.wrong == found.ahead_wrong == pytest.approx(sum(scores))
    assert found.sure == pytest.approx(sum(score for score in scores if score >= 0.6))
    loop = Counter[str | None]()
    for label, score in open_rows:
        loop[label] += score
    assert {one.category: one.wrong for one in found.categories} == pytest.approx(dict(loop))
    assert sum(one.count for one in found.categories) == found.count
    wrong = [one.wrong for one in found.categories]
    assert wrong == sorted(wrong, reverse=True)
    assert review.progress(catalogue).by_queue["wrong"] == found.count


def test_before_the_first_model_nothing_is_left(catalogue: Catalogue) -> None:
    found = progress(catalogue, MIDNIGHTS)
    assert (found.count, found.wrong, found.promises, found.categories) == (0, 0, (), ())
    assert [day.kept for day in found.days] == [0, 0, 0]
    assert rechecking.agreement(catalogue).answered == 0
