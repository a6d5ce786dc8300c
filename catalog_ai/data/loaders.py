"""Loaders: the article's, photo by photo, and one that makes whole batches from memory."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from catalog_ai.data.dataset import CatalogDataset, PhotoArrays
from catalog_ai.data.transforms import BatchAugmentation
from catalog_ai.errors import TrainingDataError
from catalog_ai.preprocessing import Preprocessing

BATCH_SIZE = 32
_AUGMENTED_AT_ONCE = 4  # batches: tensor operations on few photos are mostly overhead

Item = TypeVar("Item")


class LabelledLoader(Protocol):
    """What `train_classifier` asks of a loader: batches of (images, targets), and its dataset."""

    dataset: Any

    def __iter__(self) -> Iterator[Any]: ...

    def __len__(self) -> int: ...


def train_loader(
    dataset: Dataset[Item], *, batch_size: int = BATCH_SIZE, workers: int = 0, seed: int = 0
) -> DataLoader[Item]:
    """Return shuffled batches; the order depends on the seed alone."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        shuffle=True,
        num_workers=workers,
        generator=torch.Generator().manual_seed(seed),
        drop_last=isinstance(dataset, Sized) and len(dataset) % batch_size == 1,
    )


def validation_loader(
    dataset: Dataset[Item], *, batch_size: int = 256, workers: int = 0
) -> DataLoader[Item]:
    """Return the photos in their order."""
    return DataLoader(dataset, batch_size=batch_size, num_workers=workers)


@dataclass
class ShuffledLoader:
    """Augmented batches of photos in memory, in a new order each epoch: what such loaders share.

    A last batch of one photo is left out, since batch norm cannot train on it. Everything random
    depends on the seed and the epoch alone.
    """

    photos: PhotoArrays
    augmentation: BatchAugmentation
    batch_size: int
    seed: int = 0
    epoch: int = 0

    def __post_init__(self) -> None:
        self.dataset = CatalogDataset(self.photos)

    def __len__(self) -> int:
        full, rest = divmod(len(self.photos), self.batch_size)
        return full + (rest > 1)

    def next_epoch(self) -> tuple[torch.Generator, Tensor]:
        """Return what is random in the epoch that begins, and the order of the photos in it."""
        generator = torch.Generator().manual_seed(self.seed * 100_003 + self.epoch)
        self.epoch += 1
        return generator, torch.randperm(len(self.photos), generator=generator)


@dataclass
class BatchLoader(ShuffledLoader):
    """Shuffled, augmented batches straight from the arrays: an epoch costs what the sums cost.

    Yields ([B, 3, S, S] float, [B] int64). With `views` above 1 a batch holds that many shots of
    each of its photos, all first shots first.
    """

    views: int = 1
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return ((images, targets) for images, targets, _ in self.numbered())

    def numbered(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the batches with the number of each photo: (images, targets, [B] int64)."""
        generator, order = self.next_epoch()
        for chosen in order.split(self.batch_size * (_AUGMENTED_AT_ONCE if self.views == 1 else 1)):
            if len(chosen) > 1:
                numbers = chosen.repeat(self.views)
                images = self._images(chosen, generator)
                targets = torch.from_numpy(self.photos.targets[numbers.numpy()])
                size = self.batch_size * self.views
                for batch in zip(
                    *(part.split(size) for part in (images, targets, numbers)), strict=True
                ):
                    if len(batch[1]) > 1:
                        yield batch

    def _images(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        # Rows are gathered here, so that a memory-mapped file is read a few at a time.
        pixels = torch.from_numpy(self.photos.pixels[chosen.numpy()]).permute(0, 3, 1, 2)
        views = [self.augmentation(pixels, generator) for _ in range(self.views)]
        images = self.preprocessing.of_symmetric(torch.cat(views) if self.views > 1 else views[0])
        return images.contiguous(memory_format=torch.channels_last)


@dataclass
class PlainLoader:
    """The photos in their order, normalised, nothing random, straight from the arrays.

    Yields ([B, 3, S, S] float, [B] int64).
    """

    photos: PhotoArrays
    batch_size: int = 256
    preprocessing: Preprocessing = field(default_factory=Preprocessing)

    def __post_init__(self) -> None:
        self.dataset = CatalogDataset(self.photos)

    def __len__(self) -> int:
        return -(-len(self.photos) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.photos), self.batch_size):
            part = slice(start, start + self.batch_size)
            pixels = torch.from_numpy(self.photos.pixels[part].transpose(0, 3, 1, 2))
            images = self.preprocessing.normalize(pixels)
            yield (
                images.contiguous(memory_format=torch.channels_last),
                torch.from_numpy(self.photos.targets[part]),
            )


def split_by_seed(
    targets: NDArray[np.int64], *, share: float = 0.1, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (training, validation) indices: `share` of each category, at least one photo of it.

    Raises `TrainingDataError` where a category has a single photo.
    """
    random = np.random.default_rng(seed)
    validation: list[NDArray[np.int64]] = []
    for label in np.unique(targets):
        found = random.permutation(np.flatnonzero(targets == label))
        if len(found) < 2:
            raise TrainingDataError("a category with one photo cannot be split: add more photos")
        validation.append(found[: max(1, round(share * len(found)))])
    held_out = np.sort(np.concatenate(validation))
    return np.setdiff1d(np.arange(len(targets)), held_out), held_out
