"""`python -m catalog_ai.migrate-database FROM TO`: copy a catalogue's database to another one.

FROM and TO are database addresses, or files of SQLite. TO must hold nothing: there are all rows in
it afterwards, compared one by one, or none. Nothing of FROM changes. Stop the dashboard, the worker
and cron before, since what they write to FROM meanwhile is not copied. Photos and models are files
in CATALOG_HOME and stay there. Exit codes: 0 done, and both hold the same, 2 TO is not empty, or
FROM has another schema than this program, 74 one of them cannot be used.
"""

import argparse

from catalog_ai import cli
from catalog_ai.config import settings
from catalog_ai.services.moving import Moved, migrate_database


def main(arguments: list[str] | None = None) -> int:
    """Copy as asked and print what was compared."""
    parser = argparse.ArgumentParser(
        prog="python -m catalog_ai.migrate-database",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="FROM", help="the database that there is")
    parser.add_argument("target", metavar="TO", help="an empty database")
    options = parser.parse_args(arguments)
    with cli.progress_bar("Copy") as progress:
        moved = migrate_database(settings(), options.source, options.target, progress)
    print(summary(moved))
    return 0


def summary(moved: Moved) -> str:
    """Return what was copied, a line per table."""
    lines = [
        f"{table.name:<18}{table.rows:>11,} rows, the same in both (sha256 {table.sha256[:12]})"
        for table in moved.tables
    ]
    lines.append(
        f"All {len(lines)} tables are copied (schema {moved.schema}). Photos and models stay in "
        f"{settings().home}. Now set CATALOG_DATABASE_URL to the new address."
    )
    return "\n".join(lines)
