"""Where the figures go."""

from collections.abc import Callable

import pytest

from tests.reliability.scale import FULL


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """A function that prints one line at once; a sample prints none."""
    plugins = request.config.pluginmanager
    reporter, capture = (plugins.getplugin(n) for n in ("terminalreporter", "capturemanager"))

    def say(line: str) -> None:
        if FULL:
            with capture.global_and_fixture_disabled():
                reporter.ensure_newline()
                reporter.write_line(line)

    return say
