"""Every package that the code imports is pinned exactly, with its reason, where it belongs."""

import ast
import importlib
import re
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from catalog_ai.config import PROJECT_ROOT

FILES = ("requirements.txt", "requirements-server.txt", "requirements-dev.txt")
LINE = re.compile(r"(?P<name>[a-z0-9-]+)(?:\[[a-z]+\])?==(?P<version>[0-9.]+) +# (?P<reason>.+)")
OURS = {"benchmarks", "catalog_ai", "db", "pages", "tests"}


def pins(file: str) -> dict[str, str]:
    """Return name -> version; a line that is neither pin, comment nor include is an error."""
    lines = (PROJECT_ROOT / file).read_text().splitlines()
    found = [LINE.fullmatch(line) for line in lines if not line.startswith(("#", "-r "))]
    assert None not in found
    return {match["name"]: match["version"] for match in found if match}


def imported(folders: tuple[str, ...]) -> set[str]:
    """Return the distributions that the Python files of some folders import."""
    paths = [path for folder in folders for path in (PROJECT_ROOT / folder).rglob("*.py")]
    packages = {name for path in paths for name in third_party(path)}
    providers = packages_distributions()
    # What only a cluster needs may be absent: it goes by its own name.
    return {providers.get(package, [package])[0].lower() for package in packages}


def third_party(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - OURS - sys.stdlib_module_names


def test_what_the_product_imports_is_pinned() -> None:
    files = ("requirements.txt", "requirements-server.txt", "requirements-scale.txt")
    known = {name for file in files for name in pins(file)}
    assert imported(("catalog_ai", "db", "pages")) <= known
    assert imported(("benchmarks",)) <= known | set(pins("requirements-dev.txt"))


def test_nobody_needs_a_servers_packages_for_a_file() -> None:
    """They are imported inside functions only, by two modules that meet an address of a server."""
    server = {name.replace("-", "_") for name in pins("requirements-server.txt")}
    paths = [path for folder in sorted(OURS) for path in (PROJECT_ROOT / folder).rglob("*.py")]
    late = {
        path.relative_to(PROJECT_ROOT).as_posix() for path in paths if third_party(path) & server
    }
    assert late == {"db/server.py", "db/vectors.py"}
    code = "import sys; import db.upgrade, catalog_ai.services.catalogue; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert not server & set(done.stdout.split())


def test_what_the_tests_import_is_pinned() -> None:
    files = (*FILES, "requirements-scale.txt")
    assert imported(("tests",)) <= {name for file in files for name in pins(file)}


@pytest.mark.parametrize("file", FILES)
def test_what_is_installed_is_what_is_pinned(file: str) -> None:
    installed = {name: version(name).partition("+")[0] for name in pins(file)}  # 2.13.0+cpu
    assert installed == pins(file)


def test_no_package_is_pinned_twice() -> None:
    names = [name for file in FILES for name in pins(file)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", sorted((PROJECT_ROOT / "benchmarks").glob("*.py")))
def test_every_benchmark_finds_what_it_imports(path: Path) -> None:
    importlib.import_module(f"benchmarks.{path.stem}")
