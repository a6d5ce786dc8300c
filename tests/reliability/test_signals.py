"""SIGTERM and SIGINT in the middle: what is at hand is written, and the next run carries on."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from catalog_ai.services.intake import GROUP
from tests.reliability.child import INGEST, Child
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import sized, some_of
from tests.reliability.stub import Stub

COUNT = 12 * GROUP
CODES = {signal.SIGTERM: 143, signal.SIGINT: 130}
CASES = [(each, *to) for each in CODES for to in ((0, False), (2, False), (2, True))]


@pytest.mark.parametrize(("number", "workers", "whole_group"), some_of(CASES, -1))
def test_a_signal_ends_the_run_between_two_groups(
    tmp_path: Path,
    number: signal.Signals,
    workers: int,
    whole_group: bool,
    figure: Callable[[str], None],
) -> None:
    expected = deliver(tmp_path / "in", range(COUNT))
    stub = Stub(str(tmp_path), pause=0.1)
    child = Child(tmp_path / "home", INGEST, tmp_path / "in", stub=stub, workers=workers)
    child.wait_until(lambda: len(stub.computed) >= 2)
    child.signal(number, whole_group=whole_group)
    start = time.monotonic()
    ended = child.end()
    seconds = time.monotonic() - start
    child.seconds_until_alone(2)
    kept = check(tmp_path / "home")
    done = len(kept.products)
    assert (ended.code, kept.last_run) == (CODES[number], "stopped")
    assert ended.errors == f"stopped after {done} of {COUNT} products; the next run carries on\n"
    assert 0 < done < COUNT
    assert done % GROUP == 0
    ended = Child(tmp_path / "home", INGEST, tmp_path / "in", stub=Stub(str(tmp_path))).end()
    assert ended.code == 0
    assert check(tmp_path / "home").products == expected
    assert sum(stub.computed) == COUNT
    to = "to the whole process group" if whole_group else f"to the ingest, {workers} workers"
    figure(
        f"{number.name} {to}: exit {CODES[number]} after {seconds:.1f} s, {done // GROUP} whole "
        f"groups of {GROUP} kept, nothing computed twice, the next run completes"
    )


def test_a_signal_at_any_moment_is_no_accident(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """From the first line to the last, the start of the processes included."""
    tries, outside = sized(60, 2), 0
    random = Random(5)
    for place in range(tries):
        home = tmp_path / f"home-{place}"
        expected = deliver(tmp_path / "in", range(2 * GROUP))
        child = Child(home, INGEST, tmp_path / "in", stub=Stub(pause=0.1), workers=2).ready()
        time.sleep(random.uniform(0, 3))
        number = random.choice(list(CODES))
        child.signal(number, whole_group=True) if child.runs else None
        ended = child.end()
        child.seconds_until_alone(2)
        # Before and after its work a signal ends it as it ends any process.
        assert ended.code in (0, CODES[number], -number), ended
        assert "Traceback" not in ended.errors, ended.errors
        assert ended.errors.count("\n") <= 1, ended.errors
        outside += ended.code == -number
        assert check(home).last_run in ("", "done", "stopped")
    assert Child(home, INGEST, tmp_path / "in").end().code == 0
    assert check(home).products == expected
    figure(
        f"{tries} signals to the whole group at any moment: 0 tracebacks, 0 processes left, clean "
        f"every time ({outside} before or after its work)"
    )
