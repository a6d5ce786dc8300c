import pytest
from sqlalchemy import update

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.overlaps import SHOWN, OverlapView, overlaps
from catalog_ai.services.renaming import rename
from db.engine import read, write
from db.schema import LabelScore, ModelVersion, Overlap, Product
from db.vectors import from_blob, to_blob
from tests.helpers import CLASSES, Seeded


def put(catalogue: Catalogue, seeded: Seeded, *pairs: tuple[str, str, float, list[int]]) -> None:
    with write(catalogue.engine, touches=("scores",)) as session:
        for one, other, share, border in pairs:
            session.add(
                Overlap(
                    assessment_id=seeded.assessment_id,
                    one=one,
                    other=other,
                    share=share,
                    products=12,
                    border=border,
                )
            )


def names(catalogue: Catalogue) -> list[tuple[str, str]]:
    return [(pair.one, pair.other) for pair in overlaps(catalogue)]


def test_the_worst_pair_comes_first_with_its_border(catalogue: Catalogue, seeded: Seeded) -> None:
    ids = list(seeded.product_ids[3:15])
    put(catalogue, seeded, ("dress", "hat", 0.05, []), ("hat", "pants", 0.2, ids))
    first, second = overlaps(catalogue)
    assert (first.one, first.other, first.share, first.products) == ("hat", "pants", 0.2, 12)
    assert second == OverlapView("dress", "hat", 0.05, 12, ())
    assert [item.product_id for item in first.border] == ids[:SHOWN]
    with read(catalogue.engine) as session:
        for item in first.border:
            product = session.get_one(Product, item.product_id)
            row = session.get_one(LabelScore, (item.product_id, seeded.model_id))
            shares = from_blob(row.probabilities, len(CLASSES))
            assert (item.sku, item.label) == (product.sku, product.label_current)
            assert item.one == pytest.approx(shares[CLASSES.index("hat")])
            assert item.other == pytest.approx(shares[CLASSES.index("pants")])
            assert item.thumbnail.exists()


def test_what_is_no_product_photo_or_changed_its_photo_or_left_is_not_shown(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    ids = list(seeded.product_ids[10:14])
    put(catalogue, seeded, ("hat", "pants", 0.2, [*ids, 9999]))
    for number, change in zip(
        ids,
        (
            {"review_state": "not_product"},
            {"image_sha256": "f" * 64},
            {"retired_run_id": seeded.run_id},
        ),
        strict=False,
    ):
        with write(catalogue.engine) as session:
            session.execute(update(Product).where(Product.id == number).values(**change))
    assert [item.product_id for item in overlaps(catalogue)[0].border] == ids[3:]


def test_pairs_are_called_as_they_are_called_now(catalogue: Catalogue, seeded: Seeded) -> None:
    put(
        catalogue,
        seeded,
        ("dress", "hat", 0.3, [seeded.product_ids[10]]),
        ("hat", "pants", 0.2, []),
        ("dress", "pants", 0.1, []),
        ("gone", "pants", 0.1, []),
    )
    with write(catalogue.engine) as session:
        row = session.get_one(LabelScore, (seeded.product_ids[10], seeded.model_id))
        row.probabilities = to_blob([0.3, 0.2, 0.1, 0.4, 0, 0, 0])
    rename(catalogue, ["hat"], "Cap", reviewer="Ana", request_key="a")
    assert names(catalogue) == [("dress", "Cap"), ("Cap", "pants"), ("dress", "pants")]
    rename(catalogue, ["dress", "shorts"], "Cap", reviewer="Ana", request_key="b")
    assert names(catalogue) == [("Cap", "pants")], "a pair that was merged needs no doctor"


def test_a_share_counts_what_was_merged_into_a_category(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    put(catalogue, seeded, ("dress", "hat", 0.3, [seeded.product_ids[10]]))
    with write(catalogue.engine) as session:
        row = session.get_one(LabelScore, (seeded.product_ids[10], seeded.model_id))
        row.probabilities = to_blob([0.3, 0.2, 0.1, 0.4, 0, 0, 0])
    rename(catalogue, ["longsleeve"], "dress", reviewer="Ana", request_key="a")
    (item,) = overlaps(catalogue)[0].border
    assert (item.one, item.other) == (pytest.approx(0.4), pytest.approx(0.2))


def test_without_a_model_there_are_no_pairs(catalogue: Catalogue, seeded: Seeded) -> None:
    put(catalogue, seeded, ("dress", "hat", 0.3, []))
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    assert overlaps(catalogue) == ()
