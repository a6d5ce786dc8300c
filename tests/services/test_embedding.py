"""Looking at the catalogue with another model, from the copies that are kept."""

from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select

from catalog_ai.data.dataset import load_photos
from catalog_ai.data.held_out import is_held_out
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.ingest import embed_missing, ingest
from catalog_ai.services.training import own_photos, register
from db.engine import read, write
from db.schema import Embedding, Product
from tests.helpers import fake_model, photo_bytes, seed_catalogue


@pytest.fixture
def turned(catalogue: Catalogue, tmp_path: Path) -> Product:
    """A product whose photo lies on its side, so that the copy of it is encoded anew."""
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    register(catalogue, fake_model(catalogue.settings.models, "two"), activate=False)
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = tmp_path / "feed" / "hat" / "A-1.jpg"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(photo_bytes(exif=exif))
    ingest(catalogue, tmp_path / "feed")
    with read(catalogue.engine) as session:
        return session.scalars(select(Product)).one()


def test_a_copy_encoded_anew_stands_for_the_delivered_photo(
    catalogue: Catalogue, turned: Product
) -> None:
    assert embed_missing(catalogue, "two") == 1
    with read(catalogue.engine) as session:
        assert set(session.scalars(select(Embedding.image_sha256))) == {turned.image_sha256}
    assert embed_missing(catalogue, "two") == 0, "once is enough"


def test_a_model_on_trial_disturbs_nobody_while_it_looks(
    catalogue: Catalogue, turned: Product
) -> None:
    vectors, trials = revision(catalogue, "embeddings", "trials")
    embed_missing(catalogue, "two")
    assert revision(catalogue, "embeddings", "trials") == (vectors + 1, trials + 1)
    embed_missing(catalogue, "two")
    assert revision(catalogue, "embeddings", "trials") == (vectors + 1, trials + 1)


def test_a_copy_that_was_learnt_from_counts_as_the_delivered_photo(
    catalogue: Catalogue, turned: Product
) -> None:
    photos = load_photos(own_photos(catalogue).items, 16, classes=("hat",))
    assert photos.sha256 == (turned.image_sha256,)


def test_what_is_held_out_is_for_validation(catalogue: Catalogue) -> None:
    seed_catalogue(catalogue, n=60)
    items = own_photos(catalogue).items
    assert {item.split for item in items} == {"train", "validation"}
    for item in items:
        if item.label not in {"Polo", "Not sure"}:
            assert (item.split == "validation") is is_held_out(item.digest)


def test_a_category_of_which_all_photos_are_held_out_can_be_learnt(catalogue: Catalogue) -> None:
    seed_catalogue(catalogue, n=60)
    with write(catalogue.engine) as session:
        for product in session.scalars(select(Product)):
            if is_held_out(product.image_sha256):
                product.label_current = "Bag"
    splits = {item.split for item in own_photos(catalogue).items if item.label == "Bag"}
    assert splits == {"train"}
