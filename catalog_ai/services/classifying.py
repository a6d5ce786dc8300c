"""A registered model at work: small photos in, what the database stores of them out."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from catalog_ai import shipped
from catalog_ai.errors import UnknownVersionError
from catalog_ai.inference.predicting import Answer
from catalog_ai.model_folder import load_training_photos, temperature_of
from catalog_ai.preprocessing import Preprocessing
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.preparing import Prepared, answered
from catalog_ai.services.shipped import ensure_model, model_to_come
from db.commands.products import Output
from db.engine import read
from db.queries import models

if TYPE_CHECKING:
    from catalog_ai.checkpoint import Checkpoint
    from catalog_ai.inference.embeddings import CatalogModel
    from catalog_ai.inference.onnx import ExportedModel

Progress = Callable[[float, str], None]


def model_row(
    catalogue: Catalogue, version: str | None, *, registers: bool = True
) -> models.ModelRow:
    """Return the named version, or the active one; what comes with the package is registered.

    Unless it `registers`, nothing is written: a model that would be has the number `NO_MODEL`.
    Raises `UnknownVersionError`, `CheckpointError`.
    """
    if registers:
        ensure_model(catalogue, version)
    elif to_come := model_to_come(catalogue, version):
        return to_come
    with read(catalogue.engine) as session:
        row = models.active(session) if version is None else models.by_version(session, version)
        known = [other.version for other in models.all_versions(session)]
    if row is None:
        there_are = ", ".join(dict.fromkeys([*known, *shipped.NAMES]))
        raise UnknownVersionError(f"there is no model {version!r}: choose from {there_are}")
    if row.is_discarded:
        raise UnknownVersionError(
            f"the model {version!r} was discarded: bring it back on the page Models first"
        )
    return row


class Classifier:
    """A model version, loaded when it is first asked: a delivery may bring nothing new."""

    def __init__(self, catalogue: Catalogue, row: models.ModelRow) -> None:
        self.row = row
        self.preprocessing = Preprocessing.from_meta(row.meta["preprocessing"])
        self._settings = catalogue.settings
        self._folder = catalogue.settings.models / row.version

    def for_processes(self) -> "ExportedModel | None":
        """Return what other processes need to give its answers, one thread each.

        None where there are none, or torch or a GPU is to compute: once, and here. Raises
        `CheckpointError`, `UsageError`.
        """
        if not self._settings.workers:
            return None
        from catalog_ai.inference.choosing import onnx_file, wants_onnx
        from catalog_ai.inference.onnx import ExportedModel

        runtime, provider = self._settings.runtime, self._settings.execution_provider
        if provider != "cpu" or not wants_onnx(runtime, provider):
            return None
        path = onnx_file(self._folder, runtime, self._checkpoint)
        if path is None:
            return None
        temperature = temperature_of(self.row.meta)
        return ExportedModel(path, self.row.version, self.preprocessing, temperature)

    def _checkpoint(self) -> "Checkpoint":
        from catalog_ai.checkpoint import load_checkpoint

        return load_checkpoint(self._folder)

    def load(self) -> None:
        """Load what the first answer would. Raises `CheckpointError` for damaged files."""
        _ = self._model, self._trained_on

    @property
    def is_loaded(self) -> bool:
        """Whether the next answer comes without loading anything."""
        return "_model" in vars(self)

    def outputs(
        self, found: Sequence[Prepared], digests: Sequence[str] = ()
    ) -> list[Output | None]:
        """Return what is stored of the model's answers, None where nothing was to be computed.

        Those that were not asked for are asked for here. `digests` are those of the delivered
        photos where copies of them were looked at. Raises `CheckpointError`.
        """
        names = digests or [one.photos[0].digest if one.photos else "" for one in found]
        return [
            None if one.answer is None else self._output(name, one.answer)
            for name, one in zip(names, self.answered(found), strict=True)
        ]

    def answered(self, found: Sequence[Prepared]) -> Sequence[Prepared]:
        """Return what was prepared with the model's answers, asked for here where they lack.

        Raises `CheckpointError`.
        """
        if all(one.square is None for one in found):
            return found  # the model need not be loaded
        return answered(self._model, found)

    def _output(self, digest: str, answer: Answer) -> Output:
        classes = self.row.classes
        return Output(
            image_sha256=digest,
            probabilities=answer.probabilities,
            vector=answer.vector,
            features=answer.features,
            top_label=classes[int(answer.probabilities.argmax())] if classes else "",
            trained_on=digest in self._trained_on,
        )

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
        return frozenset(load_training_photos(self._folder))
