"""Two models on the same photos: who is right more often, and is that more than chance."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

_Z = 1.959964  # 95 %


class Answers(NamedTuple):
    """What two models say of one photo, and what it is; all three as `normal_label` writes them."""

    truth: str
    old: str
    new: str


@dataclass(frozen=True)
class Tally:
    """Two models on `photos` photos: how many each has right, and where only one of them is."""

    photos: int = 0
    old_right: int = 0
    new_right: int = 0
    better: int = 0
    worse: int = 0

    @classmethod
    def of(cls, answers: Iterable[Answers]) -> "Tally":
        """Return the count of these answers."""
        right = [(one.old == one.truth, one.new == one.truth) for one in answers]
        return cls(
            photos=len(right),
            old_right=sum(old for old, _ in right),
            new_right=sum(new for _, new in right),
            better=sum(new and not old for old, new in right),
            worse=sum(old and not new for old, new in right),
        )

    @property
    def chance(self) -> float:
        """How likely a difference as large comes about by chance, 0..1: McNemar's exact test.

        Only photos on which one of the two is right count; each falls to either like a coin.
        """
        unequal = self.better + self.worse
        fewer = min(self.better, self.worse)
        # Logarithms, since the binomials of thousands of photos are no floats.
        coins = (_log_binomial(unequal, k) - unequal * math.log(2) for k in range(fewer + 1))
        tail = sum(math.exp(one) for one in coins)
        return min(1.0, 2 * tail)

    def to_meta(self) -> dict[str, int]:
        """Return JSON values."""
        return asdict(self)

    @classmethod
    def from_meta(cls, meta: dict[str, Any]) -> "Tally":
        """Return what `to_meta` recorded."""
        return cls(**{name: int(meta[name]) for name in cls.__dataclass_fields__})


def interval(right: int, photos: int) -> tuple[float, float]:
    """Return the bounds, 0..1, between which the true share lies with 95 % (Wilson 1927).

    Of no photo at all nothing is known: (0, 1).
    """
    if not photos:
        return 0.0, 1.0
    share, spread = right / photos, _Z**2 / photos
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / photos + spread / (4 * photos)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
