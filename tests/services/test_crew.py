"""Photos that bring their process down, or hang it: which one is blamed, and for how long."""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from catalog_ai.config import settings
from catalog_ai.errors import ProcessesError
from catalog_ai.services import crew as crew_module
from catalog_ai.services import intake
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.crew import DIED, Crew
from catalog_ai.services.ingest import ingest
from catalog_ai.services.preparing import Order, Prepared, Preparer, Refusal
from catalog_ai.services.ray_stages import Reading, block_of
from tests.helpers import photo_bytes
from tests.services.decoders import HANGS, KILLS, SIDE, Marked, decoded, side

pytestmark = pytest.mark.sqlite("the processes know no database")
SIZE = 64
BOTH = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture(autouse=True)
def _little_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "PATIENCE_SECONDS", 2.0)
    monkeypatch.setenv(SIDE, str(tmp_path))


@pytest.fixture
def crewed(tmp_path: Path) -> Iterator[Callable[[int], Crew]]:
    """A function that returns a crew of so many processes for photos in the test's folder."""
    with_end: list[Crew] = []

    def made(workers: int) -> Crew:
        preparer = Marked(settings(home=tmp_path / "home"), tmp_path, SIZE, {})
        with_end.append(Crew(workers, preparer))
        return with_end[-1]

    yield made
    for crew in with_end:
        crew.__exit__()


