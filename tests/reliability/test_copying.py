"""Photos that are still being copied while the ingest runs: none comes in as a part."""

import threading
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

from tests.fakes import CLASSES
from tests.reliability.child import INGEST, Child
from tests.reliability.deliveries import photo
from tests.reliability.invariants import check
from tests.reliability.scale import sized
from tests.reliability.stub import Stub


def test_a_photo_still_being_copied_is_left_for_the_next_run(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    count, seconds = sized((200, 60.0), (24, 1.5))
    whole = {f"{number:03}": photo(f"copied {number}") for number in range(count)}
    folder = tmp_path / "in" / CLASSES[0]
    folder.mkdir(parents=True)
    for name, data in whole.items():
        (folder / f"{name}.jpg").write_bytes(data[: len(data) // 3])
    one_has_run = threading.Event()
    copier = threading.Thread(target=_copy, args=(folder, whole, seconds, one_has_run))
    expected = {name: sha256(data).hexdigest() for name, data in whole.items()}
    left, met, runs = 0, 0, 0
    copier.start()
    while copier.is_alive() or runs < 2:
        ended = Child(
            tmp_path / "home", INGEST, tmp_path / "in", stub=Stub(), workers=runs % 2
        ).end()
        assert (ended.code, ended.errors) == (0, "")
        kept = check(tmp_path / "home")
        assert all(expected[sku] == digest for sku, (digest, _) in kept.products.items())
        met += copier.is_alive()
        one_has_run.set()
        left += len(kept.quarantined)
        runs += 1
    copier.join()
    assert Child(tmp_path / "home", INGEST, tmp_path / "in").end().code == 0
    kept = check(tmp_path / "home")
    assert {sku: digest for sku, (digest, _) in kept.products.items()} == expected
    assert left and met
    figure(
        f"{count} photos being copied during {met} ingests: 0 partial photos, {left} times one was "
        f"left for the next run, all {count} in at the end"
    )


def _copy(
    folder: Path, whole: dict[str, bytes], seconds: float, one_has_run: threading.Event
) -> None:
    """Append to the files in turn, at random, a piece at a time, for about so many seconds.

    On a slow machine for longer: the last piece waits until an ingest has run.
    """
    random, start = Random(8), time.monotonic()
    rest = {name: data[len(data) // 3 :] for name, data in whole.items()}
    total = left = sum(map(len, rest.values()))
    while rest:
        name = random.choice(list(rest))
        size = random.randint(1, 20)
        if len(rest) == 1 and len(rest[name]) <= size:
            assert one_has_run.wait(120)
        with (folder / f"{name}.jpg").open("ab") as file:
            file.write(rest[name][:size])
        left -= len(rest[name][:size])
        rest[name] = rest[name][size:]
        if not rest[name]:
            del rest[name]
        time.sleep(max(0.0, start + seconds * (1 - left / total) - time.monotonic()))
