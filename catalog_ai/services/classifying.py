"""A registered model at work: small photos in, what the database stores of them out."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from catalog_ai import shipped
from catalog_ai.errors import UnknownVersionError
from catalog_ai.images import Pixels
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.shipped import ensure_model
from db.commands.products import Output
from db.engine import read
from db.queries import models

if TYPE_CHECKING:
    from catalog_ai.inference.embeddings import CatalogModel

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
    """A model version, loaded when it is first asked: a delivery may bring nothing new."""

    def __init__(self, catalogue: Catalogue, row: models.ModelRow) -> None:
        self.row = row
        self.preprocessing = Preprocessing.from_meta(row.meta["preprocessing"])
        self._settings = catalogue.settings
        self._folder = catalogue.settings.models / row.version

    def load(self) -> None:
        """Load what the first answer would. Raises `CheckpointError` for damaged files."""
        _ = self._model, self._trained_on

    @property
    def is_loaded(self) -> bool:
        """Whether the next answer comes without loading anything."""
        return "_model" in vars(self)

    def outputs(self, squares: Sequence[Pixels], digests: Sequence[str]) -> list[Output]:
        """Return what the model says of each photo; `digests` are their sha256.

        Raises `CheckpointError`.
        """
        if not squares:
            return []
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

    @cached_property
    def _model(self) -> "CatalogModel":
        from catalog_ai.inference.embeddings import CatalogModel

        return CatalogModel.load(
            self._folder,
            runtime=self._settings.runtime,
            provider=self._settings.execution_provider,
        )

    @cached_property
    def _trained_on(self) -> frozenset[str]:
        from catalog_ai.checkpoint import load_training_photos

        return frozenset(load_training_photos(self._folder))
