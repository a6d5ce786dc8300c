"""The dashboard in a real browser: every page, a decision and its undo, an upload, no error."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import deciding, review
from catalog_ai.services.catalogue import Catalogue
from tests.helpers import photo_bytes, seed_catalogue

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PAGES = {
    "": "Today",
    "Review_labels": "Review labels",
    "Shop_the_look": "Shop the look",
    "Embedding_map": "Embedding map",
    "Models": "Models",
    "Nightly_runs": "Nightly runs",
    "Categories": "Categories",
}
WAIT = 20_000  # milliseconds

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
    ),
]


@pytest.fixture
def dashboard(catalogue: Catalogue) -> Iterator[str]:
    """Serve a filled catalogue on a free port of this machine and return its address."""
    seed_catalogue(catalogue, n=40, weights=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ("streamlit", "run", "streamlit_app.py", "--server.port", str(port))
    server = subprocess.Popen(
        (sys.executable, "-m", *command),
        cwd=PROJECT_ROOT,
        env=os.environ | {"CATALOG_HOME": str(catalogue.settings.home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health")
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    """Return a browser window that notes every error of the page and its console."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1280, "height": 900},
        )
        window = context.new_page()
        window.set_default_timeout(WAIT)
        expect.set_options(timeout=WAIT)
        yield window
        context.close()


def _wait_for(address: str) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers on {address}")


def _note_errors(page: Page) -> list[str]:
    """Return a list that fills with what goes wrong in the browser.

    On a deep link Streamlit's client asks for its health and host settings below the page's own
    path first, gets a 404 by design, and goes on at the root.
    """
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def on_console(message: object) -> None:
        text, location = message.text, message.location  # type: ignore[attr-defined]
        by_design = "/_stcore/" in location.get("url", "") and "404" in text
        if message.type == "error" and not by_design:  # type: ignore[attr-defined]
            errors.append(f"{text} {location}")

    page.on("console", on_console)
    return errors


def _settled(page: Page, title: str) -> None:
    """Wait until a page is drawn, and fail on anything that looks like an exception."""
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for words in ("Traceback", "Oh no"):
        expect(page.get_by_text(words)).to_have_count(0)


def test_a_morning_with_the_dashboard(page: Page, dashboard: str, catalogue: Catalogue) -> None:
    errors = _note_errors(page)
    for path, title in PAGES.items():
        page.goto(f"{dashboard}/{path}")
        _settled(page, title)

    item = review.review_queue(catalogue).items[0]
    page.goto(f"{dashboard}/Review_labels")
    _settled(page, "Review labels")
    keep = page.get_by_role("button", name="Keep").last
    expect(keep).to_be_disabled()
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Enter")
    expect(page.locator("button[disabled]", has_text="Keep")).to_have_count(0)
    page.keyboard.press("Tab")  # keys are for typing while the cursor is in a field
    page.locator("h1").click()
    page.keyboard.press("w")
    expect(page.get_by_text(f"{item.sku} is now {item.suggestion}")).to_be_visible()
    made = deciding.decisions(catalogue)[0]
    assert (made.product_id, made.action, made.reviewer) == (item.product_id, "accept", "Ana")

    expect(page.get_by_role("button", name="Undo Shortcut Z")).to_be_enabled()
    _settled(page, "Review labels")
    page.keyboard.press("z")
    expect(page.get_by_text(f"Undone: {item.sku}")).to_be_visible()
    assert deciding.decisions(catalogue)[0].action == "undo"
    assert review.review_queue(catalogue).items[0].product_id == item.product_id

    page.get_by_role("link", name="Shop the look").click()
    _settled(page, "Shop the look")
    page.locator("input[type=file]").set_input_files(
        {"name": "look.jpg", "mimeType": "image/jpeg", "buffer": photo_bytes("#3b5b8c")}
    )
    expect(page.get_by_text("Looks like")).to_be_visible(timeout=40_000)
    expect(page.get_by_text("distance").first).to_be_visible()
    _settled(page, "Shop the look")

    page.goto(f"{dashboard}/Review_labels")
    expect(page.get_by_label("Your name")).to_have_value("Ana")
    assert not errors
