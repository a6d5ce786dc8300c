"""`python -m tests.reliability.stub_activate VERSION …`: activate one after the other, for ever."""

import sys
from itertools import cycle

from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.models import activate
from tests.reliability import stub

if __name__ == "__main__":
    wanted = stub.arm()
    catalogue = open_catalogue()
    stub.begin(wanted)
    for version in cycle(sys.argv[1:]):
        activate(catalogue, version, requested_by="Ana")