def write(path: Path, number: int, mark: bytes = b"") -> str:
    """Write a photo that is this number's alone, with a mark in it, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color = (number * 7 % 256, 90, 60)
    path.write_bytes(photo_bytes(color, **({"comment": mark} if mark else {})))
    return str(path)


def digest(path: str) -> str:
    """Return the sha256 of a file."""
    return sha256(Path(path).read_bytes()).hexdigest()


def finished(crew: Crew, *orders: Order) -> list[Prepared]:
    """Return what becomes of one batch."""
    return crew.finish(crew.begin(orders))


def assert_same(found: Prepared, expected: Prepared) -> None:
    """Compare two, their pixels as well."""
    pixels = (found.square, expected.square)
    assert replace(found, square=None) == replace(expected, square=None)
    assert [one is None for one in pixels] in ([True, True], [False, False])
    if pixels[0] is not None and pixels[1] is not None:
        np.testing.assert_array_equal(*pixels)


@BOTH
@pytest.mark.parametrize(("mark", "times"), [(KILLS, 3), (HANGS, 2)])
def test_the_second_photo_of_three_is_refused_alone(
    crewed: Callable[[int], Crew], tmp_path: Path, workers: int, mark: bytes, times: int
) -> None:
    paths = [write(tmp_path / f"{n}.jpg", n, mark if n == 1 else b"") for n in range(3)]
    beside = Order((write(tmp_path / "beside.jpg", 9),))
    crew = crewed(workers)
    found = finished(crew, beside, Order(tuple(paths)))
    assert decoded(mark) == times  # with its chunk, and alone: a death is believed the second time
    plain = Preparer(settings(home=tmp_path / "home"), tmp_path, SIZE, {digest(paths[1]): DIED})
    for one, expected in zip(found, plain([beside, Order(tuple(paths))]), strict=True):
        assert_same(one, expected)
    assert [photo.place for photo in found[1].photos] == [0, 2]
    assert found[1].refused == (Refusal(1, *DIED, digest(paths[1])),)
    again = finished(crew, Order((paths[1],)), Order((paths[1], paths[0])))
    assert [one.refused[0].digest for one in again] == [digest(paths[1])] * 2
    assert decoded(mark) == times


def test_where_the_first_photo_kills_the_second_is_the_main_one(
    crewed: Callable[[int], Crew], tmp_path: Path
) -> None:
    paths = [write(tmp_path / "0.jpg", 0, KILLS), write(tmp_path / "1.jpg", 1)]
    [found] = finished(crewed(1), Order(tuple(paths)))
    assert found.refused == (Refusal(0, *DIED, digest(paths[0])),)
    assert [(photo.place, photo.digest) for photo in found.photos] == [(1, digest(paths[1]))]
    assert found.square is not None


def test_what_the_catalogue_has_is_not_decoded_for_the_sake_of_a_culprit(
    crewed: Callable[[int], Crew], tmp_path: Path
) -> None:
    paths = [write(tmp_path / f"{n}.jpg", n, KILLS if n == 2 else b"") for n in range(3)]
    kept = {digest(path): f"../{Path(path).name}" for path in paths[:2]}
    crew = crewed(1)
    (tmp_path / "home").mkdir()
    [found] = finished(crew, Order(tuple(paths), digest(paths[0]), kept))
    assert [(photo.place, photo.stored) for photo in found.photos] == [(0, ""), (1, "")]
    assert (found.square, found.refused[0].place) == (None, 2)


def test_a_file_that_cannot_be_read_is_refused_as_ever(
    crewed: Callable[[int], Crew], tmp_path: Path
) -> None:
    (tmp_path / "link.jpg").symlink_to(write(tmp_path / "1.jpg", 1))
    paths = (write(tmp_path / "0.jpg", 0, KILLS), str(tmp_path / "link.jpg"))
    [found] = finished(crewed(1), Order(paths))
    assert [(one.place, one.code, bool(one.digest)) for one in found.refused] == [
        (0, "decoder_died", True),
        (1, "not_a_file", False),
    ]


def test_nobody_is_blamed_for_a_photo_of_another_batch(
    crewed: Callable[[int], Crew], tmp_path: Path
) -> None:
    marks = {0: KILLS, 2: HANGS}
    paths = [write(tmp_path / f"{n}.jpg", n, marks.get(n, b"")) for n in range(4)]
    groups = [(number, [Order((path,))]) for number, path in enumerate(paths)]
    found = dict(crewed(1).prepared(groups))
    assert [number for number, [one] in found.items() if one.refused] == [0, 2]


def test_processes_that_no_longer_start_are_no_fault_of_the_photos(
    crewed: Callable[[int], Crew], tmp_path: Path
) -> None:
    crew = crewed(1)
    crew.start()
    (side() / "out").touch()
    with pytest.raises(ProcessesError, match="free some memory"):
        finished(crew, Order((write(tmp_path / "0.jpg", 0),)))


@BOTH
def test_the_next_night_nobody_decodes_the_culprits(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(intake, "Preparer", Marked)
    several = Catalogue(replace(shop.settings, workers=workers), shop.engine)
    marks = {"coat/1.jpg": KILLS, "hat/0.jpg": HANGS}
    names = ["coat/0.jpg", "coat/1.jpg", "coat/2.jpg", "hat/0.jpg", "shoe/0.jpg"]
    for number, name in enumerate(names):
        write(tmp_path / "in" / name, number, marks.get(name, b""))
    manifest = "sku,image\ncoat,coat/0.jpg|coat/1.jpg|coat/2.jpg\nhat,hat/0.jpg\nshoe,shoe/0.jpg\n"
    (tmp_path / "in" / "manifest.csv").write_text(manifest)
    report = ingest(several, tmp_path / "in")
    expected = [
        {"image": name, "code": "decoder_died", "reason": DIED[1]} for name in sorted(marks)
    ]
    assert (report.added, report.quarantined) == (2, expected)
    before = decoded(KILLS), decoded(HANGS)
    assert min(before) > 0
    report = ingest(several, tmp_path / "in")
    assert (report.added, report.unchanged, report.quarantined) == (0, 2, expected)
    assert (decoded(KILLS), decoded(HANGS)) == before
    write(tmp_path / "in/hat/0.jpg", 30)  # saved anew
    assert ingest(several, tmp_path / "in").added == 1


def test_a_worker_of_ray_refuses_the_culprit_alone(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.jpg", n, KILLS if n == 1 else b"") for n in range(2)]
    reading = Reading(Marked(settings(home=tmp_path / "home"), tmp_path, SIZE, {}), ())
    try:
        block = reading(block_of(0, [Order(tuple(paths))]))
    finally:
        reading._crew.__exit__()
    found: Prepared = pickle.loads(block["found"].to_pylist()[0])
    assert found.refused == (Refusal(1, *DIED, digest(paths[1])),)
    assert [photo.place for photo in found.photos] == [0]
    assert len(block["square"].to_pylist()[0]) == SIZE * SIZE * 3
