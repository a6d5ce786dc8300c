"""The shipped models beside their baseline, ImageNet features that saw no clothes, and the goals.

    python -m benchmarks.models [--data FOLDER] [--json FILE]

Measured on the validation photos of the seven categories in FOLDER (default: those of
`clothing-dataset-small` in `CATALOG_TEST_PHOTOS`): the category among themselves, the same garment
shot again among them and every second training photo. How long a model was trained is what its
birth certificate says of the machine that trained it: `python -m catalog_ai.train --recipe NAME`
measures it anew.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.photos import parser, read, seven
from catalog_ai import shipped
from catalog_ai.cli import number, share
from catalog_ai.evaluation.report import evaluate_model
from catalog_ai.inference.embeddings import CatalogModel

ROWS = {
    "accuracy": ("right category, among the seven", "≥ 88 % | ≥ 96 %"),
    "accuracy_all": ("right category, among all ten", ""),
    "top1": ("same category first", "≥ 94 %"),
    "top5": ("same category among five", "≥ 98.5 %"),
    "map_at_r": ("mAP@R", "≥ 0.88"),
    "reshot_recall_at_1": ("same garment, shot again, found first", "≥ 95 %"),
    "calibration_error": ("expected calibration error", ""),
    "same_class_distance": ("mean distance, same category", ""),
    "different_class_distance": ("mean distance, different categories", ""),
    "parameters": ("parameters, both heads", ""),
    "mult_adds": ("mult-adds of one photo", ""),
    "train_seconds": ("seconds trained, the teacher's left out", "≤ 600 | ≤ 1,200"),
}
_NUMBERS = {"map_at_r", "same_class_distance", "different_class_distance"}
_COUNTS = {"parameters", "mult_adds", "train_seconds"}


def main() -> int:
    """Measure each model and print one table."""
    given = parser("models", __doc__).parse_args()
    training, validation = seven(read(given.data))
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in (shipped.IMAGENET, shipped.SMALL, shipped.DEFAULT):
            model = CatalogModel.load(shipped.install(name, Path(folder)))
            evaluated = evaluate_model(model, validation, training[::2], category_in_gallery=False)
            found[name] = {**evaluated.figures, "train_seconds": trained_for(model.meta)}
    print(f"{'':40}{''.join(f'{name:>14}' for name in found)}   goal (small | default)")
    for key, (words, goal) in ROWS.items():
        cells = "".join(f"{cell(key, figures[key]):>14}" for figures in found.values())
        print(f"{words:40}{cells}   {goal}")
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")
    return 0


def trained_for(meta: dict[str, Any]) -> float | None:
    """Return the seconds of the training, without those in which a teacher was asked."""
    if "train_seconds" not in meta["metrics"]:
        return None
    asked = meta.get("steps", {}).get("Asking the teacher", 0.0)
    return float(meta["metrics"]["train_seconds"] - asked)


def cell(key: str, value: float | None) -> str:
    """Return one figure of the table."""
    if value is None:
        return "–"
    if key in _COUNTS:
        return f"{value:,.0f}"
    return number(value) if key in _NUMBERS else share(value)


if __name__ == "__main__":
    sys.exit(main())
