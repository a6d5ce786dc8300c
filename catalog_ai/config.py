"""Settings, read from the environment at the moment they are asked for.

| variable | meaning | default |
| --- | --- | --- |
| `CATALOG_HOME` | folder of the database, models and stored photos | `var/catalog` in the project |
| `CATALOG_DATABASE_URL` | SQLAlchemy URL of the database | `catalog.db` in `CATALOG_HOME` |
| `CATALOG_RUNTIME` | what computes a model's answers: `onnx`, `torch`, `auto` | `auto` |
| `CATALOG_EXECUTION_PROVIDER` | where ONNX Runtime computes: `cpu`, `cuda`, `tensorrt` | `cpu` |
| `CATALOG_WORKERS` | processes of an ingest that decode and compute; 0: it does so itself | cores |
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from catalog_ai.errors import UsageError

_MOST_WORKERS = 64
PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Where one catalogue lives. All paths are absolute."""

    home: Path
    database_url: str
    runtime: str = "auto"
    execution_provider: str = "cpu"
    workers: int = 1

    @property
    def models(self) -> Path:
        """One folder per model version: `weights.safetensors` and `meta.json`."""
        return self.home / "models"

    @property
    def images(self) -> Path:
        """One upright copy of each photo, named by the sha256 of the delivered bytes."""
        return self.home / "images"

    @property
    def thumbnails(self) -> Path:
        """Small JPEGs derived from `images`; may be deleted at any time."""
        return self.home / "thumbnails"

    @property
    def remembered(self) -> Path:
        """What judging labels need not compute again, by model; may be deleted at any time."""
        return self.home / "remembered"

    @property
    def backups(self) -> Path:
        """Copies of the database: by `catalog_ai.backup`, and before each upgrade of its schema."""
        return self.home / "backups"

    @property
    def damaged(self) -> Path:
        """Where damaged copies of photos lie that a repair moved aside."""
        return self.home / "damaged"

    @property
    def interim(self) -> Path:
        """What an ingest has computed and not yet written; may be deleted while none runs."""
        return self.home / "interim"

    @property
    def locks(self) -> Path:
        """Files that the kernel locks for one process at a time."""
        return self.home / "locks"


def settings(*, home: Path | str | None = None, database_url: str | None = None) -> Settings:
    """Return the settings in force now; arguments win over the environment.

    A relative `CATALOG_HOME` is taken from the project's folder, wherever one calls from: cron's
    working directory is another than the shell's.
    """
    chosen = Path(home if home is not None else os.environ.get("CATALOG_HOME") or "var/catalog")
    folder = chosen.expanduser()
    if not folder.is_absolute():
        folder = PROJECT_ROOT / folder
    url = database_url or os.environ.get("CATALOG_DATABASE_URL") or f"sqlite:///{folder}/catalog.db"
    return Settings(
        home=folder,
        database_url=url,
        runtime=os.environ.get("CATALOG_RUNTIME") or "auto",
        execution_provider=os.environ.get("CATALOG_EXECUTION_PROVIDER") or "cpu",
        workers=_workers(os.environ.get("CATALOG_WORKERS") or ""),
    )


def _workers(text: str) -> int:
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2
    if not text.isdecimal():
        raise UsageError(f"CATALOG_WORKERS is {text!r}: give a number of processes, 0 or more")
    return min(int(text), _MOST_WORKERS)


def program_commit() -> str | None:
    """Return the commit of this program, None outside a git checkout."""
    command = ("git", "-C", str(PROJECT_ROOT), "rev-parse", "HEAD")
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
