"""Fixtures that every test may ask for. Heavy imports happen inside them, never at the top."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from catalog_ai.services.catalogue import Catalogue
    from tests.helpers import Seeded


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own catalogue is never touched by a test."""
    for name in ("CATALOG_HOME", "CATALOG_DATABASE_URL", "CATALOG_EXECUTION_PROVIDER"):
        monkeypatch.delenv(name, raising=False)
    # Writing an ONNX file takes seconds; the tests that are about it ask for it.
    monkeypatch.setenv("CATALOG_RUNTIME", "torch")


@pytest.fixture
def catalogue(tmp_path: Path) -> "Iterator[Catalogue]":
    """An opened, empty catalogue in a folder of its own."""
    from catalog_ai.config import settings
    from catalog_ai.services.catalogue import open_catalogue

    opened = open_catalogue(settings(home=tmp_path / "home"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def seeded(catalogue: "Catalogue") -> "Seeded":
    """What lies in `catalogue` after `helpers.seed_catalogue`: a working morning's worth."""
    from tests.helpers import seed_catalogue

    return seed_catalogue(catalogue)


@pytest.fixture(scope="session")
def photos_root() -> Path:
    """The folder of real photos, `CATALOG_TEST_PHOTOS`; without it the test is skipped."""
    folder = os.environ.get("CATALOG_TEST_PHOTOS")
    if not folder:
        pytest.skip("CATALOG_TEST_PHOTOS is not set: it names the folder of real photos")
    root = Path(folder).resolve()
    if not root.is_dir():
        pytest.skip(f"CATALOG_TEST_PHOTOS names {folder!r}, which is no folder")
    return root
