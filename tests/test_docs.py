"""The documentation is tested: flags, settings, commands, files and pictures it names exist."""

import importlib
import re
import subprocess
import sys

import pytest

from catalog_ai.config import PROJECT_ROOT

COMMANDS = ("export", "ingest", "run", "train", "worker")
SETTINGS = (
    *("CATALOG_HOME", "CATALOG_DATABASE_URL", "CATALOG_PHOTOS", "CATALOG_TEST_PHOTOS"),
    *("HOST", "PORT"),
)
README = (PROJECT_ROOT / "README.md").read_text()
DOCUMENTS = README + "".join(
    path.read_text() for path in sorted((PROJECT_ROOT / "docs").glob("*.md"))
)


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """Return what each command prints for --help."""
    return {
        name: subprocess.run(
            [sys.executable, "-m", f"catalog_ai.{name}", "--help"],
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for name in COMMANDS
    }


def test_every_command_is_listed_here() -> None:
    runnable = {
        path.stem
        for path in (PROJECT_ROOT / "catalog_ai").glob("*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert runnable == set(COMMANDS)


def test_every_flag_is_documented(helps: dict[str, str]) -> None:
    for name, text in helps.items():
        assert f"python -m catalog_ai.{name}" in DOCUMENTS
        for flag in set(re.findall(r"--[a-z][a-z-]+", text)) - {"--help"}:
            assert f"`{flag}" in DOCUMENTS, f"{flag} of catalog_ai.{name}"


def test_every_documented_flag_exists(helps: dict[str, str]) -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", " ".join(helps.values())))
    named = set(re.findall(r"`(--[a-z][a-z-]+)", (PROJECT_ROOT / "docs/commands.md").read_text()))
    assert named <= known


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}`" in DOCUMENTS


def test_every_setting_of_the_code_is_listed_here() -> None:
    code = "".join(path.read_text() for path in (PROJECT_ROOT / "catalog_ai").rglob("*.py"))
    read = set(re.findall(r'os\.environ(?:\.get\(|\[)"([A-Z_]+)"', code))
    assert read <= set(SETTINGS)


def test_every_error_code_of_a_photo_is_documented() -> None:
    code = "".join(
        (PROJECT_ROOT / "catalog_ai" / name).read_text()
        for name in ("images.py", "data/sources.py")
    )
    codes = set(re.findall(r'(?:PhotoError|Problem)\(\s*(?:[^",]+, )?"([a-z_]+)"', code))
    assert len(codes) > 10
    for name in codes:
        assert f"`{name}`" in DOCUMENTS, name


def test_the_readmes_commands_run(helps: dict[str, str]) -> None:
    """Each command parses: the flags it uses are flags of that command, the targets exist."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT_ROOT / "Makefile").read_text(), re.MULTILINE))
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert "make run" in lines
    assert "make test" in lines
    for line in lines:
        made = re.search(r"\bmake ([a-z-]+)", line)
        called = re.search(r"-m catalog_ai\.([a-z]+)(.*)", line)
        assert made or called, line
        if made:
            assert made[1] in targets
            subprocess.run(
                ["make", "-n", made[1]], cwd=PROJECT_ROOT, check=True, capture_output=True
            )
        if called:
            assert hasattr(importlib.import_module(f"catalog_ai.{called[1]}"), "main")
            assert set(re.findall(r"--[a-z-]+", called[2])) <= set(
                re.findall(r"--[a-z-]+", helps[called[1]])
            )


def test_the_readmes_tree_is_the_tree() -> None:
    tree = re.search(r"```text\n(.*?)```", README, re.DOTALL)
    assert tree is not None
    listed, folder = set(), ""
    for line in tree[1].splitlines():
        if line.endswith("/"):
            folder = line
        else:
            name = line.split()[0]
            listed.add(folder + name if line.startswith(" ") else name)
    there = {
        path.relative_to(PROJECT_ROOT).as_posix()
        for top in ("pages", "catalog_ai", "db", "benchmarks")
        for path in (PROJECT_ROOT / top).rglob("*.py")
        if path.name != "__init__.py" and "versions" not in path.parts
    }
    assert listed == there | {"streamlit_app.py"}


def test_links_and_pictures_exist() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert (PROJECT_ROOT / target).exists(), target
