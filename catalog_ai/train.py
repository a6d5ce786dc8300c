"""`python -m catalog_ai.train`: train a model and register it.

Exit codes: 0 trained, 2 a flag is wrong, 65 the photos or labels cannot train a model, 74 the
database cannot be used, 130 stopped by hand before the first epoch was done. Ctrl-C later on keeps
the best weights so far.
"""

import json
import sys
from pathlib import Path
from typing import Any

from catalog_ai import cli
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.training import DEFAULT_RECIPE, TrainedVersion, train_version


def main(arguments: list[str] | None = None) -> int:
    """Train as the flags say and print what came of it."""
    parser = cli.parser("train", __doc__)
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="photos in one folder per category, with or without train/ and validation/ above; "
        "default: the catalogue's own photos and labels",
    )
    parser.add_argument(
        "--recipe", default=DEFAULT_RECIPE, help="article or small (default: %(default)s)"
    )
    parser.add_argument("--classes", metavar="A,B,C", help="only these categories")
    parser.add_argument("--epochs", type=int, metavar="N", help="classifier epochs")
    parser.add_argument("--siamese-epochs", type=int, metavar="N", help="visual search epochs")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument("--version", metavar="NAME", help="name of the model")
    parser.add_argument("--activate", action="store_true", help="use the model from now on")
    parser.add_argument("--json", metavar="FILE", help="write the metrics here")
    options = parser.parse_args(arguments)
    catalogue = open_catalogue(cli.settings_of(options))
    with cli.progress_bar("Training") as progress:
        trained = train_version(
            catalogue,
            data=Path(options.data) if options.data else None,
            recipe=options.recipe,
            classes=options.classes.split(",") if options.classes else None,
            epochs=options.epochs,
            siamese_epochs=options.siamese_epochs,
            seed=options.seed,
            version=options.version,
            activate=options.activate,
            progress=progress,
        )
    print(summary(trained))
    if options.json:
        Path(options.json).write_text(json.dumps(trained.meta, indent=2) + "\n")
    return 0


def summary(trained: TrainedVersion) -> str:
    """Return what a training brought, in three lines."""
    metrics, data = trained.meta["metrics"], trained.meta["data"]
    used = "it is the active one" if trained.is_active else "make it active on the page Models"
    return (
        f"{trained.version}: {metrics['accuracy']:.1%} of {data['validation']} validation photos "
        f"right, trained on {data['train']} in {metrics['train_seconds']:.0f} s; {used}\n"
        f"visual search: same category first {_share(metrics['top1'])}, among five "
        f"{_share(metrics['top5'])}, mAP@R {_number(metrics['map_at_r'])}\n"
        f"mean distance: same category {_number(metrics['same_class_distance'])}, different "
        f"{_number(metrics['different_class_distance'])}"
    )


def _share(value: Any) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(cli.run(main))
