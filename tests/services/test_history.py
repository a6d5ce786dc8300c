from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from catalog_ai.services import deciding, rechecking
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.history import history
from db.commands import rechecks
from db.engine import read, write
from db.schema import Batch, Decision, Product, Run, RunItem
from tests.helpers import Seeded


def delivered(catalogue: Catalogue, product_id: int, outcome: str, **columns: object) -> int:
    """A delivery that did something to a product just now."""
    now = datetime.now(UTC)
    with write(catalogue.engine) as session:
        run = Run(source="/deliveries/today", state="done", started_at=now, finished_at=now)
        session.add(run)
        session.flush()
        one = {"run_id": run.id, "product_id": product_id, "sku": "AB-001", "image": "a.jpg"}
        session.execute(insert(RunItem), [one | {"outcome": outcome} | columns])
        return run.id


def decide(catalogue: Catalogue, product_id: int, action: str, **options: object) -> int:
    with read(catalogue.engine) as session:
        seen = session.get_one(Product, product_id)
    asked = {"reviewer": "Ana", "request_key": f"{action}-{seen.version}"} | options
    return deciding.decide(
        *(catalogue, product_id, action),
        seen_version=seen.version,
        seen_sha256=seen.image_sha256,
        **asked,
    ).decision_id


def test_everything_that_happened_is_told_the_newest_first(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    product_id = seeded.wrong_ids[0]
    kept = decide(catalogue, product_id, "relabel", label="t-shirt", note="look at the sleeves")
    deciding.undo(catalogue, kept, reviewer="Ben", request_key="undo")
    delivered(catalogue, product_id, "updated")
    moved = {"label_before": "hat", "label_after": "shoes"}
    delivered(catalogue, product_id, "updated", **moved)
    gone = delivered(catalogue, product_id, "retired")
    lines = history(catalogue, product_id)
    assert [line.words for line in lines] == [
        "No longer delivered: hidden since",
        "A delivery changed its label: hat → shoes",
        "Delivered again with other details or another photo",
        "Ben took a decision back: hat again",
        "Ana changed its label: hat → t-shirt",
        "Delivered for the first time",
    ]
    assert [line.undone_by for line in lines] == ["", "", "", "", "Ben", ""]
    assert lines[4].note == "look at the sleeves"
    assert (lines[4].decision_id, lines[4].run_id) == (kept, None)
    assert (lines[0].run_id, lines[0].decision_id) == (gone, None)
    assert lines[-1].note == "/deliveries/tonight"


def test_a_photo_that_could_not_be_used_is_told(catalogue: Catalogue, seeded: Seeded) -> None:
    delivered(catalogue, seeded.wrong_ids[0], "quarantined", reason="the photo is too small")
    line = history(catalogue, seeded.wrong_ids[0])[0]
    assert line.words == "Delivered, but not used: the photo is too small"


def test_the_batch_is_named(catalogue: Catalogue, seeded: Seeded) -> None:
    product_id = seeded.wrong_ids[0]
    with write(catalogue.engine) as session:
        made = Batch(
            kind="bulk",
            words="38 products: hat → dress",
            products=38,
            reviewer="Ana",
            request_key="batch",
            made_at=datetime.now(UTC),
        )
        session.add(made)
        session.flush()
        session.add(row(product_id, "one", batch_id=made.id))
    assert history(catalogue, product_id)[0].words == (
        "Ana kept hat, together with others (38 products: hat → dress)"
    )


def test_a_second_showing_is_named(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rechecks, "ONE_IN", 1)
    monkeypatch.setattr(rechecking, "DISTANCE", 0)
    product_id = seeded.wrong_ids[0]
    decide(catalogue, product_id, "keep")
    shown = rechecking.due(catalogue, reviewer="Ben")
    assert shown is not None
    rechecking.answer(
        *(catalogue, shown.decision_id, "keep"),
        reviewer="Ben",
        request_key="again",
        seen_version=shown.item.version,
        seen_sha256=shown.item.image_sha256,
    )
    assert [line.words for line in history(catalogue, product_id)][:2] == [
        "Ben kept hat, when it was shown a second time",
        "Ana kept hat",
    ]


def test_a_clock_that_was_set_back_changes_no_order(catalogue: Catalogue, seeded: Seeded) -> None:
    product_id = seeded.wrong_ids[0]
    now = datetime.now(UTC)
    with write(catalogue.engine) as session:
        session.add(row(product_id, "one", reviewer="first", decided_at=now))
        session.flush()
        early = now - timedelta(days=9)
        session.add(row(product_id, "two", reviewer="second", decided_at=early))
    words = [line.words for line in history(catalogue, product_id)]
    assert words.index("second kept hat") < words.index("first kept hat")


def test_a_long_history_ends_after_fifty_lines(catalogue: Catalogue, seeded: Seeded) -> None:
    product_id = seeded.wrong_ids[0]
    with write(catalogue.engine) as session:
        session.add_all(row(product_id, f"k{number}") for number in range(60))
    lines = history(catalogue, product_id)
    assert len(lines) == 50
    assert all(line.decision_id for line in lines), "the oldest are left out"
    assert history(catalogue, 999) == ()


def row(product_id: int, key: str, **columns: object) -> Decision:
    values: dict[str, object] = {
        **{"product_id": product_id, "action": "keep", "label_before": "hat", "label_after": "hat"},
        **{"state_before": "open", "state_after": "kept", "image_sha256": "abc"},
        **{"reviewer": "Ana", "request_key": key, "decided_at": datetime.now(UTC)},
    }
    return Decision(**(values | columns))
