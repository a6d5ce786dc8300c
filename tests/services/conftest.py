"""Catalogues that are ready to ingest: one, and two for two engines."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from catalog_ai.services.catalogue import Catalogue


@pytest.fixture
def shop(catalogue: "Catalogue") -> "Catalogue":
    """A catalogue with an untrained model."""
    from catalog_ai.services.training import register
    from tests.helpers import fake_model

    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    return catalogue


@pytest.fixture
def shops(tmp_path: Path) -> "tuple[Catalogue, Catalogue]":
    """Two catalogues with the same untrained model: one for each engine."""
    from catalog_ai.config import settings
    from catalog_ai.services.catalogue import open_catalogue
    from catalog_ai.services.training import register
    from tests.helpers import fake_model

    made = [open_catalogue(settings(home=tmp_path / name)) for name in ("plain", "ray")]
    for shop in made:
        register(shop, fake_model(shop.settings.models, "one"), activate=True)
    return made[0], made[1]
