"""`kill -9` at any moment of an ingest: nothing is lost, doubled or half-written."""

import fcntl
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pysqlite3.dbapi2 as sqlite
import pytest

from catalog_ai.services.crew import CHUNK
from catalog_ai.services.intake import GROUP
from tests.reliability.child import INGEST, Child
from tests.reliability.deliveries import Expected, deliver
from tests.reliability.invariants import Kept, check
from tests.reliability.scale import sized
from tests.reliability.stub import Stub

PRODUCTS = sized(240, 96)
LONGEST = {0: 1.2, 1: 3.0, 2: 3.0}  # workers → seconds from the imports to about the end
WORKERS = (2, 0, 1, 0)  # of one catalogue after the other
# workers → photos that are being computed at one moment: a chunk in each process, else a group
AT_WORK = {0: GROUP, 1: CHUNK, 2: 2 * CHUNK}
TUNED = 0.03  # seconds after a group was computed: it is being written


@dataclass
class Campaign:
    """Kills of the ingests of one catalogue after the other, and what was found."""

    folder: Path
    seed: int
    rollback_journal: bool
    kills: int = 0
    repeated: list[int] = field(default_factory=list)  # photos computed again, per catalogue
    busy_group: list[float] = field(default_factory=list)  # seconds that orphans lived
    with_processes: int = 0  # kills of an ingest whose photos other processes decode
    before_any: int = 0  # kills before the first product was stored

    def run(self, wanted: int) -> "Campaign":
        """Go on until `wanted` ingests were killed."""
        random = Random(self.seed)
        number = 0
        while self.kills < wanted:
            self._one_catalogue(number, random, wanted)
            number += 1
        return self

    def _one_catalogue(self, number: int, random: Random, wanted: int) -> None:
        """Two deliveries, each begun again after every kill until it is in."""
        folder = self.folder / str(number)
        side = folder / "side"
        side.mkdir(parents=True)
        stub = Stub(str(side), rollback_journal=self.rollback_journal, pause=0.01)
        workers, before = WORKERS[(number + self.rollback_journal) % 4], self.kills
        first = deliver(folder / "in", range(PRODUCTS))
        self._until_in(folder, stub, workers, random, wanted)
        _all_in(check(folder / "home"), first)
        changed = range(PRODUCTS // 2, PRODUCTS, 2)
        later = range(PRODUCTS // 10, PRODUCTS + PRODUCTS // 5)
        second = deliver(folder / "in", later, edition="new", new_photos=changed)
        self._until_in(folder, stub, workers, random, wanted)
        kept = check(folder / "home")
        assert kept.shown == second.keys()
        _all_in(kept, first | second)
        needed = PRODUCTS + PRODUCTS // 5 + len(changed)
        again = sum(stub.computed) - needed
        assert 0 <= again <= AT_WORK[workers] * (self.kills - before)
        self.repeated.append(again)

    def _until_in(
        self, folder: Path, stub: Stub, workers: int, random: Random, wanted: int
    ) -> None:
        home, kept = folder / "home", check(folder / "home")
        while True:
            arguments = (folder / "in", "--retire-missing")
            child = Child(home, INGEST, *arguments, stub=stub, workers=workers).ready()
            if self.kills < wanted:
                _wait(child, stub, random, LONGEST[workers])
            if self.kills == wanted or not child.runs:
                ended = child.end()
                assert (ended.code, ended.errors) == (0, "")
                assert check(home).last_run == "done"
                return
            child.kill()
            if child.process.returncode != -signal.SIGKILL:
                continue  # it was quicker
            self.kills += 1
            self.with_processes += workers > 0
            _lock_is_free(home)
            self.busy_group.append(child.seconds_until_alone(2))
            now = check(home)
            assert now.products.keys() >= kept.products.keys()
            assert len(now.products) % GROUP == 0 or len(now.products) >= PRODUCTS
            self.before_any += not now.products
            kept = now


def _wait(child: Child, stub: Stub, random: Random, longest: float) -> None:
    """Half of the kills come at any moment, half while a group is being written."""
    if random.random() < 0.5:
        until = time.monotonic() + random.uniform(0, longest)
        while child.runs and time.monotonic() < until:
            time.sleep(0.001)
        return
    groups = len(stub.computed) + random.randint(1, 4)
    while child.runs and len(stub.computed) < groups:
        time.sleep(0.001)
    time.sleep(random.uniform(0, TUNED))


def _lock_is_free(home: Path) -> None:
    """The next start is never told that another ingest is running."""
    path = home / "locks/ingest.lock"
    if path.exists():
        with path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _all_in(kept: Kept, expected: Expected) -> None:
    assert kept.products == expected


def test_a_killed_ingest_is_carried_on(tmp_path: Path, figure: Callable[[str], None]) -> None:
    start, kills = time.monotonic(), sized(200, 2)
    campaigns = [
        Campaign(tmp_path / "wal", seed=1, rollback_journal=False),
        Campaign(tmp_path / "rollback", seed=2, rollback_journal=True),
    ]
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda each: each.run(kills // 2), campaigns))
    done = sum(each.kills for each in campaigns)
    assert done == kills
    repeated = sum(sum(each.repeated) for each in campaigns)
    longest = max(max(each.busy_group) for each in campaigns)
    early = sum(each.before_any for each in campaigns)
    crowds = sum(each.with_processes for each in campaigns)
    figure(
        f"{done} kills ({kills // 2} per journal, {crowds} with processes that decode, {early} "
        "before the first product): 0 lost, 0 doubled, 0 half-written, integrity clean; "
        f"{repeated / done:.1f} photos computed again per kill (at most {2 * CHUNK} with two "
        f"processes, {GROUP} without any); no process "
        f"left after {longest:.2f} s; {time.monotonic() - start:.0f} s"
    )


@pytest.mark.parametrize(
    "breaks",
    [
        "DELETE FROM predictions WHERE product_id = 2",
        "DELETE FROM features WHERE product_id = 2",
        "UPDATE embeddings SET vector = zeroblob(256) WHERE product_id = 2",
        "DELETE FROM run_items WHERE product_id = 2",
        "UPDATE products SET stored_image = 'images/gone.jpg' WHERE id = 2",
        "UPDATE runs SET added = 4",
    ],
)
def test_the_rules_notice_what_is_wrong(small: Path, breaks: str) -> None:
    check(small)
    with closing(sqlite.connect(small / "catalog.db")) as database:
        database.execute(breaks)
        database.commit()
    with pytest.raises((AssertionError, FileNotFoundError)):
        check(small)


@pytest.fixture(scope="module")
def _small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    deliver(folder / "in", range(3))
    assert Child(folder / "home", INGEST, folder / "in").end().code == 0
    return folder / "home"


@pytest.fixture
def small(_small: Path, tmp_path: Path) -> Path:
    """A copy of a catalogue with three products."""
    return Path(shutil.copytree(_small, tmp_path / "home"))
