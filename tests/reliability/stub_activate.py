"""`python -m tests.reliability.stub_activate VERSION …`: promote one after the other, for ever."""

import sys
from itertools import cycle

from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.comparing import promote
from tests.reliability import stub

if __name__ == "__main__":
    wanted = stub.arm()
    catalogue = open_catalogue()
    stub.begin(wanted)
    for version in cycle(sys.argv[1:]):
        promote(catalogue, version, reviewer="Ana")
