"""`python -m catalog_ai.run`, which `make run` calls: fill, start the worker, serve the dashboard.

Settings: CATALOG_PHOTOS (a folder of one's own photos; without it the generated sample), HOST
(127.0.0.1), PORT (8501), CATALOG_HOME. Ctrl-C ends everything. Exit codes: those of
`catalog_ai.train` and `catalog_ai.ingest`, and 2 for a port that is taken.
"""

import contextlib
import ctypes
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from catalog_ai import cli
from catalog_ai.config import PROJECT_ROOT, settings
from catalog_ai.errors import UsageError
from catalog_ai.services import starting
from catalog_ai.services.catalogue import open_catalogue

_ENDING_SECONDS = 10
_PR_SET_PDEATHSIG = 1  # prctl(2)


def main(arguments: list[str] | None = None) -> int:
    """Fill the catalogue if it is empty and serve it until Ctrl-C."""
    options = cli.parser("run", __doc__).parse_args(arguments)
    host, port = _address()
    photos = _photos()
    home = os.environ.get("CATALOG_HOME") or starting.home_for(photos)
    catalogue = open_catalogue(settings(home=home, database_url=options.database))
    with contextlib.ExitStack() as bar:

        def step(title: str) -> starting.Progress:
            bar.close()
            print(f"{title} …", flush=True)
            return bar.enter_context(cli.progress_bar(""))

        starting.fill(catalogue, photos, step)
    environment = os.environ | {
        "CATALOG_HOME": str(catalogue.settings.home),
        "CATALOG_DATABASE_URL": catalogue.settings.database_url,
    }
    print(f"The dashboard is on http://{host}:{port}   (Ctrl-C ends it)", flush=True)
    with _children(environment, host, port) as children:
        return _wait(children)


def _address() -> tuple[str, int]:
    host, port = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8501"
    if not port.isdigit() or not 0 < int(port) < 65_536:
        raise UsageError(f"PORT is {port!r}: give a number between 1 and 65535")
    if not _is_loopback(host):
        print(
            f"warning: {host} is not this machine alone: anybody who reaches it can see and change "
            "the catalogue; put a proxy with a sign-in before it",
            file=sys.stderr,
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be used ({error.strerror}): end what uses it, or choose "
                f"another port, for instance PORT={int(port) + 1} make run"
            ) from error
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _photos() -> Path | None:
    folder = os.environ.get("CATALOG_PHOTOS")
    if not folder:
        return None
    photos = Path(folder).expanduser()
    if not photos.is_dir():
        raise UsageError(f"CATALOG_PHOTOS is {folder!r}, which is no folder: give one with photos")
    return photos


@contextlib.contextmanager
def _children(
    environment: dict[str, str], host: str, port: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start worker and dashboard; end both, whatever happens to this process."""
    dashboard = (
        "streamlit",
        "run",
        "streamlit_app.py",
        "--server.headless",
        "true",
        "--logger.level",
        "warning",
    )
    where = ("--server.address", host, "--server.port", str(port))
    commands = (("catalog_ai.worker", "--loop"), (*dashboard, *where))
    started: list[subprocess.Popen[bytes]] = []
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for command in commands:
            started.append(
                subprocess.Popen(
                    (sys.executable, "-m", *command),
                    cwd=PROJECT_ROOT,
                    env=environment,
                    stdout=subprocess.DEVNULL,
                    preexec_fn=_end_with_parent,
                )
            )
        yield started
    finally:
        signal.signal(signal.SIGTERM, before)
        for child in started:
            child.terminate()
        for child in started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_ENDING_SECONDS)
            child.kill()


def _end_with_parent() -> None:
    """Ask Linux to end this child when the parent dies, `kill -9` included."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _wait(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until one of the two ends, and return its exit code."""
    try:
        while True:
            for child in children:
                code = child.poll()
                if code is not None:
                    return code
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
