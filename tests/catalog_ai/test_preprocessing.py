"""What the networks see of a photo, and that a birth certificate brings it back."""

import json

import numpy as np
import pytest
import torch

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.preprocessing import Preprocessing
from tests.helpers import model_meta

BOTH = Preprocessing(size=64, flip_average=True, zoom_average=True)


def squares(count: int = 3, side: int = BOTH.square) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("chosen", [Preprocessing(), BOTH, Preprocessing(224, (0.4, 0.5, 0.6))])
def test_settings_come_back_from_a_certificate(chosen: Preprocessing) -> None:
    assert Preprocessing.from_meta(json.loads(json.dumps(chosen.to_meta()))) == chosen


def test_an_older_certificate_means_one_view() -> None:
    meta = Preprocessing().to_meta()
    del meta["flip_average"], meta["zoom_average"]
    assert len(Preprocessing.from_meta(meta).views(squares(side=64))) == 1


def test_normalising_is_subtracting_the_mean_and_dividing_by_the_deviation() -> None:
    chosen = Preprocessing(4, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    pixels = squares(2, 4)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (chosen.mean, chosen.std))
    expected = (pixels.float() / 255 - mean) / std
    torch.testing.assert_close(chosen.normalize(pixels), expected)
    symmetric = pixels.float() / 127.5 - 1
    torch.testing.assert_close(chosen.of_symmetric(symmetric), expected)


def test_the_views_are_the_photo_its_middle_and_their_mirror_images() -> None:
    assert (Preprocessing().square, BOTH.square) == (64, 72)
    pixels = squares()
    whole, middle, whole_flipped, middle_flipped = BOTH.views(pixels)
    assert whole.shape == middle.shape == (3, 3, 64, 64)
    torch.testing.assert_close(middle, BOTH.normalize(pixels[:, :, 4:68, 4:68]))
    assert torch.equal(whole_flipped, whole.flip(3))
    assert torch.equal(middle_flipped, middle.flip(3))
    slope = torch.arange(72, dtype=torch.uint8).mul(3).expand(1, 3, 72, 72)
    row = BOTH.views(slope)[0][0, 0, 30]
    positions = ((torch.arange(64) + 0.5) * 72 / 64 - 0.5) * 3 / 127.5 - 1
    torch.testing.assert_close(row[2:-2], positions[2:-2], atol=2e-3, rtol=0)


def test_an_answer_is_the_mean_over_all_views() -> None:
    torch.manual_seed(0)
    classifier = MobileNetLikeClassifier(7).eval()
    meta = model_meta("m") | {"preprocessing": BOTH.to_meta()}
    model = CatalogModel(Checkpoint(classifier, SiameseEncoder(classifier.backbone), meta))
    assert model.input_size == 72
    photo = np.random.default_rng(0).integers(0, 256, (90, 50, 3), dtype=np.uint8)
    found = model.predict([photo])
    views = BOTH.views(torch.from_numpy(BOTH.resize(photo).transpose(2, 0, 1)[None].copy()))
    with torch.inference_mode():
        shares = torch.stack([classifier(view).softmax(1) for view in views]).mean(0)
        units = [torch.nn.functional.normalize(model_features(classifier, v)) for v in views]
    np.testing.assert_allclose(found.probabilities, shares.numpy(), atol=1e-5)
    vector = torch.nn.functional.normalize(torch.stack(units).sum(0))
    np.testing.assert_allclose(found.vectors, vector.numpy(), atol=1e-5)


def model_features(classifier: MobileNetLikeClassifier, images: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = classifier.embedder(classifier.backbone(images))
    return features
