"""Look for wrong labels: judge every product's label by classifiers that never saw it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog_ai.curation.label_issues import (
    NEIGHBOURS,
    UNKNOWN,
    LabelAssessment,
    assess_labels,
)
from catalog_ai.curation.look_alikes import nearest
from catalog_ai.curation.remembered import Remembered
from catalog_ai.services import flagging, remembering
from catalog_ai.services.assessed_products import Evidence, own_opinion, read_evidence
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.jobs import Progress
from db.commands.score_table import ScoreTable, unchanged
from db.commands.scores import OverlapRow, replace_scores
from db.engine import read, write
from db.queries import scores

FEWEST = 10  # known labels: with fewer, no classifier can be fitted and checked


@dataclass(frozen=True)
class AssessmentSummary:
    """How many products were looked at, and how many labels look wrong."""

    products: int
    flagged: int


def assess(catalogue: Catalogue, progress: Progress | None = None) -> AssessmentSummary:
    """Judge all labels under the active model and put the result in place of the last one.

    What the last time computed from photos alone is used again where it still holds. With fewer
    than ten labels, or all of one category, nothing can be judged: then each product gets the
    model's own suggestion and no score. Raises `CheckpointError`, `DatabaseError`.
    """
    tell = progress or (lambda fraction, message: None)
    evidence = read_evidence(catalogue)
    tell(0.1, f"Comparing {len(evidence.labels):,} labels with their photos")
    table, overlaps = _found(catalogue, evidence)
    tell(0.9, "Storing what was found")
    model_id, classes, now = evidence.model.id, evidence.classes, datetime.now(UTC)
    with in_plain_words(), read(catalogue.engine) as session:
        before = scores.stored(session, model_id)
    known = unchanged(before, classes, table)
    with in_plain_words(), write(catalogue.engine, touches=("scores",)) as session:
        replace_scores(session, model_id, classes, table, now, overlaps=overlaps, known=known)
    return AssessmentSummary(len(table.product_id), int(table.looks_wrong.sum()))


def remembered_at(catalogue: Catalogue, version: str) -> Path:
    """Return where is kept what an assessment under a model need not compute again."""
    return catalogue.settings.remembered / f"{version}.npz"


def _found(catalogue: Catalogue, evidence: Evidence) -> tuple[ScoreTable, list[OverlapRow]]:
    targets = evidence.targets()
    groups = np.unique(evidence.image_sha256, return_inverse=True)[1]
    path = remembered_at(catalogue, evidence.model.version)
    before = remembering.recalled(path)
    found = _judge(catalogue, evidence, targets, groups, before)
    looked = flagging.Looked(
        *(evidence.product_ids, evidence.labels, groups, targets),
        *(evidence.vectors, evidence.features, evidence.marked),
    )
    flags = flagging.flags(looked, before.rivals)
    if not np.isfinite(found.score).any():  # probabilities are the model's own opinion
        return _table(evidence, targets, found, flags), []
    remembering.keep(path, replace(found.remembered, rivals=flags.rivals))
    overlaps = flagging.overlaps(found.probabilities, evidence.classes, looked)
    return _table(evidence, targets, found, flags), overlaps


def _table(
    evidence: Evidence,
    targets: NDArray[np.int64],
    found: LabelAssessment,
    flags: flagging.Flags,
) -> ScoreTable:
    names = evidence.classes or ("",)
    near = found.neighbours
    return ScoreTable(
        product_id=evidence.product_ids,
        image_sha256=evidence.image_sha256,
        label=evidence.labels,
        known_label=targets != UNKNOWN,
        probabilities=found.probabilities,
        suggestion=[names[number] for number in found.suggestion.tolist()],
        confidence=found.confidence,
        score=found.score,
        looks_wrong=found.looks_wrong,
        neighbours=np.where(near < 0, -1, evidence.product_ids[near]),
        agreement=found.agreement,
        twin_id=flags.twin_ids,
        oddity=flags.oddity,
        looks_odd=flags.looks_odd,
    )


def _judge(
    catalogue: Catalogue,
    evidence: Evidence,
    targets: NDArray[np.int64],
    groups: NDArray[np.int64],
    before: Remembered,
) -> LabelAssessment:
    known = targets[targets != UNKNOWN]
    if len(known) < FEWEST or len(np.unique(known)) < 2:
        return _unjudged(evidence, own_opinion(catalogue, evidence))
    return assess_labels(
        *(evidence.vectors, targets, len(evidence.classes)),
        features=evidence.features,
        groups=groups,
        confirmed=evidence.confirmed,
        keys=evidence.product_ids,
        before=before,
    )


def _unjudged(evidence: Evidence, opinion: NDArray[np.float32]) -> LabelAssessment:
    no_class = np.zeros(len(opinion), np.int64)
    no_number = np.full(len(opinion), np.nan, np.float32)
    return LabelAssessment(
        probabilities=opinion,
        suggestion=opinion.argmax(1).astype(np.int64) if evidence.classes else no_class,
        confidence=opinion.max(1, initial=0.0),
        score=no_number,
        looks_wrong=np.zeros(len(opinion), np.bool_),
        neighbours=nearest(evidence.vectors, NEIGHBOURS),
        agreement=no_number,
        wrong_rate=0.0,
    )
