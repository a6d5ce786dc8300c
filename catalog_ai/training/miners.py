"""Which triplets of a batch the triplet loss looks at, and a curriculum that hardens them.

Three index tensors of equal length come back, (anchors, positives, negatives), as
pytorch-metric-learning's losses take them.
"""

from collections.abc import Callable

from torch import Tensor

from catalog_ai.errors import UsageError
from catalog_ai.training.names import MINING

Triplets = tuple[Tensor, Tensor, Tensor]
Miner = Callable[[Tensor, Tensor], Triplets]

_STAGES = ("random", "semi-hard", "batch-hard")  # of the curriculum, a third of the epochs each


def miner(name: str, margin: float) -> Miner:
    """Return what picks triplets from ([B, D] unit vectors, [B] targets).

    `random`: one positive and one negative per anchor. `semi-hard`: negatives farther than the
    positive, by less than the margin (Schroff et al. 2015, "FaceNet", section 3.2). `batch-hard`:
    the farthest positive and the nearest negative (Hermans et al. 2017, equation 5). Raises
    `UsageError` for another name.
    """
    from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
    from pytorch_metric_learning.utils.loss_and_miner_utils import get_random_triplet_indices

    if name == "random":
        return lambda vectors, targets: get_random_triplet_indices(targets, t_per_anchor=1)
    if name == "semi-hard":
        semi_hard: Miner = TripletMarginMiner(margin=margin, type_of_triplets="semihard")
        return semi_hard
    if name == "batch-hard":
        batch_hard: Miner = BatchHardMiner()
        return batch_hard
    raise UsageError(f"there is no mining {name!r}: choose from {', '.join(MINING)}")


class Curriculum:
    """Random negatives first, then semi-hard, then the hardest (Bengio et al. 2009)."""

    def __init__(self, margin: float) -> None:
        self._miners = [miner(name, margin) for name in _STAGES]
        self.progress = 0.0  # share of the training that is done, 0..1

    @property
    def stage(self) -> str:
        """Which mining is in force."""
        return _STAGES[self._place]

    @property
    def _place(self) -> int:
        return min(int(self.progress * len(_STAGES)), len(_STAGES) - 1)

    def __call__(self, vectors: Tensor, targets: Tensor) -> Triplets:
        """Return the triplets of the present stage."""
        return self._miners[self._place](vectors, targets)
