"""`python -m catalog_ai.evaluate --data DIR`: measure a model on labelled photos.

DIR holds one folder per category. The model is a version of the catalogue, one that comes with the
package (default, small, imagenet), or a folder with a slash in its name. Exit codes: 0 measured, 2
a flag is wrong, 65 the photos or the model cannot be used, 74 a file cannot be written.
"""

import json
import sys
from pathlib import Path
from typing import Any

from catalog_ai import cli
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.evaluating import evaluate
from catalog_ai.services.photos import write_whole


def main(arguments: list[str] | None = None) -> int:
    """Evaluate as the flags say and print the figures."""
    parser = cli.parser("evaluate", __doc__)
    parser.add_argument("--data", metavar="DIR", required=True, help="photos by category")
    parser.add_argument("--model", metavar="VERSION|PATH", help="default: the active model")
    parser.add_argument("--gallery", metavar="DIR2", help="search among these photos as well")
    parser.add_argument("--json", metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--report", metavar="FILE", help="write a page with pictures here, .html or .md"
    )
    options = parser.parse_args(arguments)
    catalogue = open_catalogue(cli.settings_of(options))
    with cli.progress_bar("Evaluating") as progress:
        figures = evaluate(
            catalogue,
            Path(options.data),
            model=options.model,
            gallery=Path(options.gallery) if options.gallery else None,
            report=Path(options.report) if options.report else None,
            progress=progress,
        )
    print(summary(figures))
    if options.json:
        text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(options.json), text.encode())
    return 0


def summary(figures: dict[str, Any]) -> str:
    """Return the figures in a few lines."""
    lines = [
        f"{figures['model']} on {figures['images']:,} photos, {figures['seconds']:.0f} s",
        f"right category: {cli.share(figures['accuracy'])} among those present, "
        f"{cli.share(figures['accuracy_all'])} among all that it knows; calibration error "
        f"{cli.share(figures['calibration_error'])}",
        f"same category first {cli.share(figures['top1'])}, among five "
        f"{cli.share(figures['top5'])}, mAP@R {cli.number(figures['map_at_r'])}",
        f"the same garment, shot again, found first: {cli.share(figures['reshot_recall_at_1'])} "
        f"among {figures['images'] + figures['gallery_images']:,} photos",
    ]
    unknown = figures["unknown_categories"]
    if unknown:
        named = ", ".join(f"{name} ({count:,})" for name, count in sorted(unknown.items()))
        lines.append(f"categories that the model does not know: {named}")
    if figures["unreadable"]:
        lines.append(f"{figures['unreadable']:,} photos could not be read")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(cli.run(main))
