"""Measure a model on a folder of labelled photos."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog_ai.data.sources import SourceItem, read_source
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import model_row

if TYPE_CHECKING:
    from catalog_ai.evaluation.report import Evaluation
    from catalog_ai.inference.embeddings import CatalogModel

REPORTS = (".html", ".md")

Progress = Callable[[float, str], None]


def evaluate(
    catalogue: Catalogue,
    data: Path,
    *,
    model: str | None = None,
    gallery: Path | None = None,
    report: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return how good a model is on the photos of `data`, by the names that docs/models.md lists.

    `model` is a version of the catalogue, a model that comes with the package, or a folder; by
    default the active version. `gallery` is a folder to search in besides. `report` is where to
    write a page with the confusion matrix, mistakes and retrieval examples, HTML or Markdown.
    Raises `UsageError`, `SourceError`, `CheckpointError`, `TrainingDataError`, `OSError`.
    """
    from catalog_ai.evaluation.document import write_report
    from catalog_ai.evaluation.report import evaluate_model

    if report is not None and report.suffix.lower() not in REPORTS:
        raise UsageError(f"{report.name!r} is no report: name a file ending in .html or .md")
    items = read_source(data).items
    others: tuple[SourceItem, ...] = () if gallery is None else read_source(gallery).items
    loaded = load_model(catalogue, model)
    found: Evaluation = evaluate_model(loaded, items, others, progress=progress)
    figures = {"model": loaded.version, "data": str(data), **found.figures}
    if report is not None:
        write_report(found, figures, report)
    return figures


def load_model(catalogue: Catalogue, name: str | None) -> "CatalogModel":
    """Return a version of the catalogue, a model that comes with the package, or one in a folder.

    Raises `UnknownVersionError`, `CheckpointError`, `UsageError`.
    """
    from catalog_ai.inference.embeddings import CatalogModel

    folder = _folder(catalogue, name)
    ours = folder.parent == catalogue.settings.models  # nothing is written into another's folder
    return CatalogModel.load(
        folder,
        runtime=catalogue.settings.runtime if ours else "torch",
        provider=catalogue.settings.execution_provider,
    )


def export_onnx(catalogue: Catalogue, path: Path, *, model: str | None = None) -> str:
    """Write a model as ONNX and return its version; `model` as in `evaluate`.

    Raises `UnknownVersionError`, `CheckpointError`, `OSError`.
    """
    from catalog_ai.checkpoint import load_checkpoint
    from catalog_ai.inference.runner import export_onnx as write_onnx

    checkpoint = load_checkpoint(_folder(catalogue, model))
    write_onnx(checkpoint, path)
    return str(checkpoint.meta["version"])


def _folder(catalogue: Catalogue, name: str | None) -> Path:
    if name is not None and "/" in name and Path(name).expanduser().is_dir():
        return Path(name).expanduser()
    return catalogue.settings.models / model_row(catalogue, name).version
