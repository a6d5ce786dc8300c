"""Which labels are wrong, and how surely, judged by what all other products say of the photo.

A light classifier answers for each product as if it had not seen its label (`kernel_ridge`): a
model asked about the labels it was taught agrees with them, wrong ones included. Its answers become
probabilities by a temperature, and labels are taken to be wrong at one rate, to any other category
alike; both are those under which the labels at hand are likeliest. Bayes' rule then gives each
label's chance of being wrong, which is the score. The classifier is fitted anew to what the labels
probably are, so that wrong ones mislead it less (Dawid and Skene 1979, "Maximum likelihood
estimation of observer error-rates using the EM algorithm"; Northcutt et al. 2021, "Confident
Learning", is the same idea with a threshold).

    p(wrong) = 1 - (1 - ε) p(label) / ((1 - ε) p(label) + ε (1 - p(label)) / (C - 1))
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.kernel_ridge import LeaveOneOut
from catalog_ai.curation.look_alikes import look_alikes
from catalog_ai.curation.marks import marks
from catalog_ai.curation.remembered import Remembered

UNKNOWN = -1
NEIGHBOURS = 15
WORTH_A_LOOK = 0.25  # one label in four so scored, or more, is wrong
SURE = 0.99  # how sure the others must be of another category to doubt what a person confirmed
_ROUNDS = 3  # a fourth changes nothing in the second digit
_USUAL_RATE = 0.05  # of wrong labels, where a catalogue is too small to tell:
_USUAL_LABELS = 100  # it counts as much as what is seen of so many
_MOST_TRIED = 20_000  # labels that temperature and rate are fitted to
_CLEARLY_RIGHT = 0.02
# Of ten right labels in a category of two, seven would look wrong; of ten in one of ten, two.
_ENOUGH_EXAMPLES = 10
_ENOUGH_BESIDE_OTHERS = 0.25  # of the usual category's: where all are small, all are judged
_ALL_SHOWN = 20_000  # products

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]
Flags = NDArray[np.bool_]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class LabelAssessment:
    """What N products say of each other's labels.

    `probabilities` (N, C) float32: which category the photo shows, its own label left out; rows sum
    to one. `suggestion` (N,) int64 is the likeliest category and `confidence` (N,) float32 its
    probability. `score` (N,) float32, 0..1, is the chance that the label is wrong; nan for a label
    that is no class, or one of too few examples to tell. `looks_wrong` (N,) bool. `neighbours`
    (N, k) int64 row numbers, the closest first; -1 for none, also where a large catalogue's label
    is clearly right: nobody asks for its look-alikes. `agreement` (N,) float32: share of the
    neighbours with a known label that carry this product's label; nan where it has none.
    `wrong_rate`, 0..1, is the estimated share of wrong labels. `remembered` is for the next time.
    """

    probabilities: NDArray[np.float32]
    suggestion: Labels
    confidence: NDArray[np.float32]
    score: NDArray[np.float32]
    looks_wrong: Flags
    neighbours: Labels
    agreement: NDArray[np.float32]
    wrong_rate: float
    remembered: Remembered = field(default_factory=Remembered)


def assess_labels(
    vectors: Vectors,
    labels: Labels,
    n_classes: int,
    *,
    features: Vectors | None = None,
    groups: Labels | None = None,
    confirmed: Flags | None = None,
    keys: Labels | None = None,
    before: Remembered | None = None,
    k: int = NEIGHBOURS,
) -> LabelAssessment:
    """Judge (N,) labels, 0..C-1 or -1 for none of the classes.

    `vectors` (N, D) of unit length say which products look alike; `features` (N, F), by default the
    same, are what the classifier learns from. Products of one `groups` number (one and the same
    photo) do not vouch for each other. A label looks wrong from a chance of one in four; one that
    somebody `confirmed` is taken to be right, and looks wrong only where the others are sure of
    another category to 0.99. A category of few examples beside the others' is suggested, but what
    carries it is not judged: nobody else says what it looks like. `keys` (N,) stay with a product,
    by default its row; with them, what is in `before` and still holds is used again.
    """
    count = len(labels)
    known = labels != UNKNOWN
    confirmed = np.zeros(count, np.bool_) if confirmed is None else confirmed & known
    groups = np.arange(count) if groups is None else groups
    before = Remembered() if before is None else before
    keys = np.arange(count) if keys is None else keys
    lots = marks(vectors, keys)
    young = _of_few_examples(labels, known)
    judged, fit = _no_opinion(known, n_classes), before.fit
    if len(np.unique(labels[known])) > 1:  # else there is nothing to tell apart
        taught, by = (vectors, lots) if features is None else (features, marks(features, keys))
        others = LeaveOneOut(taught, known, groups, lots=by, before=before.fit)
        judged, fit = _judge(others, labels, n_classes, known, confirmed, young), others.fit
    suggestion = (
        judged.shares.argmax(1).astype(np.int64) if n_classes else np.zeros(count, np.int64)
    )
    confidence = judged.shares.max(1, initial=0.0)
    score = np.full(count, np.nan)
    score[known] = judged.wrong
    score[young] = np.nan
    doubted = np.where(confirmed, confidence >= SURE, np.nan_to_num(score) > WORTH_A_LOOK)
    neighbours = np.full((count, max(0, min(k, count - 1))), -1, np.int64)
    shown = np.flatnonzero(~known | ~(score < _CLEARLY_RIGHT) | (count <= _ALL_SHOWN))
    alike = look_alikes(vectors, k, shown, lots, before.look_alikes)
    neighbours[shown] = alike.rows[shown]
    return LabelAssessment(
        judged.shares.astype(np.float32),
        suggestion,
        confidence.astype(np.float32),
        score.astype(np.float32),
        known & ~young & (suggestion != labels) & doubted,
        neighbours,
        _agreement(labels, neighbours),
        judged.rate,
        Remembered(fit, alike, before.rivals),
    )


class _Judged(NamedTuple):
    """`shares` (N, C) of the photo alone; `wrong` (K,) of the known labels; `rate` 0..1."""

    shares: Shares
    wrong: Shares
    rate: float


def _no_opinion(known: Flags, n_classes: int) -> _Judged:
    shares = np.full((len(known), n_classes), 1 / max(1, n_classes))
    return _Judged(shares, np.zeros(int(known.sum())), 0.0)


def _of_few_examples(labels: Labels, known: Flags) -> Flags:
    """Return (N,) bool: labels of a category that has too few examples to be recognised by."""
    counts = np.bincount(labels[known])
    if not counts.any():
        return np.zeros(len(labels), np.bool_)
    usual = float(np.median(counts[counts > 0]))
    few = counts < min(_ENOUGH_EXAMPLES, _ENOUGH_BESIDE_OTHERS * usual)
    young: Flags = known & few[labels * known]
    return young


def _judge(
    others: LeaveOneOut,
    labels: Labels,
    n_classes: int,
    known: Flags,
    confirmed: Flags,
    young: Flags,
) -> _Judged:
    """Judge known labels; those of `young` categories are taken as they are."""
    given, sure, old = labels[known], confirmed[known], ~young[known]
    fixed = sure | ~old
    rows = np.arange(len(given))
    chances = np.eye(n_classes)[given]
    for _ in range(_ROUNDS):
        said = others(chances)
        temperature, rate = _fitted(said[known][old], given[old], sure[old])
        shares = _softmax(said * temperature)
        chances = shares[known] * (rate / (n_classes - 1))
        chances[rows, given] *= (1 - rate) * (n_classes - 1) / rate
        chances /= chances.sum(1, keepdims=True)
        wrong = 1 - chances[rows, given]
        chances[fixed] = np.eye(n_classes)[given[fixed]]
    wrong[sure] = 1 - shares[known][sure, given[sure]]
    return _Judged(shares, wrong, float(wrong[~fixed].mean()) if (~fixed).any() else 0.0)


def _fitted(said: Shares, labels: Labels, sure: Flags) -> tuple[float, float]:
    """Return the temperature and the rate of wrong labels under which `labels` are likeliest."""
    from scipy.optimize import minimize

    if len(labels) > _MOST_TRIED:
        tried = np.random.default_rng(0).choice(len(labels), _MOST_TRIED, replace=False)
        said, labels, sure = said[tried], labels[tried], sure[tried]
    rows, others = np.arange(len(labels)), max(1, said.shape[1] - 1)

    def surprise(guess: Shares) -> float:
        share = _softmax(said * np.exp(guess[0]))[rows, labels]
        rate = _rate(guess[1])
        wrong = np.where(sure, 0.0, rate)
        likely = share * (1 - wrong) + (1 - share) * wrong / others
        usual = _USUAL_RATE * np.log(rate) + (1 - _USUAL_RATE) * np.log(1 - rate)
        evidence = np.log(np.maximum(likely, 1e-12)).sum() + _USUAL_LABELS * usual
        return float(-evidence / len(labels))

    start = np.array([1.5, np.log(_USUAL_RATE / (1 - _USUAL_RATE))])
    found = minimize(
        surprise, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7}
    ).x
    return float(np.exp(found[0])), float(_rate(found[1]))


def _rate(odds: float) -> float:
    return float(np.clip(1 / (1 + np.exp(-odds)), 1e-6, 0.5))


def _softmax(said: Shares) -> Shares:
    powers = np.exp(said - said.max(1, keepdims=True, initial=-np.inf))
    shares: Shares = powers / powers.sum(1, keepdims=True)
    return shares


def _agreement(labels: Labels, neighbours: Labels) -> NDArray[np.float32]:
    around = labels[neighbours]
    known = (around != UNKNOWN) & (neighbours >= 0)
    same = ((around == labels[:, None]) & known).sum(1)
    share: NDArray[np.float32] = np.full(len(labels), np.nan, np.float32)
    counted = (labels != UNKNOWN) & known.any(1)
    np.divide(same, known.sum(1), out=share, where=counted, casting="unsafe")
    return share
