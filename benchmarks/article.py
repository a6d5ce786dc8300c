"""The article's claims beside what its recipe gives, and beside ours, all from one run.

    python -m benchmarks.article [--data FOLDER] [--seeds 0,1,2] [--json FILE]

FOLDER has `train/` and `validation/` (default: `clothing-dataset-small` in `CATALOG_TEST_PHOTOS`).
First the article's loop as printed: every photo decoded again in every epoch, no loader workers.
Then the recipe `article`, the same arithmetic on photos decoded once, and the recipe `small`. Times
move from machine to machine, so read the ratios. `small` was tuned on a held-out fifth of the
training photos; the validation photos are only looked at here.
"""

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.photos import CLASSES, parser, read, seven
from catalog_ai.data.loaders import train_loader, validation_loader
from catalog_ai.data.sources import Source, SourceItem, normal_label
from catalog_ai.data.transforms import Transform, train_transform, validation_transform
from catalog_ai.models.backbone import MobileNetBackbone
from catalog_ai.models.classifier import MobileNetLikeClassifier
from catalog_ai.models.summary import summarize
from catalog_ai.training.classifier_train import ClassifierEpoch, train_classifier
from catalog_ai.training.recipes import train_recipe

EPOCHS = 10
CLAIMS = {
    "parameters": "428,944",
    "accuracy": "85.5 %",
    "top1": "68 %",
    "top5": "89 %",
    "map_at_r": "–",
    "same_class_distance": "2.3",
    "different_class_distance": "5.8",
}


class DecodingDataset(Dataset[tuple[Tensor, int]]):
    """What the article's `ImageFolder` does: open, decode and transform a photo at each access."""

    classes = CLASSES

    def __init__(self, items: list[SourceItem], transform: Transform) -> None:
        self.paths = [item.path for item in items]
        numbers = [CLASSES.index(normal_label(item.label or "")) for item in items]
        self.targets = torch.tensor(numbers).numpy()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.paths[index]) as image:
            return self.transform(image.convert("RGB")), int(self.targets[index])


def articles_loop(source: Source, seed: int) -> dict[str, float]:
    """Run the article's ten epochs as printed; return accuracy and seconds."""
    training, validation = seven(source)
    epochs: list[ClassifierEpoch] = []
    torch.manual_seed(seed)
    start = perf_counter()
    train_classifier(
        model=MobileNetLikeClassifier(num_classes=len(CLASSES)),
        train_loader=train_loader(DecodingDataset(training, train_transform()), seed=seed),
        val_loader=validation_loader(
            DecodingDataset(validation, validation_transform()), batch_size=32
        ),
        epochs=EPOCHS,
        on_epoch=epochs.append,
    )
    return {"accuracy": epochs[-1].val_accuracy, "seconds": perf_counter() - start}


def measure(source: Source, seed: int) -> dict[str, Any]:
    """Return the article's loop, the recipe `article` and the recipe `small` of one seed."""
    loop = articles_loop(source, seed)
    print(f"seed {seed}: the article's loop, {loop['seconds']:.0f} s", flush=True)
    found: dict[str, Any] = {"seed": seed, "loop": loop}
    for recipe in ("article", "small"):
        with tempfile.TemporaryDirectory() as folder:
            trained = train_recipe(
                recipe, source, out=Path(folder), version=recipe, classes=CLASSES, seed=seed
            )
        found[recipe] = trained.meta["metrics"]
        history = trained.meta["history"]["classifier"]
        found[recipe]["after_classifier"] = history[-1]["val_accuracy"]
        print(f"seed {seed}: {recipe}, {found[recipe]['train_seconds']:.0f} s", flush=True)
    return found


def show(found: dict[str, Any]) -> None:
    """Print one seed's table and its times."""
    article, small, loop = found["article"], found["small"], found["loop"]
    print(f"\nseed {found['seed']}\n{'':28}{'article says':>14}{'its recipe':>14}{'small':>14}")
    rows = {
        "parameters of all backbones": "parameters",
        "validation accuracy": "accuracy",
        "same category, first": "top1",
        "same category, among five": "top5",
        "mAP@R": "map_at_r",
        "mean distance, same": "same_class_distance",
        "mean distance, different": "different_class_distance",
    }
    for words, key in rows.items():
        print(f"{words:28}{CLAIMS[key]:>14}{cell(key, article):>14}{cell(key, small):>14}")
    print(f"\n{'ten epochs, as printed':44}{loop['seconds']:8.1f} s  {loop['accuracy']:.1%} right")
    once = article["read_seconds"] + article["classifier_seconds"]
    ratio = loop["seconds"] / once
    print(f"{'the same, photos decoded once':44}{once:8.1f} s  {ratio:.2f} times as fast")
    ours = small["read_seconds"] + small["classifier_seconds"]
    share = ours / loop["seconds"]
    print(
        f"{'small, photos read and classifier trained':44}{ours:8.1f} s  {share:.2f} of the "
        f"article's time, {small['after_classifier']:.1%} right"
    )
    total = small["train_seconds"]
    share = total / loop["seconds"]
    print(
        f"{'small, with the siamese stage':44}{total:8.1f} s  {share:.2f} of the article's time, "
        f"{small['accuracy']:.1%} right as served (photo, middle, mirror images)"
    )


def cell(key: str, metrics: dict[str, Any]) -> str:
    """Return one figure of the table; the head's 455 parameters are not the backbone's."""
    if key == "parameters":
        return f"{metrics[key] - 455:,}"
    share = key in {"accuracy", "top1", "top5"}
    return f"{metrics[key]:.1%}" if share else f"{metrics[key]:.3f}"


def main() -> int:
    """Measure each seed and print it."""
    options = parser("article", __doc__)
    options.add_argument("--seeds", default="0", help="for instance 0,1,2 (default: 0)")
    given = options.parse_args()
    source = read(given.data)
    print(summarize(MobileNetBackbone()), "\n")
    full = summarize(MobileNetBackbone(depthwise=False))
    print(
        f"with a full 3×3 convolution: {full.parameters:,} parameters, "
        f"{full.mult_adds / 1e9:.2f} G mult-adds, which is what the article prints\n"
    )
    every = [measure(source, int(seed)) for seed in given.seeds.split(",")]
    for found in every:
        show(found)
    if given.json:
        Path(given.json).write_text(json.dumps(every, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
