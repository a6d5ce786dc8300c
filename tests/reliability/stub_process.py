"""How a process that decodes begins with the stub in it: as in the product, the stub after that."""

from catalog_ai.services import child_process

_begin = child_process.begin


def begin(packed: bytes) -> None:
    """Begin, then put the stub in."""
    _begin(packed)
    from tests.reliability import stub  # numpy and the database: not before the parent is watched

    stub.arm()
