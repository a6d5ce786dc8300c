"""A small model that learns a large one's opinion of each crop (Hinton et al. 2015).

Both look at the same crop, as in "Knowledge distillation: a good teacher is patient and consistent"
(Beyer et al. 2022): the teacher is asked once about a number of crops of each photo, and the
student then meets these for as many epochs as it has time for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from catalog_ai.checkpoint import Checkpoint
from catalog_ai.data.dataset import PhotoArrays
from catalog_ai.data.loaders import ShuffledLoader
from catalog_ai.data.sources import normal_label
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.errors import UsageError
from catalog_ai.inference.runner import quick_runner

_BATCH = 64


@dataclass(frozen=True)
class Lessons:
    """V crops of N photos, and the teacher's opinion of each.

    `crops` (V, N, S, S, 3) uint8, `opinions` (V, N, C) float32, probabilities of the student's
    classes.
    """

    crops: NDArray[np.uint8]
    opinions: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64]) -> "Lessons":
        """Return the lessons of these photos only."""
        return Lessons(self.crops[:, rows], self.opinions[:, rows])


def ask_teacher(
    teacher: Checkpoint,
    photos: PhotoArrays,
    *,
    crops: int,
    size: int,
    augmentation: BatchAugmentation,
    seed: int,
) -> Lessons:
    """Return the opinion of `teacher` on `crops` random crops of each photo, kept at `size` pixels.

    Raises `UsageError` where the teacher does not know one of the classes.
    """
    columns = _columns(teacher, photos.classes)
    side = teacher.preprocessing.size
    large = replace(augmentation, size=side)
    answer = quick_runner(teacher, crops * len(photos))
    kept = np.empty((crops, len(photos), size, size, 3), np.uint8)
    opinions = np.empty((crops, len(photos), len(columns)), np.float32)
    generator = torch.Generator().manual_seed(seed)
    for crop in range(crops):
        for start in range(0, len(photos), _BATCH):
            rows = slice(start, start + _BATCH)
            pixels = torch.from_numpy(photos.pixels[rows].transpose(0, 3, 1, 2))
            images = large(pixels, generator).clamp(-1, 1)
            logits, *_ = answer(teacher.preprocessing.of_symmetric(images).numpy())
            chosen = torch.from_numpy(logits)[:, columns] / teacher.temperature
            opinions[crop, rows] = chosen.softmax(1).numpy()
            kept[crop, rows] = _shrunk(images, size)
    return Lessons(kept, opinions)


@dataclass
class TaughtLoader(ShuffledLoader):
    """Shuffled batches of one crop of each photo with the teacher's opinion of it.

    Yields ([B, 3, S, S] float, -1..1, [B, C] float probabilities).
    """

    lessons: Lessons = field(kw_only=True)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator, order = self.next_epoch()
        for rows in order.split(self.batch_size):
            if len(rows) > 1:
                crop = torch.randint(len(self.lessons.crops), (len(rows),), generator=generator)
                place = crop.numpy(), rows.numpy()
                pixels = torch.from_numpy(self.lessons.crops[place]).permute(0, 3, 1, 2)
                images = self.augmentation(pixels, generator)
                yield (
                    images.contiguous(memory_format=torch.channels_last),
                    torch.from_numpy(self.lessons.opinions[place]),
                )


def _columns(teacher: Checkpoint, classes: tuple[str, ...]) -> list[int]:
    place = {normal_label(name): row for row, name in enumerate(teacher.meta["classes"])}
    unknown = [name for name in classes if normal_label(name) not in place]
    if unknown:
        raise UsageError(
            f"the teacher {teacher.meta['version']!r} does not know {', '.join(unknown)}: leave "
            "them out with --classes, or train without --teacher"
        )
    return [place[normal_label(name)] for name in classes]


def _shrunk(images: Tensor, size: int) -> NDArray[np.uint8]:
    small = functional.interpolate(
        images, (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    pixels = ((small.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    return pixels.numpy()
