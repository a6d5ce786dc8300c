"""Which photos no model of a catalogue learns from, so that any two are measured on the same."""

_PARTS = 5


def is_held_out(sha256: str) -> bool:
    """Whether a photo is kept for measuring: about one in five, the same for every model.

    The photo's own digest decides, so that all products with the same photo are on one side, and
    a photo that comes tomorrow moves no other.
    """
    return int(sha256[:8], 16) % _PARTS == 0
