"""What a Ray worker does with a block of a delivery: read its photos, or ask the model about them.

A block is an Arrow table; what crosses from process to process in its columns is pickled, as Ray
does with everything it carries. Ray itself is not needed here.

| column | what |
| --- | --- |
| `place` | int64, counts the delivery's products from 0 |
| `order` | an `Order`: on its way to `Reading` |
| `found` | a `Prepared` without its pixels: from `Reading` to `Computing` |
| `square` | the pixels of the main photo, S × S × 3 uint8; null where nothing has to be computed |
| `result` | `(Prepared, Output | None)`: what comes back |
"""

import pickle
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from catalog_ai.errors import UsageError
from catalog_ai.images import Pixels
from catalog_ai.services.classifying import Classifier
from catalog_ai.services.crew import Crew
from catalog_ai.services.preparing import Order, Prepared, Preparer
from db.commands.products import Output

if TYPE_CHECKING:
    import pyarrow

Result = tuple[Prepared, Output | None]


class Reading:
    """Reads and decodes in a process of its own, so that a photo breaks that one and not Ray's."""

    def __init__(self, preparer: Preparer, needed: Sequence[Path]) -> None:
        self._preparer = preparer
        self._needed = needed
        self._crew = Crew(1, preparer)

    def __call__(self, block: "pyarrow.Table") -> "pyarrow.Table":
        """Return `place`, `found` and `square` of a block with `place` and `order`.

        Raises `UsageError` where this machine does not see a path of `needed`.
        """
        for path in self._needed:
            if not path.exists():
                raise UsageError(
                    f"{socket.gethostname()} does not see {path}: share SOURCE and CATALOG_HOME "
                    "with every machine of the cluster, under the same paths"
                )
        found = self._crew.finish(self._crew.begin(_unpacked(block, "order")))
        computes = self._preparer.keeps  # a dry run asks the model nothing
        return _table(
            place=block["place"],
            found=_packed([replace(one, square=None) for one in found]),
            square=_binary([_bytes(one.square) if computes else None for one in found]),
        )


class Computing:
    """Asks the model, which is loaded with the first photo."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def __call__(self, block: "pyarrow.Table") -> "pyarrow.Table":
        """Return `place` and `result` of a block that was read. Raises `CheckpointError`."""
        found: list[Prepared] = _unpacked(block, "found")
        side = self._classifier.preprocessing.square
        squares = [
            None if data is None else np.frombuffer(data, np.uint8).reshape(side, side, 3)
            for data in block["square"].to_pylist()
        ]
        shown = [replace(one, square=square) for one, square in zip(found, squares, strict=True)]
        results: list[Result] = list(zip(found, self._classifier.outputs(shown), strict=True))
        return _table(place=block["place"], result=_packed(results))


def block_of(first: int, orders: Sequence[Order]) -> "pyarrow.Table":
    """Return a block of orders whose places count from `first`."""
    return _table(place=range(first, first + len(orders)), order=_packed(orders))


def results_of(block: "pyarrow.Table") -> list[tuple[int, Result]]:
    """Return the place and the result of every product of a block."""
    places: list[int] = block["place"].to_pylist()
    return list(zip(places, _unpacked(block, "result"), strict=True))


def _table(**columns: Any) -> "pyarrow.Table":
    import pyarrow

    return pyarrow.table(columns)


def _packed(values: Sequence[Any]) -> "pyarrow.Array":
    return _binary([pickle.dumps(value) for value in values])


def _binary(values: Sequence[bytes | None]) -> "pyarrow.Array":
    """Return a column of bytes; numpy's would lose the zeros at the end of a dark photo."""
    import pyarrow

    return pyarrow.array(values, pyarrow.binary())


def _unpacked(block: "pyarrow.Table", name: str) -> list[Any]:
    return [pickle.loads(data) for data in block[name].to_pylist()]


def _bytes(square: Pixels | None) -> bytes | None:
    return None if square is None else square.tobytes()
