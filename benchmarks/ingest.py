"""How close an ingest comes to the bound of the hardware, beside the article's loop.

    python -m benchmarks.ingest [--data FOLDER] [--model default,small] [--photos 3000]
                                [--again N] [--memory 1000,100000] [--json FILE]

One run measures, on the same real photos (default: `clothing-dataset-small` in
`CATALOG_TEST_PHOTOS`), all clocks started after loading:

* the article's loop: one photo at a time, decoded and computed by torch as it comes;
* the bound: decoding alone on all cores, then the forward pass alone on all cores (ONNX Runtime),
  nothing else; for `small` the bound includes the thumbnail's encoding. Twice: the cores together
  at one batch of 32, and each at batches of its own, as an ingest's processes do it;
* `ingest`, everything included: reading, hashing, decoding, both stored files, the network and the
  database; and a second run over the same photos, which has nothing to do.

`--memory` takes in so many photos (the same under new names) and prints the most memory that was
held, all processes together. Bound and ingest take turns: an ingest's share is that of the bound
just before and just after it, since a shared machine is a fifth slower at one minute than at the
next. Medians are printed.

Nothing is deleted before the end: on an ext4 without a journal each new file costs a millisecond
while thousands were deleted in the last five minutes: it looks for a place that was not just freed.
"""

import functools
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch

from benchmarks.photos import parser, read
from catalog_ai import shipped
from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.config import settings
from catalog_ai.images import decode, decode_photo
from catalog_ai.inference.onnx import OnnxRunner
from catalog_ai.inference.runner import export_onnx
from catalog_ai.memory import keep_freed_memory
from catalog_ai.models.siamese import TwoHeads
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.crew import CHUNK
from catalog_ai.services.ingest import IngestReport, ingest

BATCH = 32
PART = 48  # photos that a process of the bound is given at once
SAMPLE = 200  # photos of the article's loop
TURNS = 3
CORES = len(os.sched_getaffinity(0))
GOALS = {"default": 0.90, "small": 0.80}


def distinct(data: str | None, count: int) -> list[Path]:
    """Return up to `count` real photos, none of which has the bytes of another."""
    found: dict[str, Path] = {}
    for item in read(data).items:
        found.setdefault(sha256(item.path.read_bytes()).hexdigest(), item.path)
        if len(found) == count:
            break
    return list(found.values())


def article_loop(photos: Sequence[Path], model: Path) -> float:
    """Return seconds a photo of the article's way: one at a time, torch as it comes."""
    checkpoint = load_checkpoint(model)
    network = TwoHeads(checkpoint.classifier, checkpoint.encoder).eval()
    preprocessing = checkpoint.preprocessing
    start = perf_counter()
    for photo in photos[:SAMPLE]:
        square = preprocessing.resize(decode(photo.read_bytes()))
        with torch.inference_mode():
            for view in preprocessing.views(square[None]):
                network(torch.from_numpy(view))
    return (perf_counter() - start) / len(photos[:SAMPLE])


def decoded(photos: Sequence[Path], size: int, *, thumbnails: bool) -> int:
    """Decode photos to squares, with `thumbnails` encode those as well; return how many."""
    for photo in photos:
        found = decode_photo(photo.read_bytes())
        found.square(size)
        if thumbnails:
            found.thumbnail()
    return len(photos)


def forwarded(count: int, path: Path, preprocessing: Preprocessing, threads: int) -> int:
    """Compute the answers for `count` squares and nothing else; return how many."""
    compute = _runner(path, threads)
    batch = min(count, BATCH if threads == 0 else CHUNK)
    side = preprocessing.square
    squares = np.random.default_rng(0).integers(256, size=(batch, side, side, 3), dtype=np.uint8)
    for _ in range(0, count, batch):
        for view in preprocessing.views(squares):
            compute(view)
    return count


_runner = functools.cache(lambda path, threads: OnnxRunner(path, threads=threads))


class Bound:
    """What the hardware could do: decoding alone, then the forward pass alone.

    The forward pass is measured in two ways: all cores at one batch, and each at its own.
    """

    def __init__(self, photos: Sequence[Path], folder: Path, *, thumbnails: bool) -> None:
        self._parts = [photos[first : first + PART] for first in range(0, len(photos), PART)]
        checkpoint = load_checkpoint(folder)
        self._decoded = functools.partial(
            decoded, size=checkpoint.preprocessing.square, thumbnails=thumbnails
        )
        path = folder / "bound.onnx"
        export_onnx(checkpoint, path)
        self._forwarded = functools.partial(
            forwarded, path=path, preprocessing=checkpoint.preprocessing
        )
        os.environ.update(OPENBLAS_NUM_THREADS="1")  # as an ingest's processes have it
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(CORES, mp_context=context, initializer=keep_freed_memory)
        self._measure(self._parts[: 4 * CORES])

    def measure(self) -> dict[str, float]:
        """Return seconds of decoding, and of the forward pass in both ways."""
        return self._measure(self._parts)

    def _measure(self, parts: Sequence[Sequence[Path]]) -> dict[str, float]:
        counts = [len(part) for part in parts]
        start = perf_counter()
        assert sum(self._pool.map(self._decoded, parts)) == sum(counts)
        decoding = perf_counter()
        self._forwarded(sum(counts), threads=0)
        at_one = perf_counter()
        each = functools.partial(self._forwarded, threads=1)
        assert sum(self._pool.map(each, counts)) == sum(counts)
        apart = perf_counter()
        return {
            "decode": decoding - start,
            "together": at_one - decoding,
            "apart": apart - at_one,
        }

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def take_in(folder: Path, home: Path, model: str) -> IngestReport:
    """Ingest `folder` into the catalogue at `home`."""
    catalogue = open_catalogue(settings(home=home))
    try:
        return ingest(catalogue, folder, model=model)
    finally:
        catalogue.engine.dispose()


