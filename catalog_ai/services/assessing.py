"""Look for wrong labels: judge every product's label by classifiers that never saw it."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from catalog_ai.curation.label_issues import (
    NEIGHBOURS,
    UNKNOWN,
    LabelAssessment,
    assess_labels,
    nearest,
)
from catalog_ai.curation.oddity import MOST_MARKED
from catalog_ai.data.sources import normal_label
from catalog_ai.services import categories, flagging
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import Names
from catalog_ai.services.classifying import model_row
from catalog_ai.services.jobs import Progress
from db.commands.scores import OverlapRow, ScoreRow, replace_scores, unchanged
from db.engine import read, write
from db.queries import decisions, embeddings, models, predictions, scores

FEWEST = 10  # known labels: with fewer, no classifier can be fitted and checked
_FEWEST_WITHOUT_MODEL = 8  # products that make a label a category where the model knows none


@dataclass(frozen=True)
class AssessmentSummary:
    """How many products were looked at, and how many labels look wrong."""

    products: int
    flagged: int


@dataclass(frozen=True)
class _Evidence:
    """N products under the active model; what is not a product photo is left out."""

    model: models.ModelRow
    classes: tuple[str, ...]  # the catalogue's categories, the model's own first
    product_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]  # (N, D), unit length
    features: NDArray[np.float32] | None  # (N, F); None where a product has none yet
    marked: NDArray[np.float32] | None  # (M, F), of what people said is no product photo
    confirmed: NDArray[np.bool_]  # (N,), somebody looked at this photo and gave it this label
    labels: list[str | None]
    image_sha256: list[str]
    own_opinion: NDArray[np.float32]  # (N, C), probabilities of the model itself

    def targets(self) -> NDArray[np.int64]:
        """Return (N,) class numbers; -1 for a label that is none of the model's categories."""
        number = {normal_label(name): index for index, name in enumerate(self.classes)}
        found = [number.get(normal_label(label or ""), UNKNOWN) for label in self.labels]
        return np.array(found, np.int64)


def assess(catalogue: Catalogue, progress: Progress | None = None) -> AssessmentSummary:
    """Judge all labels under the active model and put the result in place of the last one.

    With fewer than ten labels, or all of one category, nothing can be judged: then each product
    gets the model's own suggestion and no score. Raises `CheckpointError`, `DatabaseError`.
    """
    tell = progress or (lambda fraction, message: None)
    evidence = _read(catalogue)
    tell(0.1, f"Comparing {len(evidence.labels):,} labels with their photos")
    rows, overlaps = _found(evidence)
    tell(0.9, "Storing what was found")
    model_id, classes, now = evidence.model.id, evidence.classes, datetime.now(UTC)
    with in_plain_words(), read(catalogue.engine) as session:
        before = scores.stored(session, model_id)
    known = unchanged(before, classes, rows)
    with in_plain_words(), write(catalogue.engine, touches=("scores",)) as session:
        replace_scores(session, model_id, classes, rows, now, overlaps=overlaps, known=known)
    return AssessmentSummary(len(rows), sum(row.looks_wrong for row in rows))


def _read(catalogue: Catalogue) -> _Evidence:
    model = model_row(catalogue, None)
    with in_plain_words(), read(catalogue.engine) as session:
        table = embeddings.vectors(session, model.id)
        kept = [i for i, state in enumerate(table.review_states) if state != "not_product"]
        ids = table.product_ids[kept]
        marked = table.product_ids[[state == "not_product" for state in table.review_states]]
        features, odd_features = _features(session, model.id, ids.tolist(), marked.tolist())
        labels = [table.labels[i] for i in kept]
        names = categories.known(session, model, without_model=_FEWEST_WITHOUT_MODEL)
        classes = names.names
        return _Evidence(
            model=model,
            classes=classes,
            product_ids=ids,
            vectors=table.vectors[kept],
            features=features,
            marked=odd_features,
            confirmed=np.isin(ids, decisions.confirmed(session)),
            labels=labels,
            image_sha256=[table.image_sha256[i] for i in kept],
            own_opinion=_own_opinion(session, model, ids.tolist(), names),
        )


def _features(
    session: Session, model_version_id: int, product_ids: list[int], marked: list[int]
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Return the features of products, and of those marked; read at once, they are large."""
    marked = marked[-MOST_MARKED:]
    both = embeddings.features(session, model_version_id, [*product_ids, *marked])
    if both is not None:
        return both[: len(product_ids)], both[len(product_ids) :]
    return embeddings.features(session, model_version_id, product_ids) if marked else None, None


def _own_opinion(
    session: Session, model: models.ModelRow, product_ids: list[int], names: Names
) -> NDArray[np.float32]:
    """Return (N, C) probabilities; all alike where the model knows no categories.

    What the model takes for a class that was renamed or merged, it takes for that category.
    """
    count = len(names.names)
    if not model.classes:
        return np.full((len(product_ids), count), 1 / max(1, count), np.float32)
    said = predictions.probabilities(session, model.id, product_ids, len(model.classes))
    opinion = np.zeros((len(product_ids), count), np.float32)
    for number, name in enumerate(model.classes):
        meant = names.of(name)
        if meant is not None:
            opinion[:, names.names.index(meant)] += said[:, number]
    return opinion


def _found(evidence: _Evidence) -> tuple[list[ScoreRow], list[OverlapRow]]:
    targets = evidence.targets()
    groups = np.unique(evidence.image_sha256, return_inverse=True)[1]
    found = _judge(evidence, targets, groups)
    looked = flagging.Looked(
        *(evidence.product_ids, evidence.labels, groups, targets),
        *(evidence.vectors, evidence.features, evidence.marked),
    )
    judged = bool(np.isfinite(found.score).any())  # else probabilities are the model's own opinion
    overlaps = flagging.overlaps(found.probabilities, evidence.classes, looked) if judged else []
    return _rows(evidence, targets, found, flagging.flags(looked)), overlaps


def _rows(
    evidence: _Evidence,
    targets: NDArray[np.int64],
    found: LabelAssessment,
    flags: flagging.Flags,
) -> list[ScoreRow]:
    return [
        ScoreRow(
            product_id=product_id,
            image_sha256=evidence.image_sha256[i],
            label=evidence.labels[i],
            known_label=bool(targets[i] != UNKNOWN),
            probabilities=found.probabilities[i],
            suggestion=evidence.classes[found.suggestion[i]] if evidence.classes else "",
            confidence=float(found.confidence[i]),
            score=float(found.score[i]),
            looks_wrong=bool(found.looks_wrong[i]),
            neighbours=evidence.product_ids[near[near >= 0]].tolist(),
            agreement=float(found.agreement[i]),
            twin_id=flags.twin_ids[i],
            oddity=float(flags.oddity[i]),
            looks_odd=bool(flags.looks_odd[i]),
        )
        for i, (product_id, near) in enumerate(
            zip(evidence.product_ids.tolist(), found.neighbours, strict=True)
        )
    ]


def _judge(
    evidence: _Evidence, targets: NDArray[np.int64], groups: NDArray[np.int64]
) -> LabelAssessment:
    known = targets[targets != UNKNOWN]
    if len(known) < FEWEST or len(np.unique(known)) < 2:
        return _unjudged(evidence)
    return assess_labels(
        *(evidence.vectors, targets, len(evidence.classes)),
        features=evidence.features,
        groups=groups,
        confirmed=evidence.confirmed,
    )


def _unjudged(evidence: _Evidence) -> LabelAssessment:
    opinion = evidence.own_opinion
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
