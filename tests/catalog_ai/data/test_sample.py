"""The generated sample: whole, reproducible, varied, and its planted errors can be found."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from catalog_ai.curation.label_issues import assess_labels
from catalog_ai.data.drawing.canvas import HEIGHT, WIDTH, Canvas, Pose, bezier, trace
from catalog_ai.data.sample import (
    CATEGORIES,
    WRONG_SHARE,
    Product,
    plan,
    read_truth,
    write_sample,
)
from catalog_ai.errors import SourceError, UsageError

COUNT, SEED = 150, 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    assert write_sample(folder, count=COUNT, seed=SEED) == folder / "photos"
    return folder


@pytest.fixture(scope="module")
def products() -> list[Product]:
    return plan(COUNT, SEED)


@pytest.fixture(scope="module")
def pictures(folder: Path, products: list[Product]) -> list[Image.Image]:
    paths = [folder / "photos" / p.label_given / f"{p.sku}.jpg" for p in products]
    return [Image.open(path) for path in paths]


def edges(picture: Image.Image) -> NDArray[np.float32]:
    """A small histogram of oriented gradients: shape without colour, and nothing learned."""
    grey = np.asarray(picture.convert("L").resize((64, 64)), dtype=np.float32)
    down, right = np.gradient(grey)
    strength, turn = np.hypot(right, down), (np.arctan2(down, right) % np.pi) // (np.pi / 8)
    cells = [(strength * (turn == k)).reshape(8, 8, 8, 8).sum((1, 3)) for k in range(8)]
    return np.sqrt(np.stack(cells).ravel())


def reduced(features: list[NDArray[np.float32]], dimension: int) -> NDArray[np.float32]:
    """Unit vectors of the principal components."""
    centred = np.array(features) - np.mean(features, axis=0)
    components = np.linalg.svd(centred, full_matrices=False)[2][:dimension]
    vectors = centred @ components.T
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_truth_names_every_photo_and_its_folder(folder: Path) -> None:
    photos = {path.stem: path.parent.name for path in (folder / "photos").glob("*/*.jpg")}
    truth = read_truth(folder)
    assert photos == {sku: row.label_given for sku, row in truth.items()}
    assert list(truth) == [f"CC-{i:05d}" for i in range(1, COUNT + 1)]
    assert sum(row.planted for row in truth.values()) == round(WRONG_SHARE * COUNT)
    assert {row.label_true for row in truth.values()} == set(CATEGORIES)


def test_photos_are_portrait_jpegs_with_nothing_but_a_picture(pictures: list[Image.Image]) -> None:
    assert {(p.format, p.mode, p.size) for p in pictures} == {("JPEG", "RGB", (WIDTH, HEIGHT))}
    assert not any(picture.getexif() for picture in pictures)


def test_same_seed_gives_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    drawn = [
        {path.relative_to(photos).as_posix(): path.read_bytes() for path in photos.rglob("*.jpg")}
        for photos in (
            write_sample(tmp_path / name, count=5, seed=seed)
            for name, seed in (("one", 1), ("again", 1), ("other", 2))
        )
    ]
    assert drawn[0] == drawn[1]
    assert not set(drawn[0].values()) & set(drawn[2].values())


def test_plan_keeps_shares_and_spreads_wrong_labels_over_families() -> None:
    products = plan(600, 0)
    counts = Counter(p.label_true for p in products)
    assert all(abs(counts[name] / 600 - c.share) < 0.03 for name, c in CATEGORIES.items())
    wrong = [p for p in products if p.label_given != p.label_true]
    assert len(wrong) == 24 == len({p.style for p in wrong})
    sizes = list(Counter(p.style for p in products).values())
    assert max(sizes) <= 8 and np.mean(sizes) > 5
    # Families are shuffled: neighbours in SKU are no more alike than chance (a seventh) makes them.
    same = [a.label_true == b.label_true for a, b in pairwise(products)]
    assert np.mean(same) < 0.22


def test_nearest_neighbours_are_of_the_same_style(
    pictures: list[Image.Image], products: list[Product]
) -> None:
    colours = [np.asarray(p.crop((120, 150, 240, 330)).resize((2, 3))).ravel() for p in pictures]
    looks = np.hstack([reduced([edges(p) for p in pictures], 32), np.array(colours) / 400.0])
    distances = ((looks[:, None] - looks[None]) ** 2).sum(-1)
    np.fill_diagonal(distances, np.inf)
    styles = np.array([p.style for p in products])
    assert np.mean(styles[distances.argmin(1)] == styles) > 0.6


def test_queue_finds_planted_errors_first(
    pictures: list[Image.Image], products: list[Product]
) -> None:
    names = list(CATEGORIES)
    given = np.array([names.index(p.label_given) for p in products])
    wrong = np.array([p.label_given != p.label_true for p in products])
    vectors = reduced([edges(p) for p in pictures], 64)
    score = assess_labels(vectors, given, len(names)).score
    first = np.argsort(-score)[: round(0.05 * COUNT)]
    assert wrong[first].sum() >= 0.8 * wrong.sum()


def test_interrupted_sample_leaves_nothing(tmp_path: Path) -> None:
    def stop(share: float, message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "sample", count=3, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_one(tmp_path: Path) -> None:
    shares: list[float] = []
    write_sample(tmp_path / "deep" / "sample", count=2, progress=lambda s, _: shares.append(s))
    assert shares == [0.5, 1.0]


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "sample").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        write_sample(tmp_path / "sample", count=1)


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        write_sample(tmp_path / "sample", count=0)
    with pytest.raises(SourceError, match=r"truth\.csv"):
        read_truth(tmp_path)


def test_bezier_equals_repeated_interpolation() -> None:
    controls = [(0.0, 0.0), (10.0, 40.0), (30.0, -5.0), (50.0, 20.0)]
    for t, point in zip(np.linspace(0, 1, 20), bezier(*controls), strict=True):
        points = [np.array(c) for c in controls]
        while len(points) > 1:  # de Casteljau
            points = [a + (b - a) * t for a, b in pairwise(points)]
        np.testing.assert_allclose(point, points[0], atol=1e-9)


def test_a_part_covers_its_outline_wherever_the_pose_puts_it() -> None:
    square = trace((-50, -50), [(50, -50)], [(50, 50)], [(-50, 50)])
    for pose in (Pose(), Pose(shift=(60, -30)), Pose(angle=0.7, scale=0.5, flipped=True)):
        canvas = Canvas(pose)
        canvas.part(square, (200, 40, 40))
        alpha = np.asarray(canvas.picture().getchannel("A"), dtype=float) / 255
        assert alpha.sum() == pytest.approx((100 * pose.scale) ** 2, rel=0.03)
        row, column = (np.array(np.nonzero(alpha)).mean(axis=1) + 0.5).tolist()
        assert column == pytest.approx(WIDTH / 2 + pose.shift[0], abs=1)
        assert row == pytest.approx(HEIGHT / 2 + pose.shift[1], abs=1)


def test_a_part_outside_the_picture_is_no_error() -> None:
    canvas = Canvas(Pose(shift=(1000, 0)))
    canvas.part(trace((-5, -5), [(5, -5)], [(0, 5)]), (0, 0, 0))
    canvas.stroke(np.array([(0.0, 0.0), (5.0, 5.0)]), (0, 0, 0))
    canvas.disc((0, 0), 3, (0, 0, 0))
    assert canvas.picture().getchannel("A").getbbox() is None
