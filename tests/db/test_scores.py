from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from db.commands.score_table import NO_TWIN, SAME, ScoreTable, unchanged
from db.commands.scores import OverlapRow, replace_scores
from db.engine import read, write
from db.queries.scores import stored
from db.schema import Assessment, LabelScore, ModelVersion, Overlap, Product
from tests.db.rows import add_model, add_products

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.mark.parametrize("no_number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_stored_as_null(engine: Engine, no_number: float) -> None:
    """SQLite makes null of nan by itself; PostgreSQL would keep it, and both keep infinity."""
    with write(engine) as session:
        names = dict.fromkeys(("sku", "image_path", "stored_image", "thumbnail"), "a.jpg")
        product = Product(**names, image_sha256="abc", created_at=NOW, updated_at=NOW)
        model = ModelVersion(
            version="v", recipe="small", classes=["hat"], dimension=64, meta={}, created_at=NOW
        )
        session.add_all([product, model])
        session.flush()
        share = np.ones(1, np.float32)
        row = score_row(product.id, probabilities=share, score=no_number, agreement=no_number)
        replace_scores(session, model.id, ["hat"], table([row]), NOW)
        key = (product.id, model.id)
    with read(engine) as session:
        stored = session.get_one(LabelScore, key)
        assert (stored.score, stored.agreement) == (None, None)
        nulls = text("SELECT count(*) FROM label_scores WHERE score IS NULL AND agreement IS NULL")
        assert session.execute(nulls).scalar() == 1


CLASSES = ["hat", "scarf"]


Row = dict[str, Any]


def score_row(product_id: int, **columns: Any) -> Row:
    same: dict[str, Any] = {
        **{"image_sha256": "abc", "label": "hat", "known_label": True, "suggestion": "scarf"},
        **{"probabilities": np.array([0.4, 0.6], np.float32), "confidence": 0.6, "score": 0.7},
        **{"looks_wrong": True, "neighbours": [7, 8], "agreement": 0.5, "oddity": 0.1},
        **{"twin_id": NO_TWIN, "looks_odd": False},
    }
    return {"product_id": product_id} | same | columns


def table(rows: list[Row]) -> ScoreTable:
    kinds = {"neighbours": (np.int64, 2), "probabilities": (np.float32, len(CLASSES))}
    columns: dict[str, Any] = {}
    for name in ScoreTable.__dataclass_fields__:
        column = [row[name] for row in rows]
        if name in ("image_sha256", "label", "suggestion"):
            columns[name] = column
        elif name in kinds:
            kind, width = kinds[name]
            columns[name] = np.array(column, kind).reshape(len(rows), -1 if rows else width)
        else:
            columns[name] = np.array(column)
    return ScoreTable(**columns)


@pytest.fixture
def shop(engine: Engine) -> tuple[int, list[int]]:
    """A model and three products with scores."""
    with write(engine) as session:
        model, ids = add_model(session), add_products(session, 3)
        overlap = OverlapRow("hat", "scarf", 0.2, 3, ids)
        rows = [score_row(number) for number in ids]
        replace_scores(session, model, CLASSES, table(rows), NOW, overlaps=[overlap])
    return model, ids


def known(engine: Engine, model: int, rows: list[Row]) -> set[int]:
    with read(engine) as session:
        found = unchanged(stored(session, model), CLASSES, table(rows))
    assert found is not None
    assert set(found.product_ids.tolist()) | set(found.others) >= {
        row["product_id"] for row in rows
    }
    return set(found.product_ids.tolist())


@pytest.mark.parametrize(
    "column",
    [
        {"image_sha256": "def"},
        {"label": None},
        {"known_label": False},
        {"suggestion": "hat"},
        {"looks_wrong": False},
        {"neighbours": [8, 7]},
        {"twin_id": 2},
        {"looks_odd": True},
        {"score": 0.7 + 1.1 * SAME},
        {"confidence": 0.6 - 1.1 * SAME},
        {"agreement": 0.5 + 1.1 * SAME},
        {"oddity": 0.1 + 1.1 * SAME},
        {"oddity": float("nan")},
        {"probabilities": np.array([0.4 + 1.1 * SAME, 0.6 - 1.1 * SAME], np.float32)},
    ],
)
def test_each_thing_that_changes_is_noticed(
    engine: Engine, shop: tuple[int, list[int]], column: dict[str, Any]
) -> None:
    model, (first, second, third) = shop
    rows = [score_row(first), score_row(second, **column), score_row(third)]
    assert known(engine, model, rows) == {first, third}


def test_what_moved_by_next_to_nothing_is_left_as_it_is(
    engine: Engine, shop: tuple[int, list[int]]
) -> None:
    model, ids = shop
    little = SAME / 2
    shares = np.array([0.4 - little, 0.6 + little], np.float32)
    columns = {"score": 0.7 + little, "confidence": 0.6 + little, "probabilities": shares}
    assert known(engine, model, [score_row(number, **columns) for number in ids]) == set(ids)


def again(session: Session, model: int, rows: list[Row]) -> int:
    found = unchanged(stored(session, model), CLASSES, table(rows))
    return replace_scores(session, model, CLASSES, table(rows), NOW, known=found)


def test_what_changed_or_is_gone_is_replaced_and_the_rest_stays(
    engine: Engine, shop: tuple[int, list[int]]
) -> None:
    model, (first, second, third) = shop
    rows = [score_row(first), score_row(second, score=0.1, looks_wrong=False)]
    with write(engine) as session:
        session.get_one(LabelScore, (first, model)).score = 0.7 + SAME / 2
        session.flush()
        number = again(session, model, rows)
    with read(engine) as session:
        found = {row.product_id: row.score for row in session.scalars(select(LabelScore))}
        assert found == {first: pytest.approx(0.7 + SAME / 2), second: pytest.approx(0.1)}
        assert third not in found
        (assessment,) = session.scalars(select(Assessment))
        assert (assessment.id, assessment.products, assessment.flagged) == (number, 2, 1)
        assert session.scalars(select(Overlap)).all() == []


def test_a_category_that_was_renamed_meanwhile_has_everything_written(
    engine: Engine, shop: tuple[int, list[int]]
) -> None:
    model, ids = shop
    rows = [score_row(number) for number in ids]
    with read(engine) as session:
        found = unchanged(stored(session, model), CLASSES, table(rows))
    with write(engine) as session:
        session.scalars(select(Assessment)).one().classes = ["hat", "shawl"]
        for row in session.scalars(select(LabelScore)):
            row.suggestion = "shawl"
    with write(engine) as session:
        replace_scores(session, model, CLASSES, table(rows), NOW, known=found)
    with read(engine) as session:
        assert {row.suggestion for row in session.scalars(select(LabelScore))} == {"scarf"}
        assert [row.classes for row in session.scalars(select(Assessment))] == [CLASSES]


def test_nothing_is_known_before_the_first_time_or_of_other_categories(
    engine: Engine, shop: tuple[int, list[int]]
) -> None:
    model, ids = shop
    with read(engine) as session:
        assert stored(session, model + 1) is None
        before = stored(session, model)
    assert unchanged(None, CLASSES, table([])) is None
    assert unchanged(before, ["hat"], table([])) is None
    nothing = unchanged(before, CLASSES, table([]))
    assert nothing is not None and nothing.others == tuple(ids)
