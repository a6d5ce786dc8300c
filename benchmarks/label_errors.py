"""How well wrong labels are found, beside what other tools make of the same photos.

    python -m benchmarks.label_errors [--data FOLDER] [--seeds 0,1,2] [--json FILE]

Wrong labels are planted in the seven categories' photos, which are taken to be right: 5 % and 10 %
of them, with any other category or with one that looks alike, once for each seed. Every score sees
the photos through `imagenet` alone, a model that never saw them with a label: one that had learnt
their right labels would be asked for its memory.

| score | |
| --- | --- |
| cleanlab | its scores of label quality, of out-of-fold probabilities (Northcutt et al. 2021) |
| FiftyOne, mistakenness | (1 + c) / 2 where they differ, label and prediction, else (1 - c) / 2 |
| LightlyStudio, disagreement | c, the confidence, where they differ, else 1 - c |
| margin and neighbours | cleanlab's normalized margin, half the share of disagreeing neighbours |
| ours | `curation.label_issues`, on the 64 stored numbers and on the features they are made of |

The probabilities of all but ours come from logistic regression in five folds on the same features.
Printed are the average precision, and of the n most suspicious labels, n as many as were planted,
the share that is wrong; then how often a label is wrong by our score.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks import photos
from benchmarks.planting import COLUMNS, Flags, Labels, Scores, average_precision, plant
from catalog_ai.curation.label_issues import NEIGHBOURS, assess_labels
from catalog_ai.curation.look_alikes import nearest
from catalog_ai.data.sources import normal_label
from catalog_ai.images import decode, read_photo

GOALS = (0.97, 0.93, 0.95, 0.92)
BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95)
_FOLDS = 5
_READ_AT_ONCE = 64


@dataclass(frozen=True)
class Seen:
    """N photos as `imagenet` sees them: (N, 64) unit vectors and (N, F) features."""

    labels: Labels
    vectors: NDArray[np.float32]
    features: NDArray[np.float32]


def look(data: str | None) -> Seen:
    """Read the photos and ask `imagenet`."""
    import tempfile

    from catalog_ai import shipped
    from catalog_ai.inference.embeddings import CatalogModel

    items = [item for part in photos.seven(photos.read(data)) for item in part]
    with tempfile.TemporaryDirectory() as folder:
        model = CatalogModel.load(shipped.install(shipped.IMAGENET, Path(folder)))
        parts = []
        for start in range(0, len(items), _READ_AT_ONCE):
            batch = items[start : start + _READ_AT_ONCE]
            parts.append(model.predict([decode(read_photo(item.path)) for item in batch]))
    labels = [photos.CLASSES.index(normal_label(item.label or "")) for item in items]
    return Seen(
        np.array(labels),
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.features for part in parts]).astype(np.float32),
    )


def out_of_fold(features: NDArray[np.float32], labels: Labels, seed: int) -> NDArray[np.float64]:
    """Return (N, C) probabilities by logistic regression, each from the folds it is not in."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    found: NDArray[np.float64] = cross_val_predict(
        model, features, labels, cv=folds, method="predict_proba"
    )
    return found


def suspicions(
    seen: Seen, near: Labels, labels: Labels, seed: int
) -> Iterator[tuple[str, Callable[[], Scores]]]:
    """Yield each score's name and what computes it: (N,), higher = more likely wrong."""
    from cleanlab.rank import get_label_quality_scores

    shares = out_of_fold(seen.features, labels, seed)
    rows = np.arange(len(labels))
    agrees, sure = shares.argmax(1) == labels, shares.max(1)

    def cleanlab(method: str) -> Scores:
        quality: Scores = get_label_quality_scores(labels, shares, method=method)
        return 1 - quality

    yield "cleanlab, self-confidence", lambda: cleanlab("self_confidence")
    yield "cleanlab, normalized margin", lambda: cleanlab("normalized_margin")
    yield "cleanlab, confidence-weighted entropy", lambda: cleanlab("confidence_weighted_entropy")
    yield "FiftyOne, mistakenness", lambda: np.where(agrees, 1 - sure, 1 + sure) / 2
    yield "LightlyStudio, disagreement", lambda: np.where(agrees, 1 - sure, sure)
    disagreeing = (labels[near] != labels[rows, None]).mean(1)
    yield "margin and neighbours", lambda: cleanlab("normalized_margin") + 0.5 * disagreeing
    count = len(photos.CLASSES)
    yield "ours, 64 stored numbers", lambda: assess_labels(seen.vectors, labels, count).score
    yield (
        "ours, features",
        lambda: assess_labels(seen.vectors, labels, count, features=seen.features).score,
    )


def precision_at_n(suspicion: Scores, wrong: Flags) -> float:
    """Return the share of wrong labels among as many of the most suspicious as were planted."""
    first = np.argsort(-suspicion, kind="stable")[: int(wrong.sum())]
    return float(wrong[first].mean())


def calibration(scores: Sequence[Scores], wrong: Sequence[Flags]) -> list[tuple[str, int, float]]:
    """Return (range of our score, how many labels, the share that is wrong) by bin."""
    score, is_wrong = np.concatenate(scores), np.concatenate(wrong)
    table = []
    for low, high in zip(BINS, [*BINS[1:], 1.01], strict=True):
        chosen = (score >= low) & (score < high)
        share = float(is_wrong[chosen].mean()) if chosen.any() else float("nan")
        table.append((f"{low:.2f} to {min(high, 1):.2f}", int(chosen.sum()), share))
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = photos.parser("label_errors", __doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2", help="default: %(default)s")
    options = parser.parse_args(arguments)
    seeds = [int(seed) for seed in options.seeds.split(",")]
    start = perf_counter()
    seen = look(options.data)
    near = nearest(seen.vectors, NEIGHBOURS)
    print(f"{len(seen.labels):,} photos seen by imagenet in {perf_counter() - start:.0f} s")
    found: dict[str, list[list[tuple[float, float]]]] = {}
    ours: list[tuple[Scores, Flags]] = []
    for place, (share, kind) in enumerate(COLUMNS):
        for seed in seeds:
            labels, wrong = plant(seen.labels, photos.CLASSES, share, kind, seed)
            for name, compute in suspicions(seen, near, labels, seed):
                score = compute()
                row = found.setdefault(name, [[] for _ in COLUMNS])
                row[place].append((average_precision(score, wrong), precision_at_n(score, wrong)))
                if name == "ours, features":
                    ours.append((score, wrong))
            print(f"{share:.0%} {kind}, seed {seed}: {perf_counter() - start:.0f} s", flush=True)
    table = calibration(*zip(*ours, strict=True))
    report(found, table)
    if options.json:
        Path(options.json).write_text(json.dumps({"found": found, "calibration": table}, indent=1))


def report(
    found: dict[str, list[list[tuple[float, float]]]], table: list[tuple[str, int, float]]
) -> None:
    """Print the tables."""
    for place, title in enumerate(("average precision", "precision at n")):
        heads = "".join(f"{f'{share:.0%} {kind}':>18}" for share, kind in COLUMNS)
        print(f"\n{title:40}{heads}")
        for name, columns in found.items():
            means = [np.mean([run[place] for run in runs]) for runs in columns]
            print(f"{name:40}" + "".join(f"{mean:>18.3f}" for mean in means))
        if not place:
            print(f"{'goal':40}" + "".join(f"{goal:>18.2f}" for goal in GOALS))
    print(f"\n{'our score':40}{'labels':>18}{'truly wrong':>18}")
    for words, count, share in table:
        print(f"{words:40}{count:>18,}{share:>18.0%}")


if __name__ == "__main__":
    sys.exit(main())
