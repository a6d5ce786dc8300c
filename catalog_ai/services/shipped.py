"""The models that come with the package, as versions of a catalogue."""

from contextlib import suppress
from datetime import UTC, datetime

from catalog_ai import shipped
from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.training import register
from db.engine import read
from db.queries import models


def ensure_model(catalogue: Catalogue, version: str | None = None) -> None:
    """Register what is asked for and comes with the package; without an active model, `default`.

    `version` is what somebody named, None for the active model. Only `default` becomes the active
    one, and only where there is none. Raises `CheckpointError` where the package lacks the model.
    """
    wanted, has_active = _lacking(catalogue, version)
    if wanted is None:
        return
    folder = shipped.install(wanted, catalogue.settings.models)
    with suppress(UsageError):  # another process was quicker
        register(catalogue, folder, activate=wanted == shipped.DEFAULT and not has_active)


def model_to_come(catalogue: Catalogue, version: str | None) -> models.ModelRow | None:
    """Return the model that `ensure_model` would register, None where it would do nothing.

    It has no number yet, and no folder. Raises `CheckpointError`, `WeightsError`.
    """
    wanted, _ = _lacking(catalogue, version)
    if wanted is None:
        return None
    meta = shipped.meta(wanted, catalogue.settings.models)
    return models.ModelRow(
        id=models.NO_MODEL,
        version=meta["version"],
        recipe=meta["recipe"],
        classes=tuple(meta["classes"]),
        dimension=meta["architecture"]["dimension"],
        meta=meta,
        is_active=False,
        created_at=datetime.now(UTC),
    )


def _lacking(catalogue: Catalogue, version: str | None) -> tuple[str | None, bool]:
    """Return which shipped model is asked for and not registered, and whether any is active."""
    with in_plain_words(), read(catalogue.engine) as session:
        known = {row.version for row in models.all_versions(session)}
        has_active = models.active(session) is not None
    wanted = shipped.DEFAULT if version is None and not has_active else version
    return wanted if wanted in shipped.NAMES and wanted not in known else None, has_active
