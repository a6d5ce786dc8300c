"""Photos in memory: decoded once, split, batched, augmented, drawn into triplets the same way."""

import logging
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from catalog_ai.data import dataset as dataset_module
from catalog_ai.data.dataset import CatalogDataset, PhotoArrays, TripletDataset, load_photos
from catalog_ai.data.loaders import (
    BatchLoader,
    PlainLoader,
    split_by_seed,
    train_loader,
    validation_loader,
)
from catalog_ai.data.sources import SourceItem, read_source
from catalog_ai.data.transforms import (
    BatchAugmentation,
    train_transform,
    validation_transform,
)
from catalog_ai.errors import TrainingDataError
from catalog_ai.images import Pixels, decode, resize_square
from catalog_ai.preprocessing import Preprocessing
from tests.helpers import write_photo


def arrays(counts: tuple[int, ...] = (5, 4, 3), size: int = 16) -> PhotoArrays:
    """Random photos, `counts[c]` of class c, shuffled; pixel (0, 0) of photo i is its number."""
    random = np.random.default_rng(1)
    targets = random.permutation(np.repeat(np.arange(len(counts)), counts)).astype(np.int64)
    pixels = random.integers(0, 256, (len(targets), size, size, 3), dtype=np.uint8)
    pixels[:, 0, 0, :] = np.arange(len(targets))[:, None]
    names = tuple(f"sku-{number}" for number in range(len(targets)))
    classes = tuple("abcdefgh"[: len(counts)])
    return PhotoArrays(pixels, targets, classes, sha256=names, skus=names)


