"""What tests of whole pages need."""

import sys

import pytest

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services.catalogue import Catalogue
from pages._ui import frame


@pytest.fixture
def as_served(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages open the catalogue that the settings name, from the project's folder.

    Each becomes the main module while it runs; a process started later would begin with it.
    """
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    monkeypatch.chdir(PROJECT_ROOT)
    monkeypatch.setattr(frame, "remembered_name", lambda: "")  # AppTest's cookies are mocks
