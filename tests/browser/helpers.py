"""What tests in a browser share."""

import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from catalog_ai.config import PROJECT_ROOT

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
WAIT = 20_000  # milliseconds

needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
    ),
]


@contextmanager
def served() -> Iterator[str]:
    """Serve the catalogue of the settings on a free port of this machine; give its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ("streamlit", "run", "streamlit_app.py", "--server.port", str(port))
    server = subprocess.Popen(
        (sys.executable, "-m", *command),
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/_stcore/health")
        yield address
    finally:
        server.terminate()
        server.wait(10)


def wait_for(address: str) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers on {address}")


def note_errors(page: Page) -> list[str]:
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


def idle(page: Page) -> None:
    """Wait until the server has nothing more to draw."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def settled(page: Page, title: str) -> None:
    """Wait until a page is drawn, and fail on anything that looks like an exception."""
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    for words in ("Traceback", "Oh no"):
        expect(page.get_by_text(words)).to_have_count(0)