def number_of(image: Image.Image) -> torch.Tensor:
    """A transform that gives away which photo it was shown."""
    return torch.tensor(np.asarray(image)[0, 0, 0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, label in enumerate(["dress", "hat", "dress", "hat", "Hat ", "bag"]):
        write_photo(tmp_path / label / f"{number}.jpg", color=(40 * number, 10, 200))
    (tmp_path / "dress" / "broken.jpg").write_bytes(b"no photo")
    (tmp_path / "hat" / "empty.png").touch()
    return tmp_path


# --- load_photos ---------------------------------------------------------------------------------


def test_photos_of_the_wanted_classes_are_decoded_once_in_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []

    def counting(data: bytes) -> Pixels:
        decoded.append(sha256(data).hexdigest())
        return decode(data)

    monkeypatch.setattr(dataset_module, "decode", counting)
    items = read_source(folder).items
    photos = load_photos(items, 24, classes=["hat", "dress"])
    good = [item for item in items if item.label != "bag" and item.sku not in ("broken", "empty")]
    assert photos.skus == tuple(item.sku for item in good)
    assert photos.targets.tolist() == [1 if item.label == "dress" else 0 for item in good]
    assert photos.targets.dtype == np.int64
    for pixels, digest, item in zip(photos.pixels, photos.sha256, good, strict=True):
        data = item.path.read_bytes()
        assert digest == sha256(data).hexdigest()
        assert (pixels == resize_square(decode(data), 24)).all()
    assert {(problem.image, problem.code) for problem in photos.skipped} == {
        ("dress/broken.jpg", "not_a_photo"),
        ("hat/empty.png", "empty"),
    }
    for image, _ in CatalogDataset(photos):
        assert image.size == (24, 24)
    # The five good ones and the broken one; the empty file never reaches the decoder.
    assert len(decoded) == 6
    assert max(Counter(decoded).values()) == 1


def test_photos_beyond_the_memory_limit_live_in_a_file_and_are_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = read_source(folder).items
    in_memory = load_photos(items, 16, classes=["dress", "hat"])
    assert not isinstance(in_memory.pixels, np.memmap)
    monkeypatch.setattr(dataset_module, "MEMORY_LIMIT", 16 * 16 * 3)
    mapped = load_photos(items, 16, classes=["dress", "hat"])
    assert isinstance(mapped.pixels, np.memmap)
    assert (mapped.pixels == in_memory.pixels).all()
    assert mapped.skus == in_memory.skus


def test_reading_reports_progress_up_to_the_end(folder: Path) -> None:
    told: list[tuple[float, str]] = []
    items = read_source(folder).items
    load_photos(items, 16, classes=["hat"], progress=lambda share, text: told.append((share, text)))
    assert told == [(1.0, "Reading photos: 4 of 4")]


@pytest.mark.parametrize("names", [["nothing", "else"], ["broken"]])
def test_no_readable_photo_is_an_error_that_names_the_classes(
    tmp_path: Path, names: list[str]
) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(b"no photo")
    items = [
        SourceItem(sku, tmp_path, "x.jpg", label) for sku, label in (("x", "broken"), ("y", None))
    ]
    with pytest.raises(TrainingDataError, match=", ".join(names)):
        load_photos(items, 16, classes=names)


# --- triplets ------------------------------------------------------------------------------------


def test_labels_of_triplets_come_without_touching_a_pixel() -> None:
    def fail(image: Image.Image) -> torch.Tensor:
        raise AssertionError("a photo was opened")

    triplets = TripletDataset(CatalogDataset(arrays(), fail), seed=0)
    for index in range(len(triplets)):
        triplets.indices(index)
    with pytest.raises(AssertionError, match="opened"):
        triplets[0]


def test_triplets_hold_two_of_one_category_and_one_of_another() -> None:
    photos = arrays()
    triplets = TripletDataset(CatalogDataset(photos, number_of), seed=3)
    seen_positives, seen_negatives = set(), set()
    for epoch in range(100):
        triplets.set_epoch(epoch)
        anchors = []
        for index in range(len(triplets)):
            anchor, positive, negative = triplets.indices(index)
            assert anchor != positive
            assert photos.targets[anchor] == photos.targets[positive]
            assert photos.targets[anchor] != photos.targets[negative]
            anchors.append(anchor)
            seen_positives.add((anchor, positive))
            seen_negatives.add((anchor, negative))
        assert anchors == list(range(12))
    # Every possible pair is drawn sooner or later.
    assert len(seen_positives) == 5 * 4 + 4 * 3 + 3 * 2
    assert len(seen_negatives) == 5 * 7 + 4 * 8 + 3 * 9
    assert tuple(int(value) for value in triplets[4]) == triplets.indices(4)


def test_negatives_are_drawn_by_category_first() -> None:
    """A category with few photos is as often the negative as one with many."""
    photos = arrays((2, 40, 2))
    triplets = TripletDataset(CatalogDataset(photos))
    anchor = int(np.flatnonzero(photos.targets == 0)[0])
    drawn: Counter[int] = Counter()
    for epoch in range(200):
        triplets.set_epoch(epoch)
        drawn[int(photos.targets[triplets.indices(anchor)[2]])] += 1
    assert 60 < drawn[2] < 140


def test_seed_and_epoch_change_the_draw_and_nothing_else_does() -> None:
    def drawn(seed: int, epoch: int) -> list[tuple[int, int, int]]:
        triplets = TripletDataset(CatalogDataset(arrays()), seed=seed)
        triplets.set_epoch(epoch)
        np.random.seed(epoch)  # a global generator must not matter
        return [triplets.indices(index) for index in range(len(triplets))]

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(1, 1)
    assert drawn(0, 1) != drawn(0, 2)


def test_a_single_photo_gives_no_anchor_but_negatives_and_one_log_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    photos = arrays((3, 1, 1))
    with caplog.at_level(logging.WARNING):
        triplets = TripletDataset(CatalogDataset(photos, number_of))
        drawn = [
            triplets.indices(index)
            for epoch in range(10)
            for index in range(len(triplets))
            if triplets.set_epoch(epoch) is None
        ]
    assert len(triplets) == 3
    assert {int(photos.targets[anchor]) for anchor, _, _ in drawn} == {0}
    assert {int(photos.targets[negative]) for _, _, negative in drawn} == {1, 2}
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().endswith("b, c")


@pytest.mark.parametrize(("counts", "words"), [((4,), "two categories"), ((1, 1), "two photos")])
def test_triplets_that_cannot_be_made_are_refused(counts: tuple[int, ...], words: str) -> None:
    with pytest.raises(TrainingDataError, match=words):
        TripletDataset(CatalogDataset(arrays(counts)))


def test_any_number_of_workers_gives_the_same_triplets() -> None:
    def passes(workers: int) -> list[list[tuple[int, ...]]]:
        triplets = TripletDataset(CatalogDataset(arrays(), number_of), seed=5)
        loader = train_loader(triplets, batch_size=4, workers=workers, seed=9)
        found = []
        for epoch in (1, 2):
            triplets.set_epoch(epoch)
            found.append([tuple(torch.stack(batch).flatten().tolist()) for batch in loader])
        return found

    alone = passes(0)
    assert alone[0] != alone[1]
    assert passes(2) == alone


# --- loaders -------------------------------------------------------------------------------------


def test_train_loader_leaves_out_a_last_batch_of_one() -> None:
    """Batch norm cannot train on a single photo."""
    dataset = CatalogDataset(arrays((5, 4)), number_of)
    assert [len(targets) for _, targets in train_loader(dataset, batch_size=4)] == [4, 4]
    assert [len(targets) for _, targets in train_loader(dataset, batch_size=5)] == [5, 4]
    order = [int(number) for images, _ in train_loader(dataset, batch_size=3) for number in images]
    assert sorted(order) == list(range(9))
    assert order != list(range(9))


def test_validation_loader_keeps_the_order() -> None:
    dataset = CatalogDataset(arrays(), number_of)
    numbers = [int(n) for images, _ in validation_loader(dataset, batch_size=5) for n in images]
    assert numbers == list(range(12))


def test_plain_loader_gives_what_the_article_s_transform_gives() -> None:
    photos = arrays()
    slow = CatalogDataset(photos, validation_transform(16))
    loader = PlainLoader(photos, batch_size=5)
    images, targets = (torch.cat(part) for part in zip(*loader, strict=True))
    assert len(loader) == len(list(loader)) == 3
    assert targets.tolist() == photos.targets.tolist()
    for index in range(len(photos)):
        torch.testing.assert_close(images[index], slow[index][0])


STILL = BatchAugmentation(16, scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.0)


def test_batch_loader_shows_each_photo_once_with_its_own_label() -> None:
    photos = arrays((9, 8, 4))  # 21 photos: batches of 4 leave one over
    loader = BatchLoader(photos, STILL, batch_size=4, seed=2)
    batches = list(loader)
    assert len(batches) == len(loader) == 5
    assert [len(targets) for _, targets in batches] == [4] * 5
    every = Preprocessing().normalize(torch.from_numpy(photos.pixels).permute(0, 3, 1, 2))
    both = torch.cat([every, every.flip(3)])
    seen = []
    for images, targets in batches:
        for image, target in zip(images, targets, strict=True):
            distances = (both - image).abs().amax((1, 2, 3))
            assert distances.min() < 1e-4
            found = int(distances.argmin()) % len(photos)
            assert photos.targets[found] == target
            seen.append(found)
    assert len(set(seen)) == 20


def test_batch_loader_depends_on_seed_and_epoch_alone() -> None:
    def epochs(seed: int) -> list[torch.Tensor]:
        loader = BatchLoader(arrays(), BatchAugmentation(16), batch_size=5, seed=seed)
        torch.rand(seed + 1)  # a global generator must not matter
        return [torch.cat([images for images, _ in loader]) for _ in range(2)]

    first, second = epochs(0)
    assert all(map(torch.equal, epochs(0), (first, second)))
    assert not torch.equal(first, second)
    assert not torch.equal(epochs(1)[0], first)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_split_takes_a_share_of_each_category(share: float) -> None:
    targets = arrays((20, 10, 3, 2)).targets
    training, validation = split_by_seed(targets, share=share, seed=4)
    assert sorted([*training, *validation]) == list(range(35))
    for label, count in enumerate((20, 10, 3, 2)):
        assert (targets[validation] == label).sum() == max(1, round(share * count))
    again = split_by_seed(targets, share=share, seed=4)
    assert all(map(np.array_equal, again, (training, validation)))
    assert not np.array_equal(split_by_seed(targets, share=share, seed=5)[1], validation)


def test_a_category_with_one_photo_cannot_be_split() -> None:
    with pytest.raises(TrainingDataError, match="one photo"):
        split_by_seed(arrays((4, 1)).targets)


# --- transforms ----------------------------------------------------------------------------------


def test_the_validation_transform_is_to_tensor_and_normalize() -> None:
    image = Image.fromarray(arrays(size=16).pixels[0])
    expected = torch.empty(3, 16, 16)
    values = np.asarray(image)
    for row in range(16):
        for column in range(16):
            for channel in range(3):
                value = float(values[row, column, channel])
                expected[channel, row, column] = (value / 255 - 0.5) / 0.5
    torch.testing.assert_close(validation_transform(16)(image), expected)
    whole = torch.from_numpy(values.copy()).permute(2, 0, 1)
    torch.testing.assert_close(Preprocessing().normalize(whole), expected)
    assert Preprocessing().normalize(whole).dtype == torch.float32


def test_both_transforms_give_64_pixels_in_range() -> None:
    image = Image.fromarray(arrays(size=40).pixels[0])
    torch.manual_seed(0)
    for transform in (train_transform(), validation_transform()):
        tensor = transform(image)
        assert tensor.shape == (3, 64, 64)
        assert tensor.dtype == torch.float32
        assert tensor.min() >= -1
        assert tensor.max() <= 1
    steps = train_transform()
    assert not torch.equal(steps(image), steps(image))  # random, and nothing else here is
    assert torch.equal(validation_transform()(image), validation_transform()(image))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 64, size: int = 20) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), generator=generator(7)).to(torch.uint8)


