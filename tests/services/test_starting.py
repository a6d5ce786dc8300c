"""The first start: what fills an empty catalogue, and that a second start does nothing."""

from pathlib import Path
from typing import Any

import pytest

from catalog_ai.config import settings
from catalog_ai.services import starting
from catalog_ai.services.catalogue import Catalogue, open_catalogue, status
from catalog_ai.services.training import register
from tests.helpers import fake_model, write_photo


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


def test_labelled_photos_are_learnt_from_and_taken_in(
    catalogue: Catalogue, tmp_path: Path, trained: list[Path | None], steps: list[str]
) -> None:
    photos = labelled(tmp_path / "photos")
    filled(catalogue, photos, steps)
    assert trained == [photos]
    assert steps == ["Training a model", "Taking in the photos"]
    now = status(catalogue)
    assert now.products == 16
    assert starting.MODEL not in now.notes


def test_a_second_start_does_nothing(
    catalogue: Catalogue, tmp_path: Path, trained: list[Path | None], steps: list[str]
) -> None:
    photos = labelled(tmp_path / "photos")
    filled(catalogue, photos, steps)
    steps.clear()
    filled(catalogue, photos, steps)
    assert steps == []
    assert len(trained) == 1


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
    assert len(trained) == 1
    assert status(catalogue).products == 16


def test_photos_without_labels_borrow_the_samples_model_and_say_so(
    catalogue: Catalogue,
    tmp_path: Path,
    trained: list[Path | None],
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = open_catalogue(settings(home=tmp_path / "sample"))
    register(sample, fake_model(sample.settings.models, "of-the-sample"), activate=True)
    monkeypatch.setattr(starting, "SAMPLE_HOME", sample.settings.home)
    for number in range(3):
        write_photo(tmp_path / "photos" / f"{number}.jpg", size=(60 + number, 80))
    filled(catalogue, tmp_path / "photos", steps)
    assert trained == []
    now = status(catalogue)
    assert now.products == 3
    assert "no labels to learn from" in now.notes[starting.MODEL]
    sample.engine.dispose()


def test_without_any_model_the_sample_is_learnt_from(
    catalogue: Catalogue,
    tmp_path: Path,
    trained: list[Path | None],
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "SAMPLE_HOME", tmp_path / "nowhere")
    monkeypatch.setattr(starting, "write_sample", lambda folder: labelled(folder / "photos"))
    write_photo(tmp_path / "photos" / "one.jpg")
    filled(catalogue, tmp_path / "photos", steps)
    assert trained == [catalogue.settings.home / "sample" / "photos"]
    assert starting.MODEL in status(catalogue).notes


def test_sample_and_own_photos_never_meet() -> None:
    assert starting.home_for(None) != starting.home_for(Path("/photos"))
