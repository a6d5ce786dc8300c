"""The first start: what fills an empty catalogue, and that a second start does nothing."""

from pathlib import Path
from typing import Any

import pytest

from catalog_ai import shipped
from catalog_ai.services import starting
from catalog_ai.services.catalogue import Catalogue, status
from catalog_ai.services.models import active_model
from catalog_ai.services.training import register
from tests.helpers import fake_model, write_photo


@pytest.fixture(autouse=True)
def _small_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in of the shipped model that loads in no time."""
    fake_model(tmp_path / "weights", shipped.DEFAULT)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """Replace training by an untrained model; return what it was asked to learn from."""
    asked: list[Path | None] = []

    def quickly(catalogue: Catalogue, *, data: Path | None, **_options: Any) -> None:
        asked.append(data)
        version = f"quick-{len(asked)}"
        register(catalogue, fake_model(catalogue.settings.models, version), activate=True)

    monkeypatch.setattr(starting, "train_version", quickly)
    return asked


@pytest.fixture
def steps() -> list[str]:
    """Titles of the parts that were begun."""
    return []


def filled(catalogue: Catalogue, photos: Path | None, steps: list[str]) -> None:
    def step(title: str) -> starting.Progress:
        steps.append(title)
        return lambda share, message: None

    starting.fill(catalogue, photos, step)


def labelled(folder: Path) -> Path:
    for label in ("hat", "shoes"):
        for number in range(8):
            write_photo(folder / label / f"{label}-{number}.jpg", size=(60 + number, 80))
    return folder


@pytest.mark.parametrize("labels", [True, False])
def test_photos_of_ones_own_are_classified_without_a_training(
    labels: bool,
    catalogue: Catalogue,
    tmp_path: Path,
    trained: list[Path | None],
    steps: list[str],
) -> None:
    photos = labelled(tmp_path / "photos") if labels else tmp_path / "photos"
    if not labels:
        write_photo(photos / "one.jpg")
    filled(catalogue, photos, steps)
    assert trained == []
    assert steps == ["Taking in the photos"]
    assert status(catalogue).products == (16 if labels else 1)
    model = active_model(catalogue)
    assert model is not None
    assert model.version == "default"


def test_a_second_start_does_nothing(
    catalogue: Catalogue, tmp_path: Path, trained: list[Path | None], steps: list[str]
) -> None:
    photos = labelled(tmp_path / "photos")
    filled(catalogue, photos, steps)
    steps.clear()
    filled(catalogue, photos, steps)
    assert steps == []
    assert trained == []


def test_an_interrupted_first_start_is_carried_on(
    catalogue: Catalogue,
    tmp_path: Path,
    trained: list[Path | None],
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = labelled(tmp_path / "photos")
    real = starting.ingest

    def interrupted(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(starting, "ingest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        filled(catalogue, photos, steps)
    monkeypatch.setattr(starting, "ingest", real)
    filled(catalogue, photos, steps)
    assert status(catalogue).products == 16


def test_the_sample_trains_a_model_of_its_own(
    catalogue: Catalogue,
    trained: list[Path | None],
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "write_sample", lambda folder: labelled(folder / "photos"))
    filled(catalogue, None, steps)
    assert trained == [catalogue.settings.home / "sample" / "photos"]
    assert steps[1:] == ["Training a model", "Taking in the photos"]
    assert status(catalogue).products == 16


def test_sample_and_own_photos_never_meet() -> None:
    assert starting.home_for(None) != starting.home_for(Path("/photos"))
