"""The models that come with the package: whole, small enough, and what their cards say."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog_ai import shipped
from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.inference.embeddings import CatalogModel
from catalog_ai.model_folder import TRAINING_PHOTOS, WEIGHTS, load_meta
from catalog_ai.training.recipes import RECIPES
from tests.helpers import CLASSES

TRAINED = (shipped.DEFAULT, shipped.SMALL)
MOST_BYTES = 12_000_000


def test_the_weights_are_half_precision_and_small_enough() -> None:
    files = [shipped.WEIGHTS / name / WEIGHTS for name in TRAINED]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    from safetensors.torch import load_file

    for file in files:
        floats = [value for value in load_file(file).values() if value.is_floating_point()]
        assert {value.dtype for value in floats} == {torch.float16}


@pytest.mark.parametrize("name", TRAINED)
def test_a_shipped_model_knows_ten_categories_and_loads(name: str, tmp_path: Path) -> None:
    folder = shipped.install(name, tmp_path)
    assert folder == shipped.install(name, tmp_path) == tmp_path / name
    checkpoint = load_checkpoint(folder)
    assert set(checkpoint.meta["classes"]) == {*CLASSES, "outwear", "shirt", "skirt"}
    assert checkpoint.meta["version"] == name
    assert checkpoint.meta["recipe"] in RECIPES
    assert checkpoint.encoder.backbone is checkpoint.classifier.backbone
    assert (folder / TRAINING_PHOTOS).read_text()


def test_small_is_the_articles_backbone() -> None:
    architecture = load_meta(shipped.WEIGHTS / shipped.SMALL)["architecture"]
    assert (architecture["backbone"], architecture["depthwise"]) == ("mobilenet", True)
    assert architecture["squeeze_excitation"] is False


@pytest.mark.parametrize("name", TRAINED)
def test_the_card_says_what_the_birth_certificate_says(name: str) -> None:
    card = (shipped.WEIGHTS / name / "README.md").read_text()
    meta = load_meta(shipped.WEIGHTS / name)
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([\d.,]+)(?: %)? \|$", card, re.MULTILINE))
    assert {"accuracy", "top1", "top5", "map_at_r", "reshot_recall_at_1"} <= set(rows)
    for key, shown in rows.items():
        value = meta["metrics"][key]
        digits = len(shown.partition(".")[2])
        share = key in {"accuracy", "accuracy_all", "top1", "top5"} or key.endswith(("_1", "error"))
        assert f"{100 * value if share else value:,.{digits}f}" == shown, key
    for words in ("CC0", "Apache-2.0", "python -m catalog_ai.train --recipe", "Limits"):
        assert words in card


def test_imagenet_sees_differences_and_names_nothing(tmp_path: Path) -> None:
    model = CatalogModel.load(shipped.install(shipped.IMAGENET, tmp_path), runtime="torch")
    random = np.random.default_rng(0)
    photos = [random.integers(0, 256, (90, 70, 3), dtype=np.uint8) for _ in range(2)]
    found = model.predict(photos)
    assert found.probabilities.shape == (2, 0)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)
    assert not np.allclose(found.vectors[0], found.vectors[1], atol=0.05)
