"""Photos in memory, decoded once, and the triplets that the siamese encoder learns from."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from catalog_ai.data.sources import Problem, SourceItem, normal_label
from catalog_ai.errors import PhotoError, TrainingDataError
from catalog_ai.images import Pixels, decode, read_photo, resize_square

MEMORY_LIMIT = 2 * 1024**3  # bytes of pixels; beyond it they live in a memory-mapped file
_THREADS = 2

Progress = Callable[[float, str], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PhotoArrays:
    """N photos as small squares: `pixels` (N, S, S, 3) uint8, `targets` (N,) int64 into classes."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.int64]
    classes: tuple[str, ...]
    sha256: tuple[str, ...]
    skus: tuple[str, ...]
    skipped: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: NDArray[np.int64]) -> "PhotoArrays":
        """Return these photos only."""
        return replace(
            self,
            pixels=self.pixels[rows],
            targets=self.targets[rows],
            sha256=tuple(self.sha256[row] for row in rows),
            skus=tuple(self.skus[row] for row in rows),
        )

    def resized(self, size: int) -> "PhotoArrays":
        """Return the same photos at `size` × `size` pixels."""
        if self.pixels.shape[1] == size:
            return self
        pixels = _allocate(len(self), size)
        for row, photo in enumerate(self.pixels):
            pixels[row] = resize_square(photo, size)
        return replace(self, pixels=pixels)


def load_photos(
    items: Sequence[SourceItem],
    size: int,
    *,
    classes: Sequence[str],
    progress: Progress | None = None,
) -> PhotoArrays:
    """Decode each photo whose label is one of `classes` once, squeezed to size×size pixels.

    Unreadable photos are left out and listed in `skipped`. Raises `TrainingDataError` where
    nothing is left.
    """
    numbers = {normal_label(name): number for number, name in enumerate(classes)}
    wanted = [item for item in items if normal_label(item.label or "") in numbers]
    pixels = _allocate(len(wanted), size)
    digests: list[str] = []
    kept: list[SourceItem] = []
    skipped: list[Problem] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for done, (item, outcome) in enumerate(
            zip(wanted, pool.map(lambda item: _small(item.path, size), wanted), strict=True), 1
        ):
            if isinstance(outcome, PhotoError):
                skipped.append(Problem(item.image, outcome.code, outcome.reason))
            else:
                pixels[len(kept)] = outcome[0]
                digests.append(item.digest or outcome[1])
                kept.append(item)
            if progress is not None and (done % 50 == 0 or done == len(wanted)):
                progress(done / len(wanted), f"Reading photos: {done:,} of {len(wanted):,}")
    if not kept:
        raise TrainingDataError(
            f"no readable photo carries one of the labels {', '.join(classes)}: check the folder"
        )
    return PhotoArrays(
        pixels[: len(kept)],
        np.array([numbers[normal_label(item.label or "")] for item in kept], dtype=np.int64),
        *(tuple(classes), tuple(digests)),
        skus=tuple(item.sku for item in kept),
        skipped=tuple(skipped),
    )


def _small(path: Path, size: int) -> tuple[Pixels, str] | PhotoError:
    try:
        data = read_photo(path)
        return resize_square(decode(data), size), sha256(data).hexdigest()
    except PhotoError as error:
        return error


def _allocate(count: int, size: int) -> NDArray[np.uint8]:
    shape = (count, size, size, 3)
    if int(np.prod(shape)) <= MEMORY_LIMIT:
        return np.empty(shape, dtype=np.uint8)
    with tempfile.TemporaryFile() as file:  # the mapping keeps the nameless file alive
        return np.memmap(file, dtype=np.uint8, mode="w+", shape=shape)


class CatalogDataset(Dataset[tuple[Any, int]]):
    """Photos held in memory: item i is (transform(image), target).

    `transform` takes a PIL image, as torchvision's do; without one the image itself comes back.
    """

    def __init__(
        self, photos: PhotoArrays, transform: Callable[[Image.Image], Any] | None = None
    ) -> None:
        self.photos = photos
        self.transform = transform

    @property
    def classes(self) -> tuple[str, ...]:
        """Category names; a target is an index into them."""
        return self.photos.classes

    @property
    def targets(self) -> NDArray[np.int64]:
        """(N,) int64, known without touching a pixel."""
        return self.photos.targets

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self.photos.pixels[index])
        transformed = image if self.transform is None else self.transform(image)
        return transformed, int(self.photos.targets[index])


class TripletDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """(anchor, positive, negative) photos; the positive shares the anchor's category.

    The article's dataset decodes every photo to learn its label, may return the anchor as its own
    positive, and draws from a global generator. Here labels come from `dataset.targets`, the
    positive is always another photo, and the draw for item i depends on (seed, epoch, i) alone, so
    any number of loader workers gives the same triplets. A category with a single photo gives no
    anchor (but negatives); that is logged once. Raises `TrainingDataError` for fewer than two
    categories or no possible anchor.
    """

    def __init__(self, dataset: CatalogDataset, seed: int = 0) -> None:
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0
        self.labels_to_indices = {
            int(label): np.flatnonzero(dataset.targets == label)
            for label in np.unique(dataset.targets)
        }
        if len(self.labels_to_indices) < 2:
            raise TrainingDataError("triplets need photos of at least two categories: add some")
        single = [label for label, found in self.labels_to_indices.items() if len(found) == 1]
        if single:
            names = ", ".join(dataset.classes[label] for label in single)
            log.warning("a single photo gives no anchor, since it has no positive: %s", names)
        self.anchors = np.flatnonzero(~np.isin(dataset.targets, single))
        if not len(self.anchors):
            raise TrainingDataError("no category has two photos: add some to learn similarity from")

    def set_epoch(self, epoch: int) -> None:
        """Draw other positives and negatives in the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.anchors)

    def indices(self, index: int) -> tuple[int, int, int]:
        """Return which photos make up triplet `index`, without decoding one."""
        draw = np.random.default_rng((self.seed, self.epoch, index))
        anchor = int(self.anchors[index])
        label = int(self.dataset.targets[anchor])
        same = self.labels_to_indices[label]
        positive = int(draw.choice(same[same != anchor]))
        others = [other for other in self.labels_to_indices if other != label]
        negative = int(draw.choice(self.labels_to_indices[int(draw.choice(others))]))
        return anchor, positive, negative

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        anchor, positive, negative = (self.dataset[number][0] for number in self.indices(index))
        return anchor, positive, negative
