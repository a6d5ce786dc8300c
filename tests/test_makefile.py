"""What `make` and `.ci/run` do, with a Python that only writes down what it is asked."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from catalog_ai.config import PROJECT_ROOT

# Makes a `.venv` of itself, fails where the test says so, and notes every call.
RECORDER = """#!/usr/bin/env bash
echo "${PORT:-} $*" | sed 's/^ //' >> calls
case "$*" in
  "-c "*) exit "${TOO_OLD:-0}" ;;
  "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python; exit "${NO_VENV:-0}" ;;
  *"pip "*) exit "${NO_PIP:-0}" ;;
esac
"""


class Project:
    """A folder with the Makefile and the recorder, as a newcomer finds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", *(f"requirements{part}.txt" for part in ("", "-dev", "-server"))):
            shutil.copy(PROJECT_ROOT / name, folder)
        self.script("python", RECORDER)

    def script(self, name: str, text: str) -> None:
        """Write an executable."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    def make(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run make as from a terminal, not as part of the make that may run these tests."""
        outside = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PORT", "HOST")
        clean = {name: value for name, value in os.environ.items() if name not in outside}
        return subprocess.run(
            ["make", "PYTHON=./python", *words],
            cwd=self.folder,
            env=clean | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )

    def calls(self) -> list[str]:
        """Return what Python was asked since the last time, without the question of its version."""
        path = self.folder / "calls"
        lines = path.read_text().splitlines()
        path.unlink()
        return [line for line in lines if "sys.version_info" not in line]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def installs(file: str) -> str:
    return f"-m pip --disable-pip-version-check --quiet --quiet install -r {file}"


def test_a_first_run_installs_and_a_second_only_runs(project: Project) -> None:
    assert "takes a few minutes" in project.make("run").stdout
    assert project.calls() == ["-m venv .venv", installs("requirements.txt"), "-m catalog_ai.run"]
    assert project.make("run").stdout == ""
    assert project.calls() == ["-m catalog_ai.run"]


def test_a_changed_requirement_is_installed(project: Project) -> None:
    project.make("install")
    project.calls()
    later = (project.folder / ".venv/.installed").stat().st_mtime + 1
    os.utime(project.folder / "requirements.txt", (later, later))
    project.make("run")
    assert project.calls() == [installs("requirements.txt"), "-m catalog_ai.run"]


def test_an_install_that_failed_is_tried_again(project: Project) -> None:
    assert project.make("install", NO_PIP="1").returncode == 2
    project.calls()
    assert project.make("install").returncode == 0
    assert project.calls() == [installs("requirements.txt")]


def test_a_half_made_environment_is_removed(project: Project) -> None:
    assert project.make("install", NO_VENV="1").returncode == 2
    assert not (project.folder / ".venv").exists()


def test_a_python_too_old_is_said_so(project: Project) -> None:
    done = project.make("run", TOO_OLD="1")
    assert done.returncode == 2
    assert "Python 3.11 or later is needed: name one, as in make run PYTHON=" in done.stdout
    assert not (project.folder / ".venv").exists()


@pytest.mark.parametrize("place", ["before", "after"])
def test_settings_reach_the_program(project: Project, place: str) -> None:
    project.make("install")
    project.calls()
    project.make("run", "PORT=8600") if place == "after" else project.make("run", PORT="8600")
    assert project.calls() == ["8600 -m catalog_ai.run"]


def test_bare_make_lists_every_target(project: Project) -> None:
    shown = {line.split()[0] for line in project.make().stdout.splitlines()}
    assert shown == {
        *("help", "run", "test", "test-scale", "reliability"),
        *("install", "install-dev", "check", "bench"),
    }


def test_make_test_checks_before_it_tests(project: Project) -> None:
    planned = project.make("--dry-run", "test").stdout
    steps = ("requirements-dev.txt", "ruff format --check", "ruff check", "mypy", "lint-imports")
    steps = (*steps, ".ci/chromium", "-m pytest")
    places = [planned.index(step) for step in steps]
    assert places == sorted(places)


def test_bench_says_what_needs_photos(project: Project) -> None:
    done = project.make("bench", CATALOG_TEST_PHOTOS="")
    assert done.returncode == 0
    assert "CATALOG_TEST_PHOTOS=/path/to/them make bench" in done.stdout
    names = ("inference", "label_scores", "batches", "exports", "pages --products 5000,100000")
    names = ("review_queue", *names)
    assert project.calls()[-6:] == [f"-m benchmarks.{name}" for name in names]


def test_bench_measures_on_the_photos_where_there_are_some(project: Project) -> None:
    assert project.make("bench", CATALOG_TEST_PHOTOS="/photos").returncode == 0
    names = (
        "models",
        "ingest",
        "article",
        "losses",
        "label_errors",
        "oddity",
        "twins",
        "retraining",
    )
    assert project.calls()[-8:] == [f"-m benchmarks.{name}" for name in names]


