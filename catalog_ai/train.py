"""`python -m catalog_ai.train`: train a model and register it.

Exit codes: 0 trained, 2 a flag is wrong, 65 the photos or labels cannot train a model, 74 the
database cannot be used, 130 stopped by hand before the first epoch was done. Ctrl-C later on keeps
the best weights so far.
"""

import json
import sys
from pathlib import Path

from catalog_ai import cli
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.training import (
    DEFAULT_RECIPE,
    LOSSES,
    MINING,
    SETTINGS,
    TrainedVersion,
    train_version,
)


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
        "--recipe", default=DEFAULT_RECIPE, help="article, small or default (default: %(default)s)"
    )
    parser.add_argument("--classes", metavar="A,B,C", help="only these categories")
    parser.add_argument("--epochs", type=int, metavar="N", help="classifier epochs")
    parser.add_argument("--siamese-epochs", type=int, metavar="N", help="visual search epochs")
    parser.add_argument("--teacher", metavar="VERSION", help="learn from this model besides")
    parser.add_argument("--backbone", metavar="NAME", help="of the recipe default: a timm name")
    parser.add_argument("--weights", metavar="FILE", help="its pretrained weights, safetensors")
    parser.add_argument(
        "--freeze", dest="frozen_stages", type=int, metavar="N", help="keep its first N stages"
    )
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of the network's input")
    parser.add_argument("--loss", metavar="NAME", help=f"on the vector: {', '.join(LOSSES)}")
    parser.add_argument("--mining", metavar="NAME", help=f"of triplets: {', '.join(MINING)}")
    parser.add_argument("--margin", type=float, metavar="X", help="of triplet and arcface")
    parser.add_argument(
        "--squeeze-excitation", action="store_true", default=None, help="in the article's blocks"
    )
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
            teacher=options.teacher,
            options={
                name: getattr(options, name)
                for name in SETTINGS
                if getattr(options, name) is not None
            },
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
        f"visual search: same category first {cli.share(metrics['top1'])}, among five "
        f"{cli.share(metrics['top5'])}, mAP@R {cli.number(metrics['map_at_r'])}\n"
        f"mean distance: same category {cli.number(metrics['same_class_distance'])}, different "
        f"{cli.number(metrics['different_class_distance'])}; the same garment, shot again, found "
        f"first {cli.share(metrics['reshot_recall_at_1'])}; calibration error "
        f"{cli.share(metrics['calibration_error'])}"
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
