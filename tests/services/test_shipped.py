"""A catalogue without a model gets the one that comes with the package, and keeps its own."""

from pathlib import Path

import pytest

from catalog_ai import shipped
from catalog_ai.errors import CheckpointError, UnknownVersionError
from catalog_ai.services import models
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import model_row
from catalog_ai.services.ingest import ingest
from catalog_ai.services.neighbours import load_index
from catalog_ai.services.shop import similar_to_photo
from catalog_ai.services.training import register
from tests.helpers import fake_model, photo_bytes, write_photo


@pytest.fixture(autouse=True)
def _small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins of the shipped models that load in no time."""
    weights = tmp_path / "weights"
    for name in (shipped.DEFAULT, shipped.SMALL):
        fake_model(weights, name)
    monkeypatch.setattr(shipped, "WEIGHTS", weights)


def versions(catalogue: Catalogue) -> dict[str, bool]:
    return {model.version: model.is_active for model in models.list_models(catalogue)}


def test_an_empty_catalogue_takes_in_photos_with_the_shipped_model(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    write_photo(tmp_path / "feed" / "a.jpg")
    write_photo(tmp_path / "feed" / "b.jpg", "#2040a0")
    assert ingest(catalogue, tmp_path / "feed").added == 2
    assert versions(catalogue) == {"default": True}
    found = similar_to_photo(catalogue, photo_bytes("#2040a0"), k=1)
    assert found.matches[0].card.sku == "b"
    assert load_index(catalogue) is not None


def test_a_catalogue_with_a_model_is_left_alone(catalogue: Catalogue) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "own"), activate=True)
    assert model_row(catalogue, None).version == "own"
    assert versions(catalogue) == {"own": True}


def test_a_shipped_model_can_be_named_and_changes_nothing_else(catalogue: Catalogue) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "own"), activate=True)
    for _ in range(2):
        assert model_row(catalogue, "small").version == "small"
    assert versions(catalogue) == {"own": True, "small": False}


def test_a_shipped_model_named_first_does_not_stand_in_the_way_of_the_default(
    catalogue: Catalogue,
) -> None:
    assert model_row(catalogue, "small").version == "small"
    assert model_row(catalogue, None).version == "default"
    assert versions(catalogue) == {"default": True, "small": False}


def test_a_model_that_the_first_delivery_names_is_the_one_in_use(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    write_photo(tmp_path / "in" / "hat" / "a.jpg")
    ingest(catalogue, tmp_path / "in", model="small")
    assert versions(catalogue) == {"small": True}
    ingest(catalogue, tmp_path / "in", model="imagenet")
    assert versions(catalogue) == {"small": True, "imagenet": False}


def test_a_later_training_waits_to_be_activated(catalogue: Catalogue) -> None:
    model_row(catalogue, None)
    register(catalogue, fake_model(catalogue.settings.models, "new"), activate=False)
    assert versions(catalogue) == {"default": True, "new": False}


def test_a_name_that_nobody_knows_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownVersionError, match="there is no model 'huge'"):
        model_row(catalogue, "huge")


def test_an_installation_without_weights_says_so(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="lacks the shipped model 'default'"):
        model_row(catalogue, None)
    assert list(catalogue.settings.models.iterdir()) == []


def test_ctrl_c_leaves_no_half_model(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model_row(catalogue, None)
    assert list(catalogue.settings.models.iterdir()) == []
