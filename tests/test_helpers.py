"""The seeded catalogue must be what the other tests take it for."""

import io

import pytest
from PIL import Image
from sqlalchemy import func, select

from catalog_ai.services.catalogue import Catalogue
from db.engine import read
from db.schema import Decision, LabelScore, Product, ProjectionPoint, RunItem
from tests.helpers import CLASSES, Seeded, fake_model, photo_bytes, seed_catalogue


def test_the_seeded_catalogue_holds_together(catalogue: Catalogue, seeded: Seeded) -> None:
    home = catalogue.settings.home
    with read(catalogue.engine) as session:
        products = session.scalars(select(Product)).all()
        scores = {row.product_id: row for row in session.scalars(select(LabelScore))}
        counts = {
            table: session.scalar(select(func.count()).select_from(table))
            for table in (ProjectionPoint, RunItem, Decision)
        }
        assert len({product.image_sha256 for product in products}) == len(products) == 24
        for product in products:
            assert (home / product.stored_image).is_file()
            assert (home / product.thumbnail).is_file()
            assert scores[product.id].label == product.label_current
        second_look = session.get_one(Product, seeded.second_look_id)
        decided = session.get_one(Decision, seeded.decision_id)
        assert second_look.label_current not in (decided.label_given, decided.label_after)
    for number in seeded.wrong_ids:
        assert scores[number].looks_wrong
        assert scores[number].suggestion != scores[number].label
    assert counts == {ProjectionPoint: 24, RunItem: 28, Decision: 1}


def test_parameters_of_the_seeded_catalogue(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue, n=40, flagged=12, long_names=True)
    assert (len(seeded.product_ids), len(seeded.wrong_ids)) == (40, 12)
    with read(catalogue.engine) as session:
        assert len(session.get_one(Product, seeded.product_ids[0]).title) > 100


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_photo_has_the_format_and_size_asked_for(form: str) -> None:
    image = Image.open(io.BytesIO(photo_bytes("red", (30, 50), form)))
    assert (image.format, image.size) == (form, (30, 50))


def test_a_fake_model_can_be_loaded(catalogue: Catalogue) -> None:
    from catalog_ai.checkpoint import load_checkpoint

    folder = fake_model(catalogue.settings.models, "fake")
    assert load_checkpoint(folder, classes=CLASSES).meta["version"] == "fake"
