"""How close an ingest comes to the bound of the hardware, beside the article's loop.

    python -m benchmarks.ingest [--data FOLDER] [--model default,small] [--photos 3000]
                                [--again N] [--memory 1000,100000] [--json FILE]

One run measures, on the same real photos (default: `clothing-dataset-small` in
`CATALOG_TEST_PHOTOS`), all clocks started after loading:

* the article's loop: one photo at a time, decoded and computed by torch as it comes;
* the bound: decoding alone on all cores, then the forward pass alone on all cores (ONNX Runtime,
  batches of 32), nothing else; for `small` the bound includes the thumbnail's encoding;
* `ingest`, everything included: reading, hashing, decoding, both stored files, the network and the
  database; and a second run over the same photos, which has nothing to do.

`--memory` takes in so many photos (the same under new names) and prints the most memory that was
held, all processes together. Bound and ingest take turns, the better of two of each counts.
"""

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
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.photos import parser, read
from catalog_ai import shipped
from catalog_ai.checkpoint import load_checkpoint
from catalog_ai.config import settings
from catalog_ai.images import Pixels, decode, resize_square, thumbnail
from catalog_ai.inference.runner import OnnxRunner, export_onnx
from catalog_ai.models.siamese import TwoHeads
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.ingest import IngestReport, ingest

BATCH = 32
SAMPLE = 200  # photos of the article's loop
TURNS = 2
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
        views = preprocessing.views(torch.from_numpy(square.transpose(2, 0, 1)[None].copy()))
        with torch.inference_mode():
            for view in views:
                network(view)
    return (perf_counter() - start) / len(photos[:SAMPLE])


def decoded(photos: Sequence[Path], size: int, *, thumbnails: bool) -> int:
    """Decode photos to squares, with `thumbnails` encode those as well; return how many."""
    for photo in photos:
        pixels: Pixels = decode(photo.read_bytes())
        resize_square(pixels, size)
        if thumbnails:
            thumbnail(pixels)
    return len(photos)


class Bound:
    """What the hardware could do: decoding alone, then the forward pass alone."""

    def __init__(self, photos: Sequence[Path], folder: Path, *, thumbnails: bool) -> None:
        self._photos = photos
        self._thumbnails = thumbnails
        checkpoint = load_checkpoint(folder)
        self._preprocessing = checkpoint.preprocessing
        export_onnx(checkpoint, folder / "bound.onnx")
        self._compute = OnnxRunner(folder / "bound.onnx")
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(CORES, mp_context=context)
        size = self._preprocessing.square
        warm = [self._pool.submit(decoded, photos[:20], size, thumbnails=True) for _ in range(8)]
        assert all(future.result() for future in warm)
        self._forward(BATCH * 2)

    def measure(self) -> dict[str, float]:
        """Return seconds of decoding and of the forward pass."""
        start = perf_counter()
        size = self._preprocessing.square
        parts = [self._photos[first : first + 25] for first in range(0, len(self._photos), 25)]
        futures = [
            self._pool.submit(decoded, part, size, thumbnails=self._thumbnails) for part in parts
        ]
        assert sum(future.result() for future in futures) == len(self._photos)
        middle = perf_counter()
        self._forward(len(self._photos))
        return {"decode": middle - start, "forward": perf_counter() - middle}

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()

    def _forward(self, count: int) -> None:
        side = self._preprocessing.square
        squares = torch.randint(0, 255, (BATCH, 3, side, side), dtype=torch.uint8)
        for _ in range(0, count, BATCH):
            for view in self._preprocessing.views(squares):
                self._compute(view.contiguous().numpy())


def take_in(folder: Path, home: Path, model: str) -> IngestReport:
    """Ingest `folder` into the catalogue at `home`."""
    catalogue = open_catalogue(settings(home=home))
    try:
        return ingest(catalogue, folder, model=model)
    finally:
        catalogue.engine.dispose()


def measure(photos: Sequence[Path], model: str) -> dict[str, float]:
    """Return all figures of one model: seconds, and shares of the bound."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        installed = shipped.install(model, root / "models")
        loop = article_loop(photos, installed) * len(photos)
        print(f"{model}: the article's loop, {len(photos) / loop:,.0f} photos a second", flush=True)
        folder = copies(photos, root / "delivery")
        bound = Bound(photos, installed, thumbnails=model == "small")
        bounds, runs, seconds_of_second = [], [], []
        for turn in range(TURNS):
            bounds.append(bound.measure())
            home = root / f"home-{turn}"
            report = take_in(folder, home, model)
            assert (report.added, report.computed) == (len(photos), len(photos)), report
            runs.append(report.seconds - report.loading_seconds)
            again = take_in(folder, home, model)
            assert again.unchanged == len(photos) and not again.computed, again
            seconds_of_second.append(again.seconds - again.loading_seconds)
            print(f"{model}: turn {turn}: {bounds[-1]}, ingest {runs[-1]:.1f} s", flush=True)
        bound.close()
    best = min(bounds, key=lambda each: sum(each.values()))
    return {
        "photos": len(photos),
        "loop_seconds": loop,
        "decode_seconds": best["decode"],
        "forward_seconds": best["forward"],
        "bound_seconds": sum(best.values()),
        "ingest_seconds": min(runs),
        "second_run_seconds": min(seconds_of_second),
        "share_of_bound": sum(best.values()) / min(runs),
        "second_run_share": min(seconds_of_second) / min(runs),
    }


def copies(photos: Sequence[Path], folder: Path) -> Path:
    """Copy photos into one folder: an ingest follows no links."""
    folder.mkdir()
    for number, photo in enumerate(photos):
        (folder / f"{number:06}{photo.suffix}").write_bytes(photo.read_bytes())
    return folder


def show(model: str, found: dict[str, float]) -> None:
    """Print the table of one model."""
    count = found["photos"]
    print(f"\n{model}, {count:,} photos, {CORES} cores")
    for words, key in (
        ("the article's loop, one photo at a time", "loop_seconds"),
        ("the bound: decode, then forward", "bound_seconds"),
        ("ingest, everything included", "ingest_seconds"),
        ("a second run over the same photos", "second_run_seconds"),
    ):
        print(f"{words:42}{found[key]:9.1f} s {count / found[key]:9,.0f} photos a second")
    goal = GOALS[model]
    print(f"{'ingest, share of the bound':42}{found['share_of_bound']:9.1%}   goal ≥ {goal:.0%}")
    print(f"{'second run, share of the first':42}{found['second_run_share']:9.1%}   goal < 5%")


def memory(photos: Sequence[Path], counts: Sequence[int], model: str) -> dict[int, float]:
    """Return photos taken in → the most MiB that ingest and its processes held together."""
    found = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as scratch:
            originals = sorted(copies(photos, Path(scratch) / "originals").iterdir())
            folder = Path(scratch) / "delivery"
            folder.mkdir()
            for number in range(count):
                original = originals[number % len(originals)]
                os.link(original, folder / f"{number:06}{original.suffix}")
            found[count] = _peak(folder, Path(scratch) / "home", model)
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
    for model in models:
        found[model] = figures = measure(photos, model)
        show(model, figures)
    if given.memory:
        counts = [int(count) for count in given.memory.split(",")]
        found["memory"] = memory(photos, counts, models[-1])
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
