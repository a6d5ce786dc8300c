"""What the networks see of a photo, and that a birth certificate brings it back."""

import json

import numpy as np
import pytest
import torch

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.images import Pixels
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from tests.helpers import model_meta

BOTH = Preprocessing(size=64, flip_average=True, zoom_average=True)


def photos(count: int = 3, side: int = BOTH.square) -> Pixels:
    generator = np.random.default_rng(0)
    return generator.integers(256, size=(count, side, side, 3), dtype=np.uint8)


def channels_first(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())


@pytest.mark.parametrize("chosen", [Preprocessing(), BOTH, Preprocessing(224, (0.4, 0.5, 0.6))])
def test_settings_come_back_from_a_certificate(chosen: Preprocessing) -> None:
    assert Preprocessing.from_meta(json.loads(json.dumps(chosen.to_meta()))) == chosen


def test_an_older_certificate_means_one_view() -> None:
    meta = Preprocessing().to_meta()
    del meta["flip_average"], meta["zoom_average"]
    assert len(Preprocessing.from_meta(meta).views(photos(side=64))) == 1


def test_normalising_is_subtracting_the_mean_and_dividing_by_the_deviation() -> None:
    chosen = Preprocessing(4, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    pixels = channels_first(photos(2, 4))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (chosen.mean, chosen.std))
    expected = (pixels.float() / 255 - mean) / std
    torch.testing.assert_close(chosen.normalize(pixels), expected)
    symmetric = pixels.float() / 127.5 - 1
    torch.testing.assert_close(chosen.of_symmetric(symmetric), expected)


def test_the_views_are_the_photo_its_middle_and_their_mirror_images() -> None:
    assert (Preprocessing().square, BOTH.square) == (64, 72)
    pixels = photos()
    whole, middle, whole_flipped, middle_flipped = map(torch.from_numpy, BOTH.views(pixels))
    assert whole.shape == middle.shape == (3, 3, 64, 64)
    assert whole.dtype == torch.float32
    cut = channels_first(pixels)[:, :, 4:68, 4:68]
    torch.testing.assert_close(middle, BOTH.normalize(cut))
    assert torch.equal(whole_flipped, whole.flip(3))
    assert torch.equal(middle_flipped, middle.flip(3))


@pytest.mark.parametrize("size", [64, 96, 224])
def test_the_photo_is_shrunk_as_torch_does_it(size: int) -> None:
    chosen = Preprocessing(size, zoom_average=True)
    pixels = photos(2, chosen.square)
    options = {"size": (size, size), "mode": "bilinear", "antialias": True}
    shrunk = torch.nn.functional.interpolate(channels_first(pixels).float(), **options)
    whole = torch.from_numpy(chosen.views(pixels)[0])
    torch.testing.assert_close(whole, chosen.normalize(shrunk), atol=1e-5, rtol=0)


def test_one_view_is_the_photo_normalised() -> None:
    chosen = Preprocessing(4, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    pixels = photos(2, 4)
    (view,) = chosen.views(pixels)
    assert view.dtype == np.float32
    assert view.flags.c_contiguous
    expected = chosen.normalize(channels_first(pixels))
    torch.testing.assert_close(torch.from_numpy(view), expected)


def test_an_answer_is_the_mean_over_all_views() -> None:
    torch.manual_seed(0)
    classifier = MobileNetLikeClassifier(7).eval()
    meta = model_meta("m") | {"preprocessing": BOTH.to_meta()}
    model = CatalogModel(Checkpoint(classifier, SiameseEncoder(classifier.backbone), meta))
    assert model.input_size == 72
    photo = np.random.default_rng(0).integers(0, 256, (90, 50, 3), dtype=np.uint8)
    found = model.predict([photo])
    views = [torch.from_numpy(view) for view in BOTH.views(BOTH.resize(photo)[None])]
    with torch.inference_mode():
        shares = torch.stack([classifier(view).softmax(1) for view in views]).mean(0)
        units = [torch.nn.functional.normalize(model_features(classifier, v)) for v in views]
    np.testing.assert_allclose(found.probabilities, shares.numpy(), atol=1e-5)
    vector = torch.nn.functional.normalize(torch.stack(units).sum(0))
    np.testing.assert_allclose(found.vectors, vector.numpy(), atol=1e-5)


def model_features(classifier: MobileNetLikeClassifier, images: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = classifier.embedder(classifier.backbone(images))
    return features
