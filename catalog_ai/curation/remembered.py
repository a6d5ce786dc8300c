"""What one assessment hands the next, so that it need not be computed again."""

from dataclasses import dataclass

from catalog_ai.curation.look_alikes import LookAlikes
from catalog_ai.curation.ridge_fit import Fit
from catalog_ai.curation.rivals import Rivals


@dataclass(frozen=True)
class Remembered:
    """Each part names the items that it holds for; None where there is none.

    All results are the same without it: it holds only what follows from vectors, features, and
    which labels are known.
    """

    fit: Fit | None = None
    look_alikes: LookAlikes | None = None
    rivals: Rivals | None = None
