"""What an assessment reads: products with their vectors, labels, and what people said of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from catalog_ai.curation.label_issues import UNKNOWN
from catalog_ai.curation.oddity import MOST_MARKED
from catalog_ai.data.sources import normal_label
from catalog_ai.services import categories
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.categories import Names
from catalog_ai.services.classifying import model_row
from db.engine import read
from db.queries import decisions, embeddings, models, predictions

_FEWEST_WITHOUT_MODEL = 8  # products that make a label a category where the model knows none


@dataclass(frozen=True)
class Evidence:
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
    names: Names

    def targets(self) -> NDArray[np.int64]:
        """Return (N,) class numbers; -1 for a label that is none of the model's categories."""
        number = {normal_label(name): index for index, name in enumerate(self.classes)}
        found = [number.get(normal_label(label or ""), UNKNOWN) for label in self.labels]
        return np.array(found, np.int64)


def read_evidence(catalogue: Catalogue) -> Evidence:
    """Read what is known of all products under the active model."""
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
        return Evidence(
            model=model,
            classes=classes,
            product_ids=ids,
            vectors=table.vectors[kept],
            features=features,
            marked=odd_features,
            confirmed=np.isin(ids, decisions.confirmed(session)),
            labels=labels,
            image_sha256=[table.image_sha256[i] for i in kept],
            names=names,
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


def own_opinion(catalogue: Catalogue, evidence: Evidence) -> NDArray[np.float32]:
    """Return (N, C) probabilities of the model itself; all alike where it knows no categories.

    What the model takes for a class that was renamed or merged, it takes for that category.
    """
    model, names, product_ids = evidence.model, evidence.names, evidence.product_ids.tolist()
    count = len(names.names)
    if not model.classes:
        return np.full((len(product_ids), count), 1 / max(1, count), np.float32)
    with in_plain_words(), read(catalogue.engine) as session:
        said = predictions.probabilities(session, model.id, product_ids, len(model.classes))
    opinion = np.zeros((len(product_ids), count), np.float32)
    for number, name in enumerate(model.classes):
        meant = names.of(name)
        if meant is not None:
            opinion[:, names.names.index(meant)] += said[:, number]
    return opinion
