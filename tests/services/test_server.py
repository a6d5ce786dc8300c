"""What has no service of its own: the doctor's checks, and a second process, also on a server."""

import os
import subprocess
import sys

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checking import check, open_as_found
from tests.helpers import Seeded


def test_every_check_of_the_doctor_can_be_made(catalogue: Catalogue, seeded: Seeded) -> None:
    as_found = open_as_found(catalogue.settings)
    found = check(as_found, deep=True)
    as_found.engine.dispose()
    assert len(found) > 15
    assert [finding for finding in found if "could not be checked" in finding.sentence] == []


def test_a_new_process_opens_the_same_catalogue(catalogue: Catalogue, seeded: Seeded) -> None:
    script = (
        "from catalog_ai.services.catalogue import open_catalogue, status\n"
        "print(status(open_catalogue()).products)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT_ROOT,
        env=os.environ
        | {
            "CATALOG_HOME": str(catalogue.settings.home),
            "CATALOG_DATABASE_URL": catalogue.settings.database_url,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == len(seeded.product_ids)