def measure(photos: Sequence[Path], model: str, root: Path) -> dict[str, Any]:
    """Return all figures of one model, measured below `root`: seconds, and shares of the bound."""
    installed = shipped.install(model, root / "models")
    loop = article_loop(photos, installed) * len(photos)
    print(f"{model}: the article's loop, {len(photos) / loop:,.0f} photos a second", flush=True)
    folder = copies(photos, root / "delivery")
    bound = Bound(photos, installed, thumbnails=model == "small")
    bounds, runs, again = [bound.measure()], [], []
    for turn in range(TURNS):
        home = root / f"home-{turn}"
        report = take_in(folder, home, model)
        assert (report.added, report.computed) == (len(photos), len(photos)), report
        runs.append(report.seconds - report.loading_seconds)
        second = take_in(folder, home, model)
        assert second.unchanged == len(photos) and not second.computed, second
        again.append(second.seconds - second.loading_seconds)
        bounds.append(bound.measure())
        print(f"{model}: turn {turn + 1}: {bounds[-1]}, ingest {runs[-1]:.1f} s", flush=True)
    bound.close()
    found = {
        "photos": len(photos),
        "loop_seconds": loop,
        "ingest_seconds": median(runs),
        "second_run_seconds": median(again),
        "second_run_share": median(one / two for one, two in zip(again, runs, strict=True)),
    }
    for way in ("together", "apart"):
        whole = [each["decode"] + each[way] for each in bounds]
        around = [(before + after) / 2 for before, after in pairwise(whole)]
        found[f"{way}_seconds"] = median(around)
        found[f"{way}_shares"] = sorted(one / two for one, two in zip(around, runs, strict=True))
    return found


def copies(photos: Sequence[Path], folder: Path) -> Path:
    """Copy photos into one folder: an ingest follows no links."""
    folder.mkdir(parents=True)
    for number, photo in enumerate(photos):
        (folder / f"{number:06}{photo.suffix}").write_bytes(photo.read_bytes())
    return folder


def show(model: str, found: dict[str, Any]) -> None:
    """Print the table of one model."""
    count = found["photos"]
    print(f"\n{model}, {count:,} photos, {CORES} cores")
    for words, key in (
        ("the article's loop, one photo at a time", "loop_seconds"),
        ("bound: decode, then forward, cores together", "together_seconds"),
        ("bound: decode, then forward, each core alone", "apart_seconds"),
        ("ingest, everything included", "ingest_seconds"),
        ("a second run over the same photos", "second_run_seconds"),
    ):
        print(f"{words:46}{found[key]:9.1f} s {count / found[key]:9,.0f} photos a second")
    for way in ("together", "apart"):
        shares = found[f"{way}_shares"]
        turns = ", ".join(f"{share:.0%}" for share in shares)
        words = f"ingest, share of the bound, cores {way}"
        print(f"{words:46}{median(shares):9.1%}   goal ≥ {GOALS[model]:.0%}   each turn: {turns}")
    print(f"{'second run, share of the first':46}{found['second_run_share']:9.1%}   goal < 5%")


def memory(
    photos: Sequence[Path], counts: Sequence[int], model: str, root: Path
) -> dict[int, float]:
    """Return photos taken in → the most MiB that ingest and its processes held together."""
    originals = sorted(copies(photos, root / "originals").iterdir())
    found = {}
    for count in counts:
        folder = root / f"memory-{count}"
        folder.mkdir()
        for number in range(count):
            original = originals[number % len(originals)]
            os.link(original, folder / f"{number:06}{original.suffix}")
        found[count] = _peak(folder, root / f"memory-home-{count}", model)
        print(f"{model}: {count:,} photos: {found[count]:,.0f} MiB at most", flush=True)
    return found


def _peak(folder: Path, home: Path, model: str) -> float:
    """Return the most that an ingest and its processes held at one moment, in MiB."""
    command = [sys.executable, "-m", "catalog_ai.ingest", str(folder), "--model", model]
    environment = {**os.environ, "CATALOG_HOME": str(home)}
    most = 0
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, sum(map(_resident, [process.pid, *_children(process.pid)])))
            time.sleep(0.5)
    assert process.returncode == 0, f"the ingest of {folder} ended with {process.returncode}"
    return most / 1024


def _children(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(child) for child in listed]


def _resident(pid: int) -> int:
    """Return the KiB of memory that are a process of its own: what is shared counts nowhere."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def main() -> int:
    """Measure and print."""
    options = parser("ingest", __doc__)
    options.add_argument("--model", default="default,small", help="default: %(default)s")
    options.add_argument("--photos", type=int, default=3000, help="default: %(default)s")
    options.add_argument(
        "--memory", metavar="N,N", help="photos to take in, for instance 1000,5000"
    )
    given = options.parse_args()
    photos = distinct(given.data, given.photos)
    models = given.model.split(",")
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            found[model] = figures = measure(photos, model, Path(scratch) / model)
            show(model, figures)
        if given.memory:
            counts = [int(count) for count in given.memory.split(",")]
            found["memory"] = memory(photos, counts, models[-1], Path(scratch))
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
