"""The models that come with the package, as versions of a catalogue."""

from contextlib import suppress

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
    with in_plain_words(), read(catalogue.engine) as session:
        known = {row.version for row in models.all_versions(session)}
        has_active = models.active(session) is not None
    if version in known or (version is None and has_active):
        return
    wanted = version or shipped.DEFAULT
    if wanted not in shipped.NAMES or wanted in known:
        return
    folder = shipped.install(wanted, catalogue.settings.models)
    with suppress(UsageError):  # another process was quicker
        register(catalogue, folder, activate=wanted == shipped.DEFAULT and not has_active)
