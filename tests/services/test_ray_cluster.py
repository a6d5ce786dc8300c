"""An ingest on a Ray cluster of two processes, whatever becomes of them: `make test-scale`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import ingest
from db.engine import read
from db.queries import products
from tests.services.engines import assert_same, deliver

WAIT_SECONDS = 180.0
pytestmark = [
    pytest.mark.scale,
    pytest.mark.skipif(
        find_spec("ray") is None, reason="Ray is not installed: make test-scale installs it"
    ),
]


class Run:
    """`python -m catalog_ai.ingest` on the Ray engine, in a process of its own."""

    def __init__(self, shop: Catalogue, folder: Path) -> None:
        self._home = shop.settings.home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "catalog_ai.ingest", str(folder), "--engine", "ray"],
            cwd=PROJECT_ROOT,
            env=os.environ | {"CATALOG_HOME": str(self._home), "CATALOG_WORKERS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self) -> tuple[int, str]:
        """Wait; return its exit code and what it said on standard error."""
        _, said = self.process.communicate(timeout=WAIT_SECONDS)
        return self.process.returncode, said

    def worker(self, stage: str) -> int:
        """Return the process that does a stage, once there is one."""
        return until(lambda: next((n for n, line in self.family().items() if stage in line), 0))

    def family(self) -> dict[int, str]:
        """Return the command lines of all processes below this one, by their ids."""
        parents, lines = {}, {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                status = (path / "stat").read_text().rpartition(")")[2].split()
                lines[int(path.name)] = (path / "cmdline").read_text().replace("\0", " ")
                parents[int(path.name)] = int(status[1])
            except OSError:
                continue
        family = {self.process.pid}
        while more := {n for n, above in parents.items() if above in family} - family:
            family |= more
        return {number: lines[number] for number in family - {self.process.pid}}

    def photos(self) -> int:
        """Return how many photos are read and kept so far."""
        return sum(1 for _ in self._home.glob("images/*/*.jpg"))


@pytest.fixture
def start() -> Iterator[Callable[[Catalogue, Path], Run]]:
    """A function that starts an ingest on Ray; what a failed test left behind is ended."""
    started: list[Run] = []

    def begin(shop: Catalogue, folder: Path) -> Run:
        started.append(Run(shop, folder))
        return started[-1]

    yield begin
    for run in started:
        with run.process as process:
            process.kill()


def until(ask: Callable[[], Any]) -> Any:
    """Return the first answer that is true."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.02)
    raise TimeoutError


def stored(shop: Catalogue) -> dict[str, tuple[str | None, str]]:
    """Return each SKU's label and photo."""
    with read(shop.engine) as session:
        found = products.by_skus(session, [f"S{number}" for number in range(400)])
    return {sku: (row.label_current, row.image_sha256) for sku, row in found.items()}


def count(shop: Catalogue) -> int:
    with read(shop.engine) as session:
        return products.count(session)


def test_a_cluster_stores_what_the_plain_engine_stores(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path, start: Callable[[Catalogue, Path], Run]
) -> None:
    plain, ray = shops
    folder = deliver(tmp_path / "in", 150)
    ingest(plain, folder)
    run = start(ray, folder)
    run.worker("Reading")
    assert listening(run) == {"0100007F"}  # 127.0.0.1, as the kernel writes it
    assert run.end() == (0, "")
    assert_same(ray, plain)


def listening(run: Run) -> set[str]:
    """Return the addresses at which a run and its family take connections."""
    table = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    sockets = [line.split() for lines in table for line in lines]
    files = {
        target
        for number in [run.process.pid, *run.family()]
        for path in Path(f"/proc/{number}/fd").glob("*")
        if (target := os.path.realpath(path))
    }
    return {
        line[1].partition(":")[0][-8:]
        for line in sockets
        if line[3] == "0A" and any(name.endswith(f"socket:[{line[9]}]") for name in files)
    }


def test_killed_workers_cost_nothing(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path, start: Callable[[Catalogue, Path], Run]
) -> None:
    plain, ray = shops
    folder = deliver(tmp_path / "in", 400, (900, 1200))
    run = start(ray, folder)
    until(run.photos)
    os.kill(run.worker("Reading"), signal.SIGKILL)
    assert run.photos() < 300
    until(lambda: count(ray))
    os.kill(run.worker("Computing"), signal.SIGKILL)
    assert count(ray) < 300
    assert run.end() == (0, "")
    ingest(plain, folder)
    assert_same(ray, plain)


def test_sigterm_leaves_whole_groups_and_no_process(
    shops: tuple[Catalogue, Catalogue], tmp_path: Path, start: Callable[[Catalogue, Path], Run]
) -> None:
    plain, ray = shops
    folder = deliver(tmp_path / "in", 400, (900, 1200))
    run = start(ray, folder)
    until(run.photos)
    family = run.family()
    run.process.send_signal(signal.SIGTERM)
    code, said = run.end()
    assert (code, runs.list_runs(ray)[0].state) == (143, "stopped")
    assert said == f"stopped after {count(ray)} of 400 products; the next run carries on\n"
    assert 0 < count(ray) < 400
    until(lambda: not any(Path(f"/proc/{number}").exists() for number in family))
    ingest(ray, folder)
    ingest(plain, folder)
    assert stored(ray) == stored(plain)
