"""`label_scores.state` is what a join would say, whoever changed whatever."""

import random

import pytest
from sqlalchemy import Engine, select, text, update

from catalog_ai.services.catalogue import Catalogue
from db.engine import read, write
from db.schema import LabelScore, Product, Run
from tests.helpers import Seeded


def by_a_loop(engine: Engine) -> dict[int, str | None]:
    """Return product id → what the state should be, one product after the other."""
    found: dict[int, str | None] = {}
    with read(engine) as session:
        for score in session.scalars(select(LabelScore)):
            product = session.get_one(Product, score.product_id)
            counts = (
                product.retired_run_id is None
                and product.image_sha256 == score.image_sha256
                and product.label_current == score.label
            )
            found[product.id] = product.review_state if counts else None
    return found


def stored(engine: Engine) -> dict[int, str | None]:
    with read(engine) as session:
        return dict(session.execute(select(LabelScore.product_id, LabelScore.state)).all())


@pytest.mark.parametrize("seed", range(4))
def test_the_state_follows_every_change(catalogue: Catalogue, seeded: Seeded, seed: int) -> None:
    rng = random.Random(seed)
    changes = {
        Product: {
            "label_current": ("dress", "hat", None),
            "review_state": ("open", "kept", "second_look", "not_product"),
            "image_sha256": ("a", "b"),
            "retired_run_id": (None, seeded.run_id),
        },
        LabelScore: {"label": ("dress", "hat", None), "image_sha256": ("a", "b")},
    }
    seen = set[str | None]()
    for _ in range(40):
        table = rng.choice((Product, LabelScore))
        column, values = rng.choice(list(changes[table].items()))
        key = Product.id if table is Product else LabelScore.product_id
        ids = rng.sample(seeded.product_ids, 6)
        with write(catalogue.engine) as session:
            query = update(table).where(key.in_(ids))
            session.execute(query.values({column: rng.choice(values)}))
        now = stored(catalogue.engine)
        assert now == by_a_loop(catalogue.engine)
        seen |= set(now.values())
    assert len(seen) > 2, "the changes should lead to several states"


def test_a_new_score_has_its_state_at_once(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        rows = [dict(row._mapping) for row in session.execute(select(LabelScore.__table__))]
        session.execute(text("DELETE FROM label_scores"))
        session.execute(LabelScore.__table__.insert(), [row | {"state": "wrong"} for row in rows])
    assert stored(catalogue.engine) == by_a_loop(catalogue.engine)


def test_a_run_that_hides_a_product_hides_its_score(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        run = session.scalars(select(Run)).first()
        assert run is not None
        session.execute(
            update(Product).where(Product.id == seeded.wrong_ids[0]).values(retired_run_id=run.id)
        )
    assert stored(catalogue.engine)[seeded.wrong_ids[0]] is None
