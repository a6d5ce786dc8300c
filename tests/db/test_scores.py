from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Engine, text

from db.commands.scores import ScoreRow, replace_scores
from db.engine import read, write
from db.schema import LabelScore, ModelVersion, Product

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
        row = ScoreRow(
            product_id=product.id,
            image_sha256="abc",
            label="Polo",
            known_label=False,
            probabilities=np.ones(1, np.float32),
            suggestion="hat",
            confidence=1.0,
            score=no_number,
            looks_wrong=False,
            neighbours=[],
            agreement=no_number,
        )
        replace_scores(session, model.id, ["hat"], [row], NOW)
        key = (product.id, model.id)
    with read(engine) as session:
        stored = session.get_one(LabelScore, key)
        assert (stored.score, stored.agreement) == (None, None)
        nulls = text("SELECT count(*) FROM label_scores WHERE score IS NULL AND agreement IS NULL")
        assert session.execute(nulls).scalar() == 1
