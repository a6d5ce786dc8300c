import numpy as np
from sqlalchemy import delete, select, update

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.map import map_view
from db.engine import read, write
from db.schema import LabelScore, ModelVersion, Product, Projection, ProjectionPoint
from tests.helpers import Seeded


def test_no_map_before_one_is_drawn(catalogue: Catalogue) -> None:
    assert map_view(catalogue) is None


def test_the_map_shows_each_product_where_it_was_drawn(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    view = map_view(catalogue)
    assert view is not None
    with read(catalogue.engine) as session:
        for place, number in enumerate(view.product_ids.tolist()):
            product = session.get_one(Product, number)
            point = session.get_one(ProjectionPoint, (seeded.projection_id, number))
            score = session.get_one(LabelScore, (number, seeded.model_id))
            assert (view.x[place], view.y[place]) == (np.float32(point.x), np.float32(point.y))
            assert view.skus[place] == product.sku
            assert view.labels[place] == product.label_current
            assert view.suggestions[place] == score.suggestion
            assert view.looks_wrong[place] == score.looks_wrong
    assert view.product_ids.tolist() == list(seeded.product_ids)
    assert (view.version, view.products_now) == (seeded.version, len(seeded.product_ids))
    assert (view.x.dtype, view.looks_wrong.dtype) == (np.float32, np.bool_)


def test_decisions_show_on_the_map_at_once(catalogue: Catalogue, seeded: Seeded) -> None:
    kept, gone, renamed, unlabelled = seeded.wrong_ids[:4]
    changes = {
        kept: {"review_state": "kept"},
        gone: {"review_state": "not_product"},
        renamed: {"label_current": "hat", "review_state": "changed"},
        unlabelled: {"label_current": None},
    }
    with write(catalogue.engine) as session:
        for number, columns in changes.items():
            session.execute(update(Product).where(Product.id == number).values(**columns))
    view = map_view(catalogue)
    assert view is not None
    place = {number: row for row, number in enumerate(view.product_ids.tolist())}
    assert gone not in place
    assert not view.looks_wrong[[place[kept], place[renamed]]].any()
    assert view.labels[place[renamed]] == "hat"
    assert view.suggestions[place[renamed]] == "", "the judgement was about another label"
    assert view.labels[place[unlabelled]] == ""
    assert view.looks_wrong.sum() == len(seeded.wrong_ids) - 4
    assert view.products_now == len(place) + 1


def test_the_newest_map_counts_and_only_the_active_models(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        old = session.get_one(Projection, seeded.projection_id)
        newer = Projection(
            model_version_id=seeded.model_id, method="pca", products=1, created_at=old.created_at
        )
        session.add(newer)
        session.flush()
        session.add(ProjectionPoint(projection_id=newer.id, product_id=5, x=1.5, y=-2.0))
    view = map_view(catalogue)
    assert view is not None
    assert (view.product_ids.tolist(), view.x.tolist(), view.y.tolist()) == ([5], [1.5], [-2.0])
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    assert map_view(catalogue) is None


def test_a_map_of_nothing_is_empty_not_broken(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(delete(ProjectionPoint))
        assert session.scalars(select(ProjectionPoint)).all() == []
    view = map_view(catalogue)
    assert view is not None
    assert [len(column) for column in (view.product_ids, view.x, view.y, view.looks_wrong)] == [
        0
    ] * 4
