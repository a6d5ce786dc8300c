"""`python -m tests.reliability.stub_ingest SOURCE …`: the command, with a model of arithmetic."""

import sys

from catalog_ai import cli, ingest
from catalog_ai.services import intake  # noqa: F401, what the command imports later
from tests.reliability import stub

WANTED = stub.arm()  # in the processes that decode as well: they import this file again

if __name__ == "__main__":
    stub.begin(WANTED)
    sys.exit(cli.run(ingest.main))
