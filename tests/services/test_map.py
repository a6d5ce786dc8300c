import numpy as np
import pytest
from sqlalchemy import delete, select, update

from catalog_ai.services import categories, deciding, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.map import (
    MapView,
    Skus,
    load_labels,
    load_places,
    load_suggestions,
    map_view,
    suggestions,
)
from db.engine import read, write
from db.schema import LabelScore, ModelVersion, Product, Projection, ProjectionPoint
from tests.helpers import Seeded


def shown(catalogue: Catalogue) -> MapView:
    view = map_view(catalogue)
    assert view is not None
    return view


def row_of(view: MapView, product_id: int) -> int:
    return view.product_ids.tolist().index(product_id)


def label_of(view: MapView, product_id: int) -> str:
    return view.names[view.labels[row_of(view, product_id)]]


def wrong_ids(view: MapView) -> list[int]:
    return view.product_ids[view.suspects].tolist()


def test_no_map_before_one_is_drawn(catalogue: Catalogue) -> None:
    assert map_view(catalogue) is None
    assert load_labels(catalogue).named.names == ()


def test_the_map_shows_each_product_where_it_was_drawn(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    view = shown(catalogue)
    suggested, names = suggestions(catalogue, view)
    with read(catalogue.engine) as session:
        for place, number in enumerate(view.product_ids.tolist()):
            product = session.get_one(Product, number)
            point = session.get_one(ProjectionPoint, (seeded.projection_id, number))
            score = session.get_one(LabelScore, (number, seeded.model_id))
            assert (view.x[place], view.y[place]) == (np.float32(point.x), np.float32(point.y))
            assert view.names[view.labels[place]] == product.label_current
            assert names[suggested[place]] == score.suggestion
    assert view.product_ids.tolist() == list(seeded.product_ids)
    assert wrong_ids(view) == list(seeded.wrong_ids), "the most suspicious first"
    assert sorted([*view.suspects.tolist(), *view.others.tolist()]) == list(range(24))
    assert (view.version, view.not_drawn) == (seeded.version, 0)
    assert (view.x.dtype, view.labels.dtype) == (np.float32, np.int32)


def test_decisions_show_on_the_map_at_once(catalogue: Catalogue, seeded: Seeded) -> None:
    kept, gone, renamed, unlabelled = seeded.wrong_ids[:4]
    retired = seeded.product_ids[-1]
    changes = {
        kept: {"review_state": "kept"},
        gone: {"review_state": "not_product"},
        renamed: {"label_current": "hat", "review_state": "changed"},
        unlabelled: {"label_current": None},
        retired: {"retired_run_id": seeded.run_id},
    }
    with write(catalogue.engine) as session:
        for number, columns in changes.items():
            session.execute(update(Product).where(Product.id == number).values(**columns))
    view = shown(catalogue)
    assert not {gone, retired} & set(view.product_ids.tolist())
    assert label_of(view, renamed) == "hat"
    assert label_of(view, unlabelled) == ""
    assert wrong_ids(view) == list(seeded.wrong_ids[4:])
    assert view.not_drawn == 0, "what is hidden is not missing"
    suggested, names = suggestions(catalogue, view)
    assert names[suggested[row_of(view, renamed)]] == "", "the judgement was about another label"
    assert names[suggested[row_of(view, kept)]] != ""


def decide(catalogue: Catalogue, product_id: int, action: str, label: str | None = None) -> int:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    return deciding.decide(
        catalogue,
        product_id,
        action,
        label=label,
        reviewer="Ana",
        request_key=f"{action}-{product_id}-{item.version}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    ).decision_id


def test_what_is_kept_with_the_decisions_since_is_what_would_be_read_anew(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    categories.add(catalogue, "A new category", reviewer="Ana")
    places, labels = load_places(catalogue), load_labels(catalogue)
    suggested = load_suggestions(catalogue)
    before = labels.named.codes.copy()
    decide(catalogue, seeded.wrong_ids[0], "keep")
    decide(catalogue, seeded.wrong_ids[1], "not_product")
    decide(catalogue, seeded.wrong_ids[2], "relabel", "A new category")
    back = decide(catalogue, seeded.wrong_ids[3], "keep")
    deciding.undo(catalogue, back, reviewer="Ben", request_key="back")
    with_kept, anew = map_view(catalogue, places, labels), shown(catalogue)
    assert with_kept is not None
    for name in ("product_ids", "x", "y", "suspects"):
        assert getattr(with_kept, name).tolist() == getattr(anew, name).tolist()
    for number in anew.product_ids.tolist():
        assert label_of(with_kept, number) == label_of(anew, number)
    assert label_of(with_kept, seeded.wrong_ids[2]) == "A new category"
    assert wrong_ids(with_kept) == list(seeded.wrong_ids[3:])
    assert sorted(with_kept.others.tolist()) == sorted(anew.others.tolist())
    assert labels.named.codes.tolist() == before.tolist(), "what others keep is left as it is"
    mine, names = suggestions(catalogue, with_kept, suggested)
    assert mine.tolist() == suggestions(catalogue, anew)[0].tolist()
    assert names[mine[row_of(with_kept, seeded.wrong_ids[2])]] == ""


def test_a_product_that_came_later_is_counted_as_not_drawn(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first, last = seeded.product_ids[0], seeded.product_ids[-1]
    with write(catalogue.engine) as session:
        session.execute(
            delete(ProjectionPoint).where(ProjectionPoint.product_id.in_((first, last)))
        )
    view = shown(catalogue)
    assert (len(view.product_ids), view.not_drawn) == (22, 2)
    assert first not in wrong_ids(view)


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
        session.add(ProjectionPoint(projection_id=newer.id, product_id=5, x=1.5, y=-2e-7))
    view = shown(catalogue)
    assert (view.product_ids.tolist(), view.x.tolist()) == ([5], [1.5])
    assert view.y[0] == np.float32(-2e-7)
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    assert map_view(catalogue) is None


def test_a_map_of_nothing_is_empty_not_broken(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(delete(ProjectionPoint))
        assert session.scalars(select(ProjectionPoint)).all() == []
    view = shown(catalogue)
    columns = (view.product_ids, view.x, view.y, view.labels, view.suspects, view.others)
    assert [len(column) for column in columns] == [0] * 6
    assert suggestions(catalogue, view)[0].tolist() == []


def test_skus_are_read_once(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    skus = Skus(catalogue)
    asked = np.array([*seeded.product_ids[:3], 9_999])
    with read(catalogue.engine) as session:
        named = [session.get_one(Product, number).sku for number in seeded.product_ids[:3]]
    assert skus.of(asked) == [*named, ""]
    monkeypatch.setattr("catalog_ai.services.map.projections.skus", lambda session, ids: {})
    assert skus.of(asked[:3][::-1]) == named[::-1]
