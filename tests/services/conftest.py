"""Two catalogues for two engines; tests on a Ray cluster are left out unless asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from catalog_ai.services.catalogue import Catalogue

_LEFT_OUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is marked `scale`, unless `-m` speaks of it."""
    if "scale" in config.option.markexpr:
        return
    scale = [item for item in items if item.get_closest_marker("scale")]
    config.stash[_LEFT_OUT] = len(scale)
    if scale:
        config.hook.pytest_deselected(items=scale)
        items[:] = [item for item in items if item not in scale]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out, and how to run it."""
    count = config.stash.get(_LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(
            f"{count} tests on a Ray cluster were left out, Ray is an extra: make test-scale"
        )


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