# Each row of docs/reliability.md, by how it begins → the test that prints its figure.
FIGURES = {
    "`kill -9` anywhere in an ingest": "test_kills.py::test_a_killed_ingest_is_carried_on",
    "work done again after a kill": "test_kills.py::test_a_killed_ingest_is_carried_on",
    "processes of a killed ingest": "test_kills.py::test_a_killed_ingest_is_carried_on",
    "an ingest, reviewers and readers": "test_at_once.py::test_an_ingest_reviewers_and_readers",
    "the same with a rollback journal": "test_at_once.py::test_an_ingest_reviewers_and_readers",
    "labels rebuilt from the log": "test_at_once.py::test_an_ingest_reviewers_and_readers",
    "eight reviewers, one product": "test_at_once.py::test_one_of_eight_reviewers_wins",
    "ten clicks at once": "test_at_once.py::test_ten_clicks_are_one_decision",
    "20 starts at once": "test_starts.py::test_of_many_starts_one_works",
    "a full disk": "test_disk.py::test_a_disk_that_fills_up_stops_the_ingest",
    "read-only, no database": "test_disk.py::test_a_database_of_a_later_version",
    "SIGTERM, SIGINT": "test_signals.py::test_a_signal_ends_the_run",
    "a signal at any moment": "test_signals.py::test_a_signal_at_any_moment",
    "decoders that die or hang": "test_decoders.py::test_a_decoder_that_dies_or_hangs",
    "photos still being copied": "test_copying.py::test_a_photo_still_being_copied",
    "odd and hostile photos": "test_odd_photos.py::test_every_odd_photo_gets_its_verdict",
    "photos held any way": "test_pixels.py::test_a_photo_has_one_vector",
    "PNGs of 16 bits": "test_pixels.py::test_16_bits_are_scaled",
    "manifests of random bytes": "test_manifests.py::test_random_manifests_are_read_or_refused",
    "paths that lead out of": "test_manifests.py::test_no_path_in_a_manifest_opens_anything",
    "activating a model": "test_activating.py::test_exactly_one_model_is_active",
    "vectors of two models": "test_models.py::test_vectors_of_two_models_are_never_compared",
    "weights from a stranger": "test_models.py::test_weights_from_a_stranger_are_refused",
}


def test_reliability_reaches_a_test_for_every_figure(project: Project) -> None:
    assert "CATALOG_RELIABILITY=full" in project.make("--dry-run", "reliability").stdout
    project.make("reliability")
    module, *asked = project.calls()[-1].removeprefix("-m ").split()
    assert module == "pytest"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", *asked],
        cwd=PROJECT_ROOT,
        env=os.environ | {"CATALOG_RELIABILITY": "full"},
        capture_output=True,
        text=True,
        check=True,
    )
    collected = done.stdout.splitlines()
    for figure, test in FIGURES.items():
        reached = [name for name in collected if f"/{test}" in name]
        assert reached, figure
        path, name = re.split(r"::|\[", reached[0])[:2]
        assert _says_a_figure((PROJECT_ROOT / path).read_text(), name), f"{name} prints nothing"


def _says_a_figure(source: str, name: str) -> bool:
    (test,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    calls = (node.func for node in ast.walk(test) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id == "figure" for called in calls)


def test_every_row_of_the_reliability_tables_has_its_figure() -> None:
    rows = _first_cells((PROJECT_ROOT / "docs/reliability.md").read_text())
    told = {row: [figure for figure in FIGURES if row.startswith(figure)] for row in rows}
    assert all(len(figures) == 1 for figures in told.values()), told
    assert {figure for figures in told.values() for figure in figures} == set(FIGURES)
    _, _, below = (PROJECT_ROOT / "README.md").read_text().partition("What must never happen")
    shown = _first_cells(below.partition("\n\nFinding")[0])
    assert len(shown) >= 16
    for about in ("EXIF", "16 bits", "manifests of random bytes", "paths", "two models", "weights"):
        assert any(about in cell for cell in shown), about


def _first_cells(text: str) -> list[str]:
    """Return the first cell of each row below a table's head."""
    rows = re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)
    return [cell.strip() for cell in rows if cell.strip() not in {"figure", "---", ""}]


@pytest.mark.parametrize("photos", [True, False])
def test_continuous_integration_finds_the_photos(project: Project, photos: bool) -> None:
    root = project.folder / "root"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(PROJECT_ROOT / ".ci/run", root / ".ci/run")
    project.script("make", '#!/bin/sh\necho "$*:${CATALOG_TEST_PHOTOS-none}"\n')
    if photos:
        (project.folder / "shared/data").mkdir(parents=True)
    environment = os.environ | {"PATH": f"{project.folder}:{os.environ['PATH']}"}
    environment.pop("CATALOG_TEST_PHOTOS", None)
    done = subprocess.run(
        [root / ".ci/run"], cwd="/", env=environment, capture_output=True, text=True, check=True
    )
    expected = (project.folder / "shared/data").resolve() if photos else "none"
    assert done.stdout == f"test:{expected}\n"


@pytest.mark.parametrize(
    ("user", "apt", "said"),
    [
        ("1000", "true", "no right to install it: the browser test will be skipped"),
        ("0", "false", "could not be installed: the browser test will be skipped"),
        ("0", "true", "Installing chromium for the browser test"),
    ],
)
def test_a_missing_chromium_stops_nothing(project: Project, user: str, apt: str, said: str) -> None:
    """With its own `id` and `apt-get`: nothing is installed by this test."""
    project.script("id", f"#!/bin/sh\necho {user}\n")
    project.script("apt-get", f'#!/bin/sh\necho "$*" >> calls\n{apt}\n')
    done = subprocess.run(
        ["/bin/bash", PROJECT_ROOT / ".ci/chromium"],
        cwd=project.folder,
        env={"PATH": str(project.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in done.stdout
    assert (project.folder / "calls").exists() == (user == "0")