@pytest.mark.parametrize("size", [12, 20, 32])
def test_augmentation_gives_the_wanted_size_in_a_sensible_range(size: int) -> None:
    images = BatchAugmentation(size)(pictures(), generator())
    assert images.shape == (64, 3, size, size)
    assert images.dtype == torch.float32
    assert images.isfinite().all()
    assert images.abs().max() < 2.2


def test_the_same_generator_augments_the_same_way() -> None:
    augment = BatchAugmentation(16)
    first = augment(pictures(), generator(1))
    assert torch.equal(augment(pictures(), generator(1)), first)
    assert not torch.equal(augment(pictures(), generator(2)), first)


def test_without_strength_only_flips_are_left_about_half_of_the_time() -> None:
    augment = BatchAugmentation(20, scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.0)
    plain = Preprocessing().normalize(pictures(200))
    images = augment(pictures(200), generator())
    flipped = (images - plain.flip(3)).abs().amax((1, 2, 3)) < 1e-4
    kept = (images - plain).abs().amax((1, 2, 3)) < 1e-4
    assert (flipped ^ kept).all()
    assert 60 < int(flipped.sum()) < 140


def test_cutout_greys_one_square_of_the_asked_size() -> None:
    augment = BatchAugmentation(20, scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.3)
    white = torch.full((50, 3, 20, 20), 255, dtype=torch.uint8)
    images = augment(white, generator())
    grey = (images == 0).all(1)
    assert ((images - 1).abs().amax(1) < 1e-5).logical_or(grey).all()
    for mask in grey:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None, :])  # one rectangle
        assert int(rows.sum()) <= 7
        assert int(columns.sum()) <= 7
    assert int(grey.sum((1, 2)).max()) == 36


