from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, update

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.reporting import run_item
from catalog_ai.services.run_cards import card
from catalog_ai.services.run_sections import Section, headline, needs, sections
from catalog_ai.services.runs import RunView, get_run, run_items, settle
from db.commands import runs as commands
from db.engine import write
from db.schema import LabelScore, Product
from tests.helpers import Seeded

NIGHT = datetime(2026, 11, 24, 2, 10, tzinfo=UTC)


def ended(catalogue: Catalogue, items: list[dict[str, Any]], **values: Any) -> int:
    """Write a run that has ended, with these items, and return its number."""
    with write(catalogue.engine, touches=("runs",)) as session:
        number = commands.start_run(session, "/feed", 1, NIGHT)
        commands.add_items(session, number, items)
        commands.set_counts(
            session, number, **{"state": "done", "seen": 9, "finished_at": NIGHT} | values
        )
    return number


def by_name(catalogue: Catalogue, run_id: int, **options: Any) -> dict[str, Section]:
    return {found.name: found for found in sections(catalogue, run_id, **options)}


def brought(outcome: str, product_id: int, **columns: Any) -> dict[str, Any]:
    return run_item(outcome, f"{product_id}.jpg", product_id=product_id, sku="", **columns)


def line(**values: Any) -> str:
    told = {"seen": 420, "added": 12, "updated": 20, "unchanged": 380, "state": "done"} | values
    waits = told.pop("needs", 0)
    empty = dict.fromkeys(RunView.__dataclass_fields__, 0)
    run = RunView(**empty | {"finished_at": NIGHT, "started_at": NIGHT} | told)  # type: ignore[arg-type]
    return headline(run, waits, UTC)


def test_a_run_falls_into_its_sections(catalogue: Catalogue, seeded: Seeded) -> None:
    found = by_name(catalogue, seeded.run_id)
    counts = {name: section.count for name, section in found.items()}
    assert counts == {"added": 24, "wrong": 6, "quarantined": 2, "missing": 1, "unlisted": 1}
    assert [item.product_id for item in found["wrong"].items] == list(seeded.wrong_ids)
    assert all(item.suggestion and item.score for item in found["wrong"].items)
    assert found["wrong"].unseen == 0


def test_what_moved_is_not_said_twice(catalogue: Catalogue, seeded: Seeded) -> None:
    first, second, third, fourth = seeded.product_ids[-4:]
    number = ended(
        catalogue,
        [
            brought("updated", first),
            brought("updated", second, label_before="hat", label_after="shoes"),
            brought("updated", third, label_before="hat"),
            brought("retired", fourth),
        ],
    )
    found = by_name(catalogue, number)
    assert [item.product_id for item in found["updated"].items] == [first]
    assert [item.product_id for item in found["moved"].items] == [second, third]
    assert (found["updated"].count, found["moved"].count, found["retired"].count) == (1, 2, 1)
    second_card, third_card = (card("moved", item) for item in found["moved"].items)
    assert (second_card.before, second_card.after) == ("hat", "shoes")
    assert (third_card.before, third_card.after) == ("hat", "no label")


def test_a_section_is_cut_and_says_how_many_are_left(catalogue: Catalogue, seeded: Seeded) -> None:
    found = by_name(catalogue, seeded.run_id, limit=5)
    assert (len(found["added"].items), found["added"].more) == (5, 19)
    assert (len(found["wrong"].items), found["wrong"].more) == (5, 1)
    last = by_name(catalogue, seeded.run_id, names=("wrong",), limit=5, offset=5)
    assert list(last) == ["wrong"]
    assert [item.product_id for item in last["wrong"].items] == [seeded.wrong_ids[5]]
    counted = by_name(catalogue, seeded.run_id, limit=0)
    assert [section.count for section in counted.values()] == [24, 6, 2, 1, 1]


def test_before_the_assessment_nobody_has_looked(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(delete(LabelScore))
    wrong = by_name(catalogue, seeded.run_id)["wrong"]
    assert (wrong.count, wrong.unseen) == (0, 23)  # one waits in Second look


def test_a_score_of_another_photo_is_none(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(
            update(LabelScore)
            .where(LabelScore.product_id == seeded.wrong_ids[0])
            .values(image_sha256="0" * 64)
        )
    wrong = by_name(catalogue, seeded.run_id)["wrong"]
    assert (wrong.count, wrong.unseen) == (5, 1)


def test_what_a_person_decided_or_the_feed_dropped_is_no_doubt(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    run = get_run(catalogue, seeded.run_id)
    assert needs(catalogue, run) == 4 + 6 + 1
    with write(catalogue.engine) as session:
        for number, values in (
            (seeded.wrong_ids[0], {"review_state": "kept"}),
            (seeded.wrong_ids[1], {"retired_run_id": run.id}),
            (seeded.second_look_id, {"review_state": "kept"}),
        ):
            session.execute(update(Product).where(Product.id == number).values(**values))
    assert by_name(catalogue, run.id)["wrong"].count == 4
    assert needs(catalogue, run) == 4 + 4


def test_only_what_waits_is_shown_where_asked(catalogue: Catalogue, seeded: Seeded) -> None:
    first, second = run_items(catalogue, seeded.run_id, outcomes=("quarantined",))
    settle(catalogue, first.id, "dismissed")
    waiting = by_name(catalogue, seeded.run_id, settled="open")["quarantined"]
    assert (waiting.count, [item.id for item in waiting.items]) == (1, [second.id])
    assert by_name(catalogue, seeded.run_id)["quarantined"].count == 2
    settle(catalogue, second.id, "dismissed")
    assert "quarantined" not in by_name(catalogue, seeded.run_id, settled="open")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            {"needs": 8},
            "412 of 420 products came in on Tuesday 24 November, 02:10; 8 need you.",
        ),
        (
            {"seen": 412, "needs": 1},
            "All 412 products came in on Tuesday 24 November, 02:10; 1 needs you.",
        ),
        (
            {"seen": 1, "added": 1, "updated": 0, "unchanged": 0},
            "1 product came in on Tuesday 24 November, 02:10; nothing needs you.",
        ),
        (
            {"seen": 0, "added": 0, "updated": 0, "unchanged": 0},
            "No product was delivered on Tuesday 24 November, 02:10; nothing needs you.",
        ),
        (
            {"state": "stopped"},
            "The run of Tuesday 24 November, 02:10 was stopped after 412 of 420 products.",
        ),
        (
            {"state": "failed"},
            "The run of Tuesday 24 November, 02:10 failed after 412 of 420 products.",
        ),
        (
            {"state": "running", "finished_at": None},
            "The run that began on Tuesday 24 November, 02:10 is under way: "
            "412 of 420 products so far.",
        ),
    ],
)
def test_a_run_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    assert line(**values) == sentence


def test_the_time_is_the_readers(catalogue: Catalogue, seeded: Seeded) -> None:
    run = get_run(catalogue, ended(catalogue, []))
    assert "Monday 23 November, 21:10" in headline(run, 0, ZoneInfo("America/New_York"))
