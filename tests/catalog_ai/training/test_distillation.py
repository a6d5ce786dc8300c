"""A student meets the crops that its teacher was asked about, with the teacher's opinion."""

from pathlib import Path

import numpy as np
import pytest
import torch

from catalog_ai.checkpoint import Checkpoint, load_checkpoint
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.errors import UsageError
from catalog_ai.training.distillation import Lessons, TaughtLoader, ask_teacher
from tests.helpers import fake_model, photo_arrays

PLAIN = BatchAugmentation(
    scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.0, perspective=0.0
)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = fake_model(tmp_path_factory.mktemp("models"), "teacher", ("hat", "Dress", "shoes"))
    return load_checkpoint(folder)


def asked(teacher: Checkpoint, seed: int = 0, crops: int = 2) -> Lessons:
    photos = photo_arrays(3, ("dress", "hat"))
    return ask_teacher(teacher, photos, crops=crops, size=64, augmentation=PLAIN, seed=seed)


def test_opinions_are_the_teachers_of_the_students_classes(teacher: Checkpoint) -> None:
    lessons = asked(teacher)
    assert lessons.crops.shape == (2, 6, 64, 64, 3)
    assert lessons.opinions.shape == (2, 6, 2)
    np.testing.assert_allclose(lessons.opinions.sum(2), 1, atol=1e-6)
    pixels = torch.from_numpy(lessons.crops[0].transpose(0, 3, 1, 2)).float() / 127.5 - 1
    with torch.inference_mode():
        logits = teacher.classifier(pixels)[:, [1, 0]]  # dress, hat: the student's order
    np.testing.assert_allclose(lessons.opinions[0], logits.softmax(1).numpy(), atol=0.02)


def test_the_same_seed_asks_about_the_same_crops(teacher: Checkpoint) -> None:
    first, again, other = asked(teacher), asked(teacher), asked(teacher, seed=1)
    np.testing.assert_array_equal(first.crops, again.crops)
    np.testing.assert_array_equal(first.opinions, again.opinions)
    assert not np.array_equal(first.crops, other.crops)


def test_a_category_that_the_teacher_does_not_know_is_refused(teacher: Checkpoint) -> None:
    with pytest.raises(UsageError, match="does not know cape: leave them out with --classes"):
        ask_teacher(
            *(teacher, photo_arrays(2, ("hat", "cape"))),
            crops=1,
            size=64,
            augmentation=PLAIN,
            seed=0,
        )


def test_each_photo_comes_once_an_epoch_with_the_opinion_of_that_very_crop() -> None:
    photos = photo_arrays(5, ("dress", "hat"))
    crops = np.zeros((3, 10, 64, 64, 3), np.uint8)
    opinions = np.zeros((3, 10, 2), np.float32)
    for crop in range(3):
        for photo in range(10):
            crops[crop, photo] = 20 * photo + crop
            opinions[crop, photo] = crop, photo
    loader = TaughtLoader(photos, PLAIN, 4, seed=1, lessons=Lessons(crops, opinions))
    assert len(loader) == 3
    epochs = []
    for _ in range(2):
        seen = []
        for images, targets in loader:
            level = ((images + 1) * 127.5).mean((1, 2, 3)).round().long()
            assert torch.equal(level % 20, targets[:, 0].long())
            assert torch.equal(level // 20, targets[:, 1].long())
            seen += level.tolist()
        assert sorted(level // 20 for level in seen) == list(range(10))
        epochs.append(seen)
    assert epochs[0] != epochs[1]
    lessons = Lessons(crops, opinions).take(np.array([4, 2]))
    assert lessons.crops.shape[1] == 2
    np.testing.assert_array_equal(lessons.opinions[1], [[1, 4], [1, 2]])


def test_a_taught_recipe_names_its_teacher(teacher: Checkpoint, tmp_path: Path) -> None:
    from catalog_ai.data.sources import read_source
    from catalog_ai.training.recipes import train_recipe
    from tests.helpers import write_photo

    for label, colour in (("dress", "#c03030"), ("hat", "#3030c0")):
        for number in range(9):
            write_photo(tmp_path / "in" / label / f"{label}{number}.jpg", colour, (60 + number, 80))
    result = train_recipe(
        *("small", read_source(tmp_path / "in")),
        out=tmp_path / "out",
        version="student",
        epochs=2,
        siamese_epochs=1,
        options={"crops": 2},
        teacher=teacher,
    )
    assert result.meta["hyperparameters"]["teacher"] == "teacher"
    assert len(result.meta["history"]["classifier"]) == 2
    with pytest.raises(UsageError, match="takes no teacher: choose small"):
        train_recipe(
            *("article", read_source(tmp_path / "in")), out=tmp_path / "out", teacher=teacher
        )
