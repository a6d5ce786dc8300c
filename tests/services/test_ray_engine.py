"""The stages of an ingest on Ray, without Ray: one after the other, in this process."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from catalog_ai import ingest as command
from catalog_ai.config import PROJECT_ROOT
from catalog_ai.errors import UsageError
from catalog_ai.services import intake, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier, model_row
from catalog_ai.services.ingest import Wishes, ingest
from catalog_ai.services.preparing import Order, Preparer
from catalog_ai.services.ray_engine import RayEngine, Shares, shares_of
from catalog_ai.services.ray_stages import Computing, Reading, Result, block_of, results_of
from tests.helpers import photo_bytes, write_photo
from tests.services.engines import assert_same, deliver, vectors

SIZE = 64  # of the fake model's input
CLOCKS = {"seconds": 0.0, "loading_seconds": 0.0, "images_per_second": 0.0}


class InlineEngine(RayEngine):
    """Both stages in this process, blocks of three, through the same tables."""

    def start(self) -> None: ...

    def run(self, orders: Iterable[Order]) -> Iterator[Result]:  # type: ignore[override]
        reading, computing = Reading(self._preparer, ()), Computing(self._classifier)
        waiting = list(orders)
        for first in range(0, len(waiting), 3):
            block = block_of(first, waiting[first : first + 3])
            yield from (result for _, result in results_of(computing(reading(block))))


def test_without_ray_one_sentence_says_how_to_install_it(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # not to be found, installed or not
    monkeypatch.setenv("CATALOG_HOME", str(shops[0].settings.home))
    write_photo(tmp_path / "in/hat/a.jpg")
    with pytest.raises(UsageError) as caught:
        command.main([str(tmp_path / "in"), "--engine", "ray"])
    assert str(caught.value) == ("--engine ray needs Ray: pip install -r requirements-scale.txt")
    assert caught.value.exit_code == 2
    assert (PROJECT_ROOT / "requirements-scale.txt").is_file()
    assert not runs.list_runs(shops[0])


def test_an_address_needs_its_engine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="it needs --engine ray"):
        command.main([str(tmp_path), "--address", "127.0.0.1:6379"])


def test_the_plain_engine_imports_nothing_of_ray() -> None:
    program = (
        "import sys, catalog_ai.ingest, catalog_ai.services.intake\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'ray'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_both_engines_store_the_same(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "RayEngine", InlineEngine)
    monkeypatch.setattr(intake, "require_ray", lambda: None)
    monkeypatch.setattr(intake, "GROUP", 4)
    folder = deliver(tmp_path / "in", 10)
    plain, ray = shops

    def both(**wishes: Any) -> None:
        reports = [
            replace(ingest(shop, folder, wishes=Wishes(engine=engine, **wishes)), **CLOCKS)
            for shop, engine in ((plain, "plain"), (ray, "ray"))
        ]
        assert reports[0] == reports[1]
        assert_same(ray, plain)

    both()
    assert len(vectors(ray)) == 9
    both()
    write_photo(folder / "images/3.jpg")
    write_photo(folder / "images/5.jpg")
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("S6,6.jpg,", "S6,6.jpg|7.jpg,"))
    both(dry_run=True)
    assert len(vectors(ray)) == 9
    both()
    assert len(vectors(ray)) == 10


@pytest.fixture
def stages(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path
) -> Callable[..., tuple[Reading, Computing]]:
    """A function that returns both stages for photos in the test's folder."""
    shop = shops[0]
    classifier = Classifier(shop, model_row(shop, None))

    def made(needed: tuple[Path, ...] = (), **options: Any) -> tuple[Reading, Computing]:
        preparer = Preparer(shop.settings, tmp_path, SIZE, {}, **options)
        return Reading(preparer, needed), Computing(classifier)

    return made


def test_a_photo_that_ends_in_black_arrives_whole(
    stages: Callable[..., tuple[Reading, Computing]], tmp_path: Path
) -> None:
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "black.png")
    reading, _ = stages()
    block = reading(block_of(7, [Order((str(tmp_path / "black.png"),))]))
    assert block["place"].to_pylist() == [7]
    assert block["square"].to_pylist() == [bytes(SIZE * SIZE * 3)]


def test_a_machine_that_does_not_see_the_folders_stops_the_run(
    stages: Callable[..., tuple[Reading, Computing]], tmp_path: Path
) -> None:
    reading, _ = stages(needed=(tmp_path, tmp_path / "elsewhere"))
    with pytest.raises(
        UsageError, match=r"does not see .*elsewhere: share SOURCE and CATALOG_HOME"
    ):
        reading(block_of(0, [Order(("a.jpg",))]))


def test_a_dry_run_asks_the_model_nothing(
    stages: Callable[..., tuple[Reading, Computing]], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo_bytes())
    reading, computing = stages(keeps=False)
    [(place, (found, said))] = results_of(
        computing(reading(block_of(0, [Order((str(tmp_path / "a.jpg"),))])))
    )
    assert (place, len(found.photos), said) == (0, 1, None)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at 127.0.0.1:1: start one"),
        ("127.0.0.1:999999", "no Ray cluster answers at 127.0.0.1:999999"),
        ("ray", "'ray': give HOST:PORT"),
    ],
)
def test_where_no_cluster_is_nobody_waits(
    shops: tuple[Catalogue, Catalogue],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(intake, "require_ray", lambda: None)
    folder = deliver(tmp_path / "in", 4)
    with pytest.raises(UsageError, match=sentence):
        ingest(shops[1], folder, wishes=Wishes(engine="ray", address=address))
    assert runs.list_runs(shops[1])[0].state == "failed"


@pytest.mark.parametrize(
    ("resources", "machines", "shares"),
    [
        ({"CPU": 2.0}, 1, Shares(1, 1, 0)),
        ({"CPU": 64.0}, 4, Shares(60, 4, 0)),
        ({"CPU": 64.0, "GPU": 8.0}, 4, Shares(56, 8, 1)),
        ({"CPU": 4.0, "GPU": 8.0}, 1, Shares(1, 3, 1)),
    ],
)
def test_the_cluster_is_divided(resources: dict[str, float], machines: int, shares: Shares) -> None:
    assert shares_of(resources, machines) == shares


def test_one_cpu_is_not_enough() -> None:
    with pytest.raises(UsageError, match="has 1 CPU"):
        shares_of({"CPU": 1.0}, 1)