def test_crops_stay_within_the_picture_and_keep_enough_of_it() -> None:
    """The map of each crop: its corners lie within the picture and its area is large enough."""
    augment = BatchAugmentation(16, scale=0.5, ratio=1.3, degrees=0.0)
    theta = augment._theta(500, generator())
    for matrix in theta:
        area = abs(float(matrix[0, 0] * matrix[1, 1]))
        assert 0.5 / 1.3 <= area <= 1 + 1e-6
        for axis in (0, 1):
            assert abs(float(matrix[axis, axis])) + abs(float(matrix[axis, 2])) <= 1 + 1e-6
            assert matrix[axis, 1 - axis] == 0


def test_a_loader_of_the_article_feeds_batches() -> None:
    loader = DataLoader(CatalogDataset(arrays(), train_transform(32)), batch_size=5)
    images, targets = next(iter(loader))
    assert images.shape == (5, 3, 32, 32)
    assert targets.dtype == torch.int64


def test_softness_loses_detail_and_nothing_else() -> None:
    sharp = BatchAugmentation(20, scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.0)
    soft = replace(sharp, softness=0.5)
    flat = torch.full((4, 3, 20, 20), 90, dtype=torch.uint8)
    torch.testing.assert_close(soft(flat, generator()), sharp(flat, generator()))

    def detail(images: Tensor) -> Tensor:
        return (images[..., 1:] - images[..., :-1]).square().mean((1, 2, 3))

    before, after = (detail(augment(pictures(), generator())) for augment in (sharp, soft))
    assert (after < before).all()


def test_perspective_and_black_edges_are_what_they_say() -> None:
    still = BatchAugmentation(20, scale=1.0, ratio=1.0, degrees=0.0, colour=0.0, cutout=0.0)
    white = torch.full((8, 3, 20, 20), 255, dtype=torch.uint8)
    turned = replace(still, degrees=40.0)
    assert float(turned(white, generator()).min()) > 0.99  # the picture is reflected at its edges
    assert float(replace(turned, black_edges=1.0)(white, generator()).min()) < -0.99
    tilted = replace(still, perspective=0.3, black_edges=1.0)(white, generator())
    assert tilted.shape == (8, 3, 20, 20)
    assert (tilted < -0.99).any()
    slope = torch.arange(20, dtype=torch.uint8).mul(12).expand(8, 3, 20, 20)
    moved = replace(still, perspective=0.3)(slope, generator())
    steps = (moved[:, 0, 10, 1:] - moved[:, 0, 10, :-1]).abs()
    # Nearer parts are larger: steps along a row differ, where an affine map leaves them equal.
    assert (steps[:, 2:8].mean(1) - steps[:, -8:-2].mean(1)).abs().max() > 0.01
