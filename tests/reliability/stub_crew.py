"""`python -m tests.reliability.stub_crew N`: N processes that are ended while they send results."""

import sys
import time
from collections.abc import Sequence

import numpy as np

from catalog_ai.services.crew import Crew
from catalog_ai.services.preparing import Order, Prepared
from tests.reliability import stub

PIXELS = np.zeros((4096, 4096, 3), np.uint8)  # 50 MB take a pipe longer than `SENDS_FOR`
SENDS_FOR = 0.1  # seconds


def bulky(orders: Sequence[Order], _number: int | None) -> list[Prepared]:
    """Return a large result for each order."""
    return [Prepared((), PIXELS) for _ in orders]


if __name__ == "__main__":
    from tests.reliability import stub_crew  # the processes import it by this name

    stub.begin(stub.Stub())
    with Crew(int(sys.argv[1]), stub_crew.bulky) as crew:  # type: ignore[arg-type]
        crew.start()
        crew.begin([Order(("a.jpg",))] * 64)
        time.sleep(SENDS_FOR)
