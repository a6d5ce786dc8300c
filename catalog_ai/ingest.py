"""`python -m catalog_ai.ingest SOURCE`: take in what a delivery brings.

SOURCE is a folder with one folder per category (with or without train/ and validation/ above), a
folder with a manifest (CSV, JSON, JSON Lines or Parquet), the manifest itself, or photos alone.
Exit codes: 0 done (what cannot be used is listed, the rest is in), 2 a flag, a setting or the file
of categories is wrong, 65 SOURCE cannot be used, 74 the database cannot be used, 75 another ingest
is running, or the manifest is still being copied, 130 and 143 stopped by Ctrl-C or SIGTERM: what
was at hand is written, the next run carries on.
"""

import argparse
import json
import sys
from pathlib import Path

from catalog_ai import cli
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.ingest import IngestReport, Wishes, ingest, read_categories
from catalog_ai.services.photos import write_whole

_SHOWN = 10
_FIELDS = ("sku", "image", "label", "title", "price", "stock", "brand")


def main(arguments: list[str] | None = None) -> int:
    """Ingest as the flags say and print what came of it."""
    parser = cli.parser("ingest", __doc__)
    parser.add_argument("source", metavar="SOURCE", help="the delivered folder or manifest")
    parser.add_argument("--model", metavar="VERSION", help="default: the active model")
    parser.add_argument(
        "--columns", metavar="sku=Article,image=Photo", help="names of the manifest's columns"
    )
    parser.add_argument(
        "--categories", metavar="FILE", help="lines such as Polo = t-shirt; ? for no label"
    )
    parser.add_argument(
        "--only", metavar="SKU", action="append", default=[], help="this product; may be repeated"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="the first N products")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would happen, change nothing"
    )
    parser.add_argument(
        "--retire-missing",
        type=_retire,
        metavar="{few,any}",
        nargs="?",
        const="few",
        help="hide products that SOURCE no longer has; 'few' (the default) refuses to hide more "
        "than half of the catalogue",
    )
    parser.add_argument("--report", metavar="FILE", help="write what happened here, as JSON")
    parser.add_argument(
        "--html", metavar="FILE", help="write a page about it, to be read by people"
    )
    parser.add_argument(
        "--engine",
        choices=("plain", "ray"),
        default="plain",
        help="what reads and computes: this machine, or a Ray cluster",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="the Ray cluster; default: one on this machine"
    )
    options = parser.parse_args(arguments)
    if options.address and options.engine != "ray":
        raise UsageError(f"--address is {options.address}: it needs --engine ray")
    if options.limit is not None and options.limit < 0:
        raise UsageError(f"--limit is {options.limit}: give a number of products")
    catalogue = open_catalogue(cli.settings_of(options))
    with cli.progress_bar("Ingest") as progress:
        report = ingest(
            *(catalogue, options.source),
            model=options.model,
            wishes=Wishes(
                columns=columns(options.columns) if options.columns else {},
                categories=read_categories(options.categories) if options.categories else None,
                only=frozenset(options.only),
                limit=options.limit,
                dry_run=options.dry_run,
                retire_missing=options.retire_missing or "",
                page=str(Path(options.html).resolve()) if options.html else "",
                engine=options.engine,
                address=options.address or "",
            ),
            progress=progress,
        )
    print(summary(report))
    if options.only and not report.seen:
        named = ", ".join(options.only)
        print(f"nothing in this delivery is called {named}: give a SKU, a photo's path, or FOLDER/")
    if options.report:
        text = json.dumps(report.as_dict(), indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(options.report), text.encode())
    return 0


def _retire(given: str) -> str:
    """Return how many products may be hidden. Raises where SOURCE was taken for it."""
    if given not in ("few", "any"):
        raise argparse.ArgumentTypeError(
            f"{given!r} is neither few nor any: if it is the delivery, name it first, before the "
            "flags"
        )
    return given


def columns(text: str) -> dict[str, str]:
    """Return field → column of `sku=Article,image=Photo`. Raises `UsageError`."""
    found: dict[str, str] = {}
    for pair in text.split(","):
        name, equals, column = (part.strip() for part in pair.partition("="))
        if not equals or not column or name not in _FIELDS:
            raise UsageError(
                f"--columns says {pair!r}: write FIELD=COLUMN, FIELD one of {', '.join(_FIELDS)}"
            )
        found[name] = column
    return found


def summary(report: IngestReport) -> str:
    """Return what a run brought, in plain lines."""
    lines = [] if report.run_id else ["nothing was changed: this is what a run would do"]
    lines += [f"  quarantined: {p['image']}: {p['reason']}" for p in report.quarantined[:_SHOWN]]
    more = len(report.quarantined) - _SHOWN
    if more > 0:
        lines.append(f"  and {more:,} more, on the page Nightly runs")
    unknown = [f"{name} ({n:,})" for name, n in report.unknown_labels.items()]
    for names, one, several in (
        (
            report.missing,
            "photo that a row names did not come",
            "photos that rows name did not come",
        ),
        (report.unlisted, "photo that no row mentions", "photos that no row mentions"),
        (unknown, "unknown category", "unknown categories"),
    ):
        if names:
            rest = ", …" if len(names) > 3 else ""
            sentence = one if len(names) == 1 else several
            lines.append(f"{len(names):,} {sentence}: {', '.join(names[:3])}{rest}")
    if report.second_look:
        lines.append(f"{report.second_look:,} changed under a decision: they wait in Second look")
    if report.retired:
        hidden = "hidden" if report.run_id else "would be hidden"
        lines.append(f"{report.retired:,} no longer delivered: {hidden}")
    if report.message:
        lines.append(report.message)
    return "\n".join([*lines, last_line(report)])


def last_line(report: IngestReport) -> str:
    """Return the counts in one line."""
    looked = "looked" if report.run_id else "would be looked"
    again = f"; {report.looked_again:,} {looked} at again by {report.model}"
    return (
        f"{report.seen:,} delivered: {report.added:,} new, {report.updated:,} changed, "
        f"{report.unchanged:,} as they were, {len(report.quarantined):,} quarantined; "
        f"{report.seconds:.1f} s, {report.images_per_second:,.0f} products a second"
        f"{again if report.looked_again else ''}"
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
