"""Photos that bring down or hang the process that decodes them: the others are done."""

import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from tests.reliability.child import CREW, INGEST, Child
from tests.reliability.deliveries import deliver, photo
from tests.reliability.invariants import check
from tests.reliability.scale import sized, some_of
from tests.reliability.stub import HANGS, KILLS, Stub

BACK = "images/SKU-0020-back.jpg"  # the second photo of a product that comes in with its first


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
    count = sized(1000, 96)
    expected = deliver(tmp_path / "in", range(count))
    places = sized({3: KILLS, 4: HANGS, 67: KILLS, 500: HANGS, count - 1: KILLS}, {50: HANGS})
    bad = {f"images/SKU-{number:04}.jpg": mark for number, mark in places.items()}
    for image in bad:
        sku = Path(image).stem
        further, (_, label) = tmp_path / f"in/images/{sku}-back.jpg", expected.pop(sku)
        if further.exists():  # it becomes the main photo
            expected[sku] = sha256(further.read_bytes()).hexdigest(), label
    bad[BACK] = KILLS
    for image, mark in bad.items():
        (tmp_path / "in" / image).write_bytes(photo(image, mark))
    stub = Stub(str(tmp_path), patience=sized(5, 3))
    seconds = []
    for _ in range(2):
        began, fell = time.monotonic(), stub.fell
        child = Child(tmp_path / "home", INGEST, tmp_path / "in", stub=stub, workers=workers)
        ended = child.end(sized(300, 100))  # a score of processes start, one after the other
        assert (ended.code, ended.errors) == (0, ""), ended
        child.seconds_until_alone(2)
        seconds.append(time.monotonic() - began)
        kept = check(tmp_path / "home")
        assert (kept.products, kept.last_run) == (expected, "done")
        assert kept.quarantined == dict.fromkeys(bad, "decoder_died")
    assert stub.fell == fell > 0  # the second time nobody decodes them
    dying = list(bad.values()).count(KILLS)
    figure(
        f"{dying} photos whose decoder dies and {len(bad) - dying} whose decoder hangs among "
        f"{count:,} products, {workers} workers: quarantined as decoder_died, the {len(expected):,}"
        f" with another photo done; {seconds[0]:.0f} s, delivered again {seconds[1]:.0f} s"
    )
