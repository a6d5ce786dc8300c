"""`python -m catalog_ai.migrate-database` runs `catalog_ai/migrate_database.py`."""

import sys

from catalog_ai import cli
from catalog_ai.migrate_database import main

if __name__ == "__main__":
    sys.exit(cli.run(main))
