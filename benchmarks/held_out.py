"""Settings of the recipe `small`, compared on a held-out fifth of the training photos.

    python -m benchmarks.held_out [--data FOLDER] [--seeds 0,1] [--epochs N] [--set NAME=VALUE ...]

Every run is one line: as the recipe is, and with each --set of its own. A name of the augmentation
is written `augmentation.scale=0.6`; settings that belong together are joined by a comma. What is
compared is the classifier before the joint stage, served with all its views. "Loss" is the
negative log-likelihood of the probabilities sharpened by the power 1.5, about what their
temperature makes of them: it tells settings apart where the accuracy of 494 photos cannot. The
validation photos are not read.
"""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.losses import served
from benchmarks.photos import CLASSES, parser, read, seven
from catalog_ai.data.dataset import PhotoArrays, load_photos
from catalog_ai.errors import UsageError
from catalog_ai.memory import freed_memory_kept
from catalog_ai.models.siamese import SiameseEncoder
from catalog_ai.training import small
from catalog_ai.training.calibration import fold
from catalog_ai.training.task import Task

POWER = 1.5
AUGMENTATION = "augmentation."


def changed(settings: small.Settings, words: str) -> small.Settings:
    """Return `settings` with what `words` say, `name=value` parted by commas.

    Raises `UsageError` for a name that there is not, or a value that is no JSON.
    """
    for pair in filter(None, words.split(",")):
        name, _, text = pair.partition("=")
        try:
            value = json.loads(text)
        except ValueError as error:
            raise UsageError(f"{pair!r} is not NAME=VALUE: write weight_decay=0.05") from error
        if name.startswith(AUGMENTATION):
            part, name = settings.augmentation, name.removeprefix(AUGMENTATION)
            _known(part, name)
            settings = replace(settings, augmentation=replace(part, **{name: value}))
        else:
            _known(settings, name)
            settings = replace(settings, **{name: value})
    return settings


def _known(part: Any, name: str) -> None:
    there_are = [field.name for field in fields(part)]
    if name not in there_are:
        raise UsageError(f"there is no setting {name!r}: choose from {', '.join(there_are)}")


def measure(
    photos: PhotoArrays, settings: small.Settings, epochs: int, seed: int
) -> dict[str, float]:
    """Return accuracy, loss and seconds of one training on four fifths of `photos`."""
    learnt, held_out = fold(photos.targets, 0)  # the same fifth, whatever the seed
    unseen = photos.take(held_out)
    shown = unseen.resized(settings.size)
    task = Task(photos.take(learnt), shown, epochs, 0, seed, settings)
    start = perf_counter()
    with freed_memory_kept():
        classifier, _ = small.train_first(task)
    seconds = perf_counter() - start
    model = served(settings, classifier, SiameseEncoder(classifier.backbone))
    seen = model.predict(list(unseen.resized(model.input_size).pixels)).probabilities
    sharp = seen.astype(np.float64) ** POWER
    sharp /= sharp.sum(1, keepdims=True)
    likely = sharp[np.arange(len(unseen)), unseen.targets]
    return {
        "accuracy": float((seen.argmax(1) == unseen.targets).mean()),
        "loss": float(-np.log(np.maximum(likely, 1e-12)).mean()),
        "seconds": seconds,
    }


def main() -> int:
    """Train each setting with each seed and print a line for it."""
    options = parser("held_out", __doc__)
    options.add_argument("--seeds", default="0,1", help="default: %(default)s")
    options.add_argument("--epochs", type=int, default=small.EPOCHS, help="default: %(default)s")
    options.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="rows")
    given = options.parse_args()
    items, _ = seven(read(given.data))
    seeds = [int(seed) for seed in given.seeds.split(",")]
    table: dict[str, list[dict[str, float]]] = {}
    print(f"{'seconds':>9}{'loss':>8}   accuracy by seed", flush=True)
    for words in ("", *given.rows):
        settings = changed(small.Settings(), words)
        photos = load_photos(items, settings.stored_size, classes=CLASSES)
        found = [measure(photos, settings, given.epochs, seed) for seed in seeds]
        table[words or "as it is"] = found
        seconds, loss = (np.mean([each[name] for each in found]) for name in ("seconds", "loss"))
        right = ", ".join(f"{each['accuracy']:.1%}" for each in found)
        print(f"{seconds:9.0f}{loss:8.3f}   {right}   {words or 'as it is'}", flush=True)
    if given.json:
        Path(given.json).write_text(json.dumps(table, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
