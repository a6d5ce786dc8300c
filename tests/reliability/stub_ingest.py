"""`python -m tests.reliability.stub_ingest SOURCE …`: the command, with a model of arithmetic."""

import sys

from catalog_ai import cli, ingest
from catalog_ai.services import intake  # noqa: F401, what the command imports later
from tests.reliability import stub

if __name__ == "__main__":
    stub.begin(stub.arm())
    sys.exit(cli.run(ingest.main))
