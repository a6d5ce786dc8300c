"""A dashboard that is served, and browsers that look at it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Playwright, expect, sync_playwright

from catalog_ai.services.catalogue import Catalogue
from tests.browser.helpers import CHROMIUM, FLAGS, WAIT, served
from tests.helpers import seed_catalogue


@pytest.fixture
def dashboard(
    catalogue: Catalogue, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Serve a filled catalogue and return its address.

    A module that wants another one says so in `SEED`, the arguments of `seed_catalogue`.
    """
    seed_catalogue(catalogue, **getattr(request.module, "SEED", {"n": 40}))
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    with served() as address:
        yield address


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Drive browsers."""
    with sync_playwright() as started:
        yield started


@pytest.fixture
def window(playwright: Playwright, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """Return what opens a browser of its own, by name."""
    opened = []

    def open_window(name: str) -> Page:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / name),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1280, "height": 900},
        )
        opened.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        return page

    yield open_window
    for context in opened:
        context.close()


@pytest.fixture
def page(window: Callable[[str], Page]) -> Page:
    """Return a browser window."""
    return window("one")


@pytest.fixture
def another(window: Callable[[str], Page]) -> Page:
    """Return the window of somebody else."""
    return window("other")
