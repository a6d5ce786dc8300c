"""Twenty starts at once: one works, the others say so and end."""

import time
from collections.abc import Callable
from pathlib import Path

from catalog_ai.services.locking import only_one
from tests.reliability.child import INGEST, REAL_INGEST, Child
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import sized
from tests.reliability.stub import Stub

SENTENCE = "error: another ingest is running: wait until it is done, then start again\n"
BUSY = 75


def test_of_many_starts_one_works(tmp_path: Path, figure: Callable[[str], None]) -> None:
    starts = sized(20, 3)
    deliver(tmp_path / "in", range(1))
    # Long enough at work that all others have asked meanwhile.
    stub = Stub(str(tmp_path), pause=sized(10, 1.5), waits=True)
    home, delivery = tmp_path / "home", tmp_path / "in"
    children = [Child(home, INGEST, delivery, stub=stub) for _ in range(starts)]
    for child in children:
        child.ready()
    start = time.monotonic()
    for child in children:
        child.go()
    ended_at: dict[int, float] = {}
    while len(ended_at) < starts:
        for child in children:
            if child.process.pid not in ended_at and not child.runs:
                ended_at[child.process.pid] = time.monotonic()
        time.sleep(0.002)
    ends = [(child.process.pid, child.end()) for child in children]
    asked = {pid: (asked, told) for pid, asked, told in stub.asked}
    busy = [pid for pid, ended in ends if (ended.code, ended.errors) == (BUSY, SENTENCE)]
    assert sorted(ended.code for _, ended in ends) == [0] + [BUSY] * (starts - 1), ends
    assert len(busy) == starts - 1
    assert len(asked) == starts
    answered = max(told - when for when, told in (asked[pid] for pid in busy))
    assert answered < 1
    assert len(check(home).products) == 1
    whole = max(ended_at[pid] for pid in busy) - start
    longest = max(ended_at[pid] - asked[pid][0] for pid in busy)
    figure(
        f"{starts} starts at once: 1 works, {len(busy)} say so and exit 75; answered after "
        f"{1000 * answered:.1f} ms at most, ended {longest:.2f} s after asking; all {whole:.1f} s "
        "after the word to go (opening the database included)"
    )


def test_the_command_itself_says_so_too(tmp_path: Path) -> None:
    deliver(tmp_path / "in", range(1))
    with only_one(tmp_path / "home/locks/ingest.lock", "busy"):
        ended = Child(tmp_path / "home", REAL_INGEST, tmp_path / "in").end()
    assert (ended.code, ended.output, ended.errors) == (BUSY, "", SENTENCE)
