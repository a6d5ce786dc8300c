"""Back into the model: train the active version further, on what people have corrected since.

The result is a version of its own, not in use. All products are looked at with it at once, so that
the comparison with the active one is exact and using it later takes a moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog_ai.errors import UsageError
from catalog_ai.services import comparing, jobs
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.classifying import model_row
from catalog_ai.services.jobs import Progress
from catalog_ai.services.lessons import Material, choose
from catalog_ai.services.training import register
from db.engine import read
from db.queries import comparing as queries
from db.queries import decisions, models
from db.queries.comparing import LabelledRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from catalog_ai.data.sources import SourceItem

KIND = "retrain"
_TRAINED = 0.7  # of the whole; the rest is looking at all products
_AT_ONCE = 500  # products whose features are read at once


@dataclass(frozen=True)
class Readiness:
    """How many labels people corrected since the active model learnt; `why_not` says it cannot."""

    version: str
    corrections: int
    why_not: str


def readiness(catalogue: Catalogue) -> Readiness | None:
    """Return what there is to learn, None without an active model."""
    with in_plain_words(), read(catalogue.engine) as session:
        row = models.active(session)
        if row is None:
            return None
        corrections = queries.corrected(session, after_decision=_learnt_until(session, row))
    return Readiness(row.version, corrections, _why_not(row))


def ask(catalogue: Catalogue, *, requested_by: str = "") -> int:
    """Ask the worker to train the active model further; return the job's id.

    One that waits or runs already is enough. Raises `UsageError` where the active model is of a
    kind that cannot be trained further.
    """
    found = readiness(catalogue)
    if found is None or found.why_not:
        raise UsageError(found.why_not if found else "there is no model yet: train one first")
    for job in jobs.list_jobs(catalogue):
        if job.kind == KIND and job.state in {"queued", "running"}:
            return job.id
    with in_plain_words(), read(catalogue.engine) as session:
        recipe = next(
            row.recipe for row in models.all_versions(session) if row.version == found.version
        )
    wanted = {"base": found.version, "version": f"{recipe}-{datetime.now(UTC):%Y%m%d-%H%M%S}"}
    return jobs.enqueue(catalogue, KIND, wanted, requested_by=requested_by)


def retrain(
    catalogue: Catalogue,
    *,
    base: str,
    version: str,
    epochs: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train `version` from the weights of `base`, look at all products with it, and compare them.

    A call that was interrupted is carried on by the next: what is trained is not trained again.
    The rows of `base` stay as they are. Raises `TrainingDataError`, `CheckpointError`, and
    `UsageError` where `base` is of a kind that cannot be trained further.
    """
    tell = progress or (lambda share, message: None)
    if not _is_registered(catalogue, version):
        folder = catalogue.settings.models / version
        if not folder.exists():
            _train(
                *(catalogue, base, version, epochs, seed),
                lambda share, message: tell(_TRAINED * share, message),
            )
        register(catalogue, folder, activate=False)
    return comparing.compare(
        *(catalogue, version),
        base=base,
        progress=lambda share, message: tell(_TRAINED + (1 - _TRAINED) * share, message),
    )


def _train(
    catalogue: Catalogue,
    base: str,
    version: str,
    epochs: int | None,
    seed: int,
    progress: Progress,
) -> None:
    from catalog_ai.checkpoint import load_checkpoint
    from catalog_ai.model_folder import load_training_photos
    from catalog_ai.training.successor import Lessons, train_successor

    row = model_row(catalogue, base)
    if why_not := _why_not(row):
        raise UsageError(why_not)
    progress(0.0, "Choosing what to learn from")
    material = choose(catalogue, row)
    with in_plain_words(), read(catalogue.engine) as session:
        corrections = queries.corrected(session, after_decision=_learnt_until(session, row))
        last = decisions.last_id(session) or 0
    folder = catalogue.settings.models / row.version
    train_successor(
        load_checkpoint(folder),
        Lessons(
            material.classes,
            _items(catalogue, material.training),
            _items(catalogue, material.held_out),
            _features(catalogue, row, material),
        ),
        out=catalogue.settings.models,
        version=version,
        epochs=epochs,
        seed=seed,
        learnt_before=sorted(load_training_photos(folder)),
        more={
            "parent": row.version,
            "corrections": corrections,
            "confirmed": material.confirmed,
            "doubted_left_out": material.doubted,
            "learnt_until_decision": last,
        },
        progress=progress,
    )


def _items(catalogue: Catalogue, rows: Sequence[LabelledRow]) -> "list[SourceItem]":
    from catalog_ai.data.sources import SourceItem

    home = catalogue.settings.home
    return [
        SourceItem(row.sku, home, row.stored_image, row.label, digest=row.image_sha256)
        for row in rows
    ]


def _features(
    catalogue: Catalogue, row: models.ModelRow, material: Material
) -> "dict[str, NDArray[np.float32]]":
    """Return SKU → what the base's vector of a product is made of, where that is stored."""
    found: dict[str, NDArray[np.float32]] = {}
    for start in range(0, len(material.training), _AT_ONCE):
        part = {one.id: one.sku for one in material.training[start : start + _AT_ONCE]}
        with in_plain_words(), read(catalogue.engine) as session:
            known = queries.features(session, row.id, list(part))
        found |= {part[product_id]: numbers for product_id, numbers in known.items()}
    return found


def _is_registered(catalogue: Catalogue, version: str) -> bool:
    with in_plain_words(), read(catalogue.engine) as session:
        return models.by_version(session, version) is not None


def _learnt_until(session: Any, row: models.ModelRow) -> int:
    known = row.meta.get("learnt_until_decision")
    return queries.last_decision_before(session, row.created_at) if known is None else int(known)


def _why_not(row: models.ModelRow) -> str:
    """Return why a version cannot be trained further, "" where it can."""
    if not row.classes:
        return (
            f"the model {row.version!r} knows no categories yet: train the recipe small or default "
            "on the catalogue's own labels first"
        )
    if not row.meta["architecture"].get("shared_backbone", True):
        return (
            f"the model {row.version!r} is of the recipe article, whose two networks share "
            "nothing: train the recipe small or default instead"
        )
    return ""
