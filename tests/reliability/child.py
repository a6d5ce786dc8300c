"""A process of its own, in a group of its own, that a test can end as it likes."""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog_ai.config import PROJECT_ROOT
from tests.reliability.stub import Stub

INGEST = "tests.reliability.stub_ingest"
ACTIVATE = "tests.reliability.stub_activate"
CREW = "tests.reliability.stub_crew"
REAL_INGEST = "catalog_ai.ingest"
SECONDS = 100.0  # no child takes longer, where a test does not say so
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (negative: by which signal) and what it said."""

    code: int
    output: str
    errors: str


class Child:
    """`python -m MODULE …` on the catalogue at `home`, in a session of its own."""

    def __init__(
        self,
        home: Path,
        module: str,
        *arguments: object,
        stub: Stub | None = None,
        workers: int = 0,
        obeys_rights: bool = False,
    ) -> None:
        clean = {name: v for name, v in os.environ.items() if not name.startswith("CATALOG_")}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115, closed with the child
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=PROJECT_ROOT,
            env=clean
            | (stub or Stub()).as_environment()
            | {"CATALOG_HOME": str(home), "CATALOG_WORKERS": str(workers)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
            preexec_fn=_obey_rights if obeys_rights else None,
        )

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def ready(self) -> "Child":
        """Wait until it has imported everything; only stubs say so."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said == "ready\n", (said, self.end().errors)
        return self

    def go(self) -> None:
        """Let a child that waits begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it as a power cut would; its own children are left alone."""
        self.process.kill()
        self.process.wait()
        self._close()

    def signal(self, number: int, *, whole_group: bool = False) -> None:
        """Send a signal to it alone, or to its children as well, as a terminal and systemd do."""
        (os.killpg if whole_group else os.kill)(self.process.pid, number)

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait while it runs until something has happened."""
        until = time.monotonic() + SECONDS
        while not happened():
            assert self.runs, self.end()
            assert time.monotonic() < until
            time.sleep(0.002)

    def end(self, seconds: float = SECONDS) -> Ended:
        """Wait for its end and return what it said. Raises `AssertionError` where it hangs."""
        try:
            output, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.kill()
            raise AssertionError(f"it did not end within {seconds:.0f} s") from error
        self._errors.seek(0)
        errors = self._errors.read()
        self._close()
        return Ended(self.process.returncode, output, errors)

    def _close(self) -> None:
        for file in (self.process.stdin, self.process.stdout, self._errors):
            assert file is not None
            file.close()

    def seconds_until_alone(self, patience: float) -> float:
        """Return how long processes of its group lived on. Raises `AssertionError`."""
        start = time.monotonic()
        while left := _group(self.process.pid):
            waited = time.monotonic() - start
            assert waited < patience, f"{left} are alive {waited:.1f} s after their parent"
            time.sleep(0.01)
        return time.monotonic() - start


def _group(number: int) -> list[int]:
    """Return the living processes of a process group; one that is only not collected is dead."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it ended in between
        if int(group) == number and state not in "ZX":
            found.append(int(path.parent.name))
    return found


def _obey_rights() -> None:
    """Take from the administrator what lets him write to read-only files; others lack it anyway."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        for right in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            if libc.prctl(_PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "rights cannot be given up")
