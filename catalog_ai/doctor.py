"""`python -m catalog_ai.doctor`: is the catalogue well? One line per check; nothing is changed.

The schema, the database, the photos on disk, vectors and predictions, models, runs and jobs, the
space that is left. --deep decodes every photo and looks at every vector and index. --repair does so
too, then moves damaged copies of photos to CATALOG_HOME/damaged and brings back what a backup has
of them; the rest comes back with its next delivery. Exit codes: 0 all is well (notes allowed), 1
something is wrong, or was before the repair, 2 a flag is wrong, 74 the database cannot be opened at
all, or the disk not be written to, 75 an ingest is running that --repair has to wait for.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from catalog_ai import cli
from catalog_ai.errors import UsageError
from catalog_ai.services.checking import (
    DECODES,
    NOTE,
    OK,
    PROBLEM,
    Finding,
    findings,
    open_as_found,
)
from catalog_ai.services.photos import write_whole
from catalog_ai.services.repairing import Repaired, repair


def main(arguments: list[str] | None = None) -> int:
    """Check as the flags say and print each finding as it is made."""
    parser = cli.parser("doctor", __doc__)
    parser.add_argument("--deep", action="store_true", help="decode and compare everything: slow")
    parser.add_argument("--json", metavar="FILE", help="write what was found here as well")
    parser.add_argument(
        "--repair", action="store_true", help="move damaged photos aside, bring back whole ones"
    )
    parser.add_argument("--from", dest="source", metavar="FOLDER", help="of backups, for --repair")
    options = parser.parse_args(arguments)
    if options.source and not options.repair:
        raise UsageError(f"--from is {options.source}: it needs --repair")
    catalogue = open_as_found(cli.settings_of(options))
    found = []
    for finding in findings(catalogue, deep=options.deep or options.repair):
        print(line(finding), flush=True)
        found.append(finding)
    problems, notes = (sum(one.state == state for one in found) for state in (PROBLEM, NOTE))
    print(f"{len(found)} checks: {problems} problems, {notes} notes")
    report = {"problems": problems, "notes": notes, "checks": [asdict(one) for one in found]}
    if options.repair and any(one.name == DECODES for one in found):  # else the schema is another
        damaged = [name for one in found if one.name == DECODES for name in one.files]
        source = Path(options.source) if options.source else None
        repaired = repair(catalogue, damaged, source=source)
        print(said_of(repaired, catalogue.settings.damaged))
        report["repaired"] = {
            **{"moved": repaired.moved, "restored": repaired.restored},
            "waiting": repaired.waiting.count,
        }
    if options.json:
        text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(options.json), text.encode())
    return 1 if problems else 0


def line(finding: Finding) -> str:
    """Return a finding in one line: state, name, what was found, examples, what to do."""
    said = f"{finding.state:<8} {finding.name}: {finding.sentence}"
    if finding.state == OK:
        return said
    examples = f" ({', '.join(finding.examples)})" if finding.examples else ""
    return f"{said}{examples}; {finding.advice}"


def said_of(repaired: Repaired, damaged: Path) -> str:
    """Return in one line what became of photos that were damaged, empty or gone."""
    if not (repaired.moved or repaired.restored or repaired.waiting.count):
        return "repaired: no stored photo is damaged, empty or gone"
    said = [f"damaged photos moved to {damaged}: {repaired.moved:,}"] if repaired.moved else []
    said.append(f"brought back from a backup: {repaired.restored:,}")
    waiting = repaired.waiting
    if waiting.count:
        said.append(
            f"waiting for their delivery, to be ingested again: {waiting.count:,} "
            f"({', '.join(waiting.examples)})"
        )
    return f"repaired: {'; '.join(said)}"


if __name__ == "__main__":
    sys.exit(cli.run(main))
