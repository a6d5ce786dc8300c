"""Photos that bring down or hang the process that decodes them: the others are done."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reliability.child import CREW, INGEST, Child
from tests.reliability.deliveries import deliver, photo
from tests.reliability.invariants import check
from tests.reliability.scale import sized, some_of
from tests.reliability.stub import HANGS, KILLS, Stub


@pytest.mark.parametrize("workers", some_of([1, 2], 1))
def test_processes_that_are_ended_while_they_send_let_the_ingest_end(
    tmp_path: Path, workers: int
) -> None:
    child = Child(tmp_path, CREW, workers).ready()
    ended = child.end()
    assert (ended.code, ended.errors) == (0, "")
    child.seconds_until_alone(2)


@pytest.mark.parametrize("workers", some_of([1, 2], 1))
def test_a_decoder_that_dies_or_hangs_costs_one_photo(
    tmp_path: Path, workers: int, figure: Callable[[str], None]
) -> None:
    start, count = time.monotonic(), sized(1000, 96)
    expected = deliver(tmp_path / "in", range(count))
    places = sized(
        {3: KILLS, 4: HANGS, 67: KILLS, 500: HANGS, count - 1: KILLS}, {3: KILLS, 67: HANGS}
    )
    bad = {f"SKU-{number:04}": mark for number, mark in places.items()}
    for sku, mark in bad.items():
        (tmp_path / f"in/images/{sku}.jpg").write_bytes(photo(sku, mark))
        del expected[sku]
    # A process needs a second or two to start: less patience would refuse the innocent.
    stub = Stub(str(tmp_path), patience=sized(5, 3))
    child = Child(tmp_path / "home", INGEST, tmp_path / "in", stub=stub, workers=workers)
    ended = child.end()
    assert (ended.code, ended.errors) == (0, ""), ended
    child.seconds_until_alone(2)
    kept = check(tmp_path / "home")
    assert (kept.products, kept.last_run) == (expected, "done")
    assert kept.quarantined == {f"images/{sku}.jpg": "decoder_died" for sku in bad}
    dying = list(bad.values()).count(KILLS)
    figure(
        f"{dying} photos whose decoder dies and {len(bad) - dying} whose decoder hangs among "
        f"{count:,}, {workers} workers: quarantined as decoder_died, the other {len(expected):,} "
        f"done; {time.monotonic() - start:.0f} s"
    )
