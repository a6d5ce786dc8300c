"""A registered model at work: small photos in, what the database stores of them out."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from catalog_ai import shipped
from catalog_ai.errors import UnknownVersionError
from catalog_ai.images import Pixels, resize_square
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.shipped import ensure_model
from db.commands.products import Output
from db.engine import read
from db.queries import models

BATCH = 64

Progress = Callable[[float, str], None]


def model_row(catalogue: Catalogue, version: str | None) -> models.ModelRow:
    """Return the named version, or the active one; what comes with the package is registered.

    Raises `UnknownVersionError`, `CheckpointError`.
    """
    ensure_model(catalogue, version)
    with read(catalogue.engine) as session:
        row = models.active(session) if version is None else models.by_version(session, version)
        known = [other.version for other in models.all_versions(session)]
    if row is None:
        there_are = ", ".join(dict.fromkeys([*known, *shipped.NAMES]))
        raise UnknownVersionError(f"there is no model {version!r}: choose from {there_are}")
    return row


class Classifier:
    """A model version, loaded. Raises `CheckpointError` where its files are not what they were."""

    def __init__(self, catalogue: Catalogue, row: models.ModelRow) -> None:
        from catalog_ai.checkpoint import load_training_photos
        from catalog_ai.inference.embeddings import CatalogModel

        folder = catalogue.settings.models / row.version
        self.row = row
        self._model = CatalogModel.load(
            folder,
            runtime=catalogue.settings.runtime,
            provider=catalogue.settings.execution_provider,
        )
        self._trained_on = load_training_photos(folder)

    def shrink(self, pixels: Pixels) -> Pixels:
        """Return the small square that the model looks at."""
        return resize_square(pixels, self._model.input_size)

    def outputs(self, squares: Sequence[Pixels], digests: Sequence[str]) -> list[Output]:
        """Return what the model says of each photo; `digests` are their sha256."""
        found = self._model.predict(squares)
        return [
            Output(
                image_sha256=digest,
                probabilities=found.probabilities[row],
                vector=found.vectors[row],
                top_label=self._top(found.probabilities[row]),
                trained_on=digest in self._trained_on,
            )
            for row, digest in enumerate(digests)
        ]

    def _top(self, probabilities: NDArray[np.float32]) -> str:
        """Return the likeliest category, "" where the model knows none."""
        return self._model.classes[int(probabilities.argmax())] if self._model.classes else ""
