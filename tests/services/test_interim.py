"""What an ingest computed and could not write any more is there for the next one."""

from pathlib import Path

import numpy as np
import pytest

from catalog_ai.inference.predicting import Answer, Outputs
from catalog_ai.services import intake
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier, model_row
from catalog_ai.services.ingest import Wishes, ingest
from catalog_ai.services.interim import Found, Interim
from catalog_ai.services.preparing import Prepared, StoredPhoto
from catalog_ai.services.training import register
from db.commands import products as commands
from tests.helpers import fake_model, write_photo

FILES = 4


def found(number: int, *, asked: bool = True) -> Found:
    """Return what is known of the photo of a number."""
    digest = f"{number:064x}"
    answer = Answer(
        np.array([0.25, 0.75], np.float32),
        np.full(4, number, np.float32),
        np.full(3, number, np.float16),
    )
    return Found(
        digest, f"images/{digest}.jpg", f"thumbnails/ü{digest}.jpg", answer if asked else None
    )


def same(one: Found, other: Found) -> bool:
    """Return whether two say the same of a photo, number for number."""
    if one[:3] != other[:3] or (one.answer is None) != (other.answer is None):
        return False
    parts = zip(one.answer or (), other.answer or (), strict=True)
    return all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in parts)


def begin(folder: Path, made_by: str = "one") -> Interim:
    return Interim.begin(folder, made_by, FILES)


def test_the_next_run_finds_what_was_kept(tmp_path: Path) -> None:
    chunks = [[found(1), found(2, asked=False)], [found(3)]]
    first = begin(tmp_path)
    assert not first.left
    for number, chunk in enumerate(chunks):
        first.keep(number, chunk)
    left = begin(tmp_path).left
    assert len(left) == 3
    assert all(same(left[one.digest], one) for chunk in chunks for one in chunk)


def test_it_is_still_there_when_the_next_run_is_killed_as_well(tmp_path: Path) -> None:
    begin(tmp_path).keep(0, [found(1)])
    second = begin(tmp_path)
    for number in range(2 * FILES):
        second.keep(number, [found(10 + number)])
    left = begin(tmp_path).left
    assert found(1).digest in left
    assert found(10 + 2 * FILES - 1).digest in left
    assert len(list(tmp_path.iterdir())) == FILES + 1


def test_another_model_finds_nothing(tmp_path: Path) -> None:
    begin(tmp_path).keep(0, [found(1)])
    assert not begin(tmp_path, "another").left


@pytest.mark.parametrize("damage", [b"", b"0000", None])
def test_a_file_that_was_being_written_is_passed_over(tmp_path: Path, damage: bytes | None) -> None:
    first = begin(tmp_path)
    first.keep(0, [found(1)])
    first.keep(1, [found(2)])
    path = tmp_path / "0"
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert begin(tmp_path).left.keys() == {found(2).digest}


def test_what_is_written_is_forgotten(tmp_path: Path) -> None:
    begin(tmp_path).keep(0, [found(1)])
    second = begin(tmp_path)
    second.keep(3, [found(2)])
    second.clear()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_nothing_stops_nobody(tmp_path: Path) -> None:
    interim = begin(tmp_path / "interim")
    (tmp_path / "interim").rmdir()
    interim.keep(0, [found(1)])
    interim.clear()


@pytest.mark.sqlite("files, not rows")
def test_an_ingest_that_failed_while_it_wrote_asks_the_model_nothing_again(
    catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    for number in range(4):
        write_photo(tmp_path / "in" / f"{number}.jpg", f"#{number:02x}40a0")
    monkeypatch.setattr(intake, "GROUP", 2)
    answered: list[int] = []
    answers, store = Outputs.answers, commands.store_outputs

    def counting(outputs: Outputs) -> list[Answer]:
        answered.append(len(outputs.vectors))
        return answers(outputs)

    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(Outputs, "answers", counting)
    monkeypatch.setattr(commands, "store_outputs", failing)
    with pytest.raises(RuntimeError, match="lights"):
        ingest(catalogue, tmp_path / "in")
    computed = sum(answered)
    assert computed in (2, 4)
    monkeypatch.setattr(commands, "store_outputs", store)
    next(catalogue.settings.thumbnails.glob("*/*.jpg")).unlink()
    report = ingest(catalogue, tmp_path / "in")
    assert (report.added, report.computed) == (4, 4)
    assert sum(answered) == 4 + 1  # but the one whose thumbnail somebody deleted
    assert len(list(catalogue.settings.thumbnails.glob("*/*.jpg"))) == 4
    assert not list(catalogue.settings.interim.iterdir())


@pytest.mark.sqlite("files, not rows")
def test_a_dry_run_keeps_nothing(catalogue: Catalogue, tmp_path: Path) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    write_photo(tmp_path / "in" / "a.jpg")
    ingest(catalogue, tmp_path / "in", wishes=Wishes(dry_run=True))
    assert not catalogue.settings.interim.exists()


def test_classifier_loads_nothing_for_what_is_answered(catalogue: Catalogue) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    classifier = Classifier(catalogue, model_row(catalogue, None))
    one = Prepared((StoredPhoto(0, found(1).digest),), answer=found(1).answer)
    (output,) = classifier.outputs([one])
    assert output is not None
    assert output.image_sha256 == found(1).digest
    assert not classifier.is_loaded
