"""Vectors and probabilities are what the network says, photo by photo, however they are asked."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.data.dataset import CatalogDataset, PhotoArrays
from catalog_ai.data.transforms import validation_transform
from catalog_ai.errors import CheckpointError
from catalog_ai.images import Pixels, decode
from catalog_ai.inference import predicting
from catalog_ai.inference.embeddings import CatalogModel, get_embeddings, get_query_img_embedding
from catalog_ai.inference.search import visual_search
from catalog_ai.model_folder import load_meta
from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from tests.helpers import CLASSES, fake_model, model_meta, write_photo


def pictures(count: int = 5) -> list[Pixels]:
    """Random photos of different sizes."""
    random = np.random.default_rng(2)
    sizes = random.integers(40, 90, (count, 2)).tolist()
    return [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


def catalog(count: int = 9) -> CatalogDataset:
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)
    targets = np.arange(count, dtype=np.int64) % 7
    names = tuple(map(str, range(count)))
    return CatalogDataset(PhotoArrays(pixels, targets, CLASSES, sha256=names, skus=names))


def made(*, shared: bool, mirrored: bool) -> Checkpoint:
    torch.manual_seed(0)
    classifier = MobileNetLikeClassifier(7).eval()
    backbone = classifier.backbone if shared else MobileNetBackbone()
    meta = model_meta("made")
    meta["preprocessing"] |= {"flip_average": mirrored}
    return Checkpoint(classifier, SiameseEncoder(backbone).eval(), meta)


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("mirrored", [True, False])
def test_predictions_are_what_the_network_says_of_each_photo(shared: bool, mirrored: bool) -> None:
    checkpoint = made(shared=shared, mirrored=mirrored)
    found = CatalogModel(checkpoint).predict(pictures())
    assert found.probabilities.dtype == found.vectors.dtype == np.float32
    transform = validation_transform(64)
    for number, pixels in enumerate(pictures()):
        views = [transform(Image.fromarray(pixels))]
        if mirrored:
            views.append(views[0].flip(2))
        with torch.no_grad():
            shares = [checkpoint.classifier(view[None])[0].softmax(0) for view in views]
            vectors = [unit(checkpoint.encoder(view[None])[0]) for view in views]
        expected = (sum(shares) / len(shares), unit(torch.stack(vectors).sum(0)))
        np.testing.assert_allclose(found.probabilities[number], expected[0], atol=1e-5)
        np.testing.assert_allclose(found.vectors[number], expected[1], atol=1e-5)
        with torch.no_grad():
            maps = [checkpoint.encoder.backbone(view[None])[0].mean((1, 2)) for view in views]
        np.testing.assert_allclose(
            found.features[number], sum(maps) / len(maps), rtol=1e-2, atol=1e-6
        )
    assert found.features.dtype == np.float16


def test_rows_are_shares_and_unit_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    model = CatalogModel(made(shared=True, mirrored=True))
    whole = model.predict(pictures(7))
    np.testing.assert_allclose(whole.probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(whole.vectors, axis=1), 1, atol=1e-5)
    monkeypatch.setattr(predicting, "_BATCH", 3)
    parts = model.predict(pictures(7))
    np.testing.assert_allclose(parts.vectors, whole.vectors, atol=1e-5)
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=1e-5)


def test_a_mirrored_photo_has_the_same_vector_where_both_views_are_averaged() -> None:
    model = CatalogModel(made(shared=True, mirrored=True))
    square = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    one, two = model.predict([square, np.ascontiguousarray(square[:, ::-1])]).vectors
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_no_photo_gives_no_rows_of_the_right_width() -> None:
    found = CatalogModel(made(shared=True, mirrored=False)).predict([])
    assert found.probabilities.shape == (0, 7)
    assert found.vectors.shape == (0, 64)


def test_a_loaded_model_knows_what_its_birth_certificate_says(tmp_path: Path) -> None:
    folder = fake_model(tmp_path, "v9", ["dress", "hat"])
    model = CatalogModel.load(folder, runtime="torch")
    assert (model.version, model.classes) == ("v9", ("dress", "hat"))
    assert (model.dimension, model.input_size) == (64, 64)
    assert model.predict(pictures(2)).probabilities.shape == (2, 2)
    again = CatalogModel(load_checkpoint(folder))
    assert (again.predict(pictures(2)).vectors == model.predict(pictures(2)).vectors).all()
    (folder / "meta.json").write_text(json.dumps(load_meta(folder) | {"format": 99}))
    with pytest.raises(CheckpointError):
        CatalogModel.load(folder)


@pytest.mark.parametrize("where", ["head.2.weight", "backbone.stem.0.weight"])
def test_weights_that_are_no_numbers_are_noticed(where: str) -> None:
    checkpoint = made(shared=True, mirrored=False)
    with torch.no_grad():
        checkpoint.classifier.get_parameter(where).fill_(float("nan"))
    with pytest.raises(CheckpointError, match="'made' are damaged"):
        CatalogModel(checkpoint).predict(pictures(1))


# --- the article's functions ---------------------------------------------------------------------


def test_all_embeddings_are_those_of_each_photo() -> None:
    encoder = SiameseEncoder(MobileNetBackbone()).train()
    dataset = catalog()
    found = get_embeddings(encoder, dataset)
    assert found.shape == (9, 64)
    assert not encoder.training
    for number, row in enumerate(found):
        photo = dataset.photos.pixels[number]
        single = get_query_img_embedding(encoder, validation_transform(), photo)
        assert single.shape == (1, 64)
        np.testing.assert_allclose(single[0], row, atol=1e-5)


def test_a_query_may_be_a_path_an_image_or_pixels(tmp_path: Path) -> None:
    path = write_photo(tmp_path / "a.jpg")
    pixels = decode(path.read_bytes())
    encoder = SiameseEncoder(MobileNetBackbone()).eval()
    transform = validation_transform()
    queries = (path, str(path), pixels, Image.fromarray(pixels))
    first, *others = (get_query_img_embedding(encoder, transform, query) for query in queries)
    for other in others:
        assert (other == first).all()


def test_visual_search_is_a_loop_over_all_distances() -> None:
    encoder = SiameseEncoder(MobileNetBackbone()).eval()
    dataset = catalog()
    query = Image.fromarray(dataset.photos.pixels[3])
    vector = get_query_img_embedding(encoder, validation_transform(), query)[0]
    expected = sorted(
        (float(np.sqrt(((row - vector) ** 2).sum())), index)
        for index, row in enumerate(get_embeddings(encoder, dataset))
    )
    found = visual_search(query, dataset, encoder, k=4)
    assert [result.index for result in found] == [index for _, index in expected[:4]]
    assert [result.label for result in found] == [CLASSES[index % 7] for _, index in expected[:4]]
    assert [result.distance for result in found] == pytest.approx(
        [distance for distance, _ in expected[:4]], abs=1e-5
    )
    assert len(visual_search(query, dataset, encoder, k=100)) == 9
