"""`python -m catalog_ai.ingest SOURCE`: take in what a delivery brings.

SOURCE is a folder: one folder per category (with or without train/ and validation/ above), a folder
with a manifest.csv, or photos alone. Exit codes: 0 done (unreadable photos are listed, the rest is
in), 2 a flag is wrong, 65 SOURCE cannot be used or there is no model yet, 74 the database cannot be
used, 75 another ingest is running, 130 stopped by hand.
"""

import json
import sys
from pathlib import Path

from catalog_ai import cli
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.ingest import IngestReport, ingest
from catalog_ai.services.photos import write_whole

_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Ingest as the flags say and print what came of it."""
    parser = cli.parser("ingest", __doc__)
    parser.add_argument("source", metavar="SOURCE", help="the delivered folder")
    parser.add_argument("--model", metavar="VERSION", help="default: the active model")
    parser.add_argument("--report", metavar="FILE", help="write what happened here, as JSON")
    options = parser.parse_args(arguments)
    catalogue = open_catalogue(cli.settings_of(options))
    with cli.progress_bar("Ingest") as progress:
        report = ingest(catalogue, options.source, model=options.model, progress=progress)
    print(summary(report))
    if options.report:
        text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(options.report), text.encode())
    return 0


def summary(report: IngestReport) -> str:
    """Return what a run brought, in plain lines."""
    lines = [
        f"{report.seen:,} products delivered: {report.added:,} new, {report.updated:,} changed, "
        f"{report.unchanged:,} as they were, {len(report.quarantined):,} unreadable; "
        f"{report.seconds:.1f} s, {report.images_per_second:,.0f} photos a second"
    ]
    if report.second_look:
        lines.append(f"{report.second_look:,} changed under a decision: they wait in Second look")
    lines += [f"  unreadable: {p['image']}: {p['reason']}" for p in report.quarantined[:_SHOWN]]
    for names, sentence in (
        (report.missing, "rows whose photo did not come"),
        (report.unlisted, "photos that no row mentions"),
    ):
        if names:
            more = ", …" if len(names) > 3 else ""
            lines.append(f"{len(names):,} {sentence}: {', '.join(names[:3])}{more}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(cli.run(main))
