"""`python -m catalog_ai.doctor`: is the catalogue well? One line per check; nothing is changed.

The schema, the database, the photos on disk, vectors and predictions, models, runs and jobs, the
space that is left. --deep decodes every photo and looks at every vector and index. Exit codes: 0
all is well (notes allowed), 1 something is wrong, 2 a flag is wrong, 74 the database cannot be
opened at all.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from catalog_ai import cli
from catalog_ai.services.checking import NOTE, OK, PROBLEM, Finding, findings, open_as_found
from catalog_ai.services.photos import write_whole


def main(arguments: list[str] | None = None) -> int:
    """Check as the flags say and print each finding as it is made."""
    parser = cli.parser("doctor", __doc__)
    parser.add_argument("--deep", action="store_true", help="decode and compare everything: slow")
    parser.add_argument("--json", metavar="FILE", help="write what was found here as well")
    options = parser.parse_args(arguments)
    found = []
    for finding in findings(open_as_found(cli.settings_of(options)), deep=options.deep):
        print(line(finding), flush=True)
        found.append(finding)
    problems, notes = (sum(one.state == state for one in found) for state in (PROBLEM, NOTE))
    print(f"{len(found)} checks: {problems} problems, {notes} notes")
    if options.json:
        report = {"problems": problems, "notes": notes, "checks": [asdict(one) for one in found]}
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


if __name__ == "__main__":
    sys.exit(cli.run(main))
