"""The documentation is tested: flags, settings, commands, files and pictures it names exist."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from catalog_ai.config import PROJECT_ROOT

if TYPE_CHECKING:
    from catalog_ai.services.catalogue import Catalogue

COMMANDS = (
    *("backup", "doctor", "evaluate", "export", "ingest"),
    *("migrate-database", "run", "train", "worker"),
)
SETTINGS = (
    *("CATALOG_HOME", "CATALOG_DATABASE_URL", "CATALOG_PHOTOS", "CATALOG_TEST_PHOTOS"),
    *("CATALOG_RUNTIME", "CATALOG_EXECUTION_PROVIDER", "CATALOG_WORKERS", "HOST", "PORT"),
)
FLAG = r"--[a-z][a-z-]*"
README = (PROJECT_ROOT / "README.md").read_text()
REFERENCE = (PROJECT_ROOT / "docs/commands.md").read_text()
DELIVERIES = (PROJECT_ROOT / "docs/deliveries.md").read_text()
PAGES = [
    *(PROJECT_ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((PROJECT_ROOT / "docs").glob("*.md")),
]


def section(command: str) -> str:
    """Return what docs/commands.md says of one command, and of all of them."""
    _, *parts = re.split(r"^## ", REFERENCE, flags=re.MULTILINE)
    chosen = [p for p in parts if p.startswith((f"`python -m catalog_ai.{command}", "Commands"))]
    assert len(chosen) == 2, command
    return "".join(chosen)


# Runs each command as `python -m` does, all of them in one process: most of them import the same.
ASK_ALL = """
import json, runpy, sys
from contextlib import redirect_stdout, suppress
from io import StringIO
helps = {}
for name in sys.argv[1:]:
    module, sys.argv = f"catalog_ai.{name}", [name, "--help"]
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    helps[name] = said.getvalue()
print(json.dumps(helps))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """Return what each command prints for --help."""
    done = subprocess.run(
        [sys.executable, "-c", ASK_ALL, *COMMANDS],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_every_command_is_listed_here() -> None:
    runnable = {
        path.stem
        for path in (PROJECT_ROOT / "catalog_ai").glob("*.py")
        if '__name__ == "__main__"' in path.read_text()
    }
    assert runnable == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_are_documented_and_documented_flags_exist(
    command: str, helps: dict[str, str]
) -> None:
    flags = set(re.findall(FLAG, helps[command].partition("options:")[2]))
    documented = set(re.findall(rf"`({FLAG})[ `]", section(command)))
    if command == "migrate-database":
        documented -= {"--database"}  # it names two databases, and takes no third
    assert documented == flags


@pytest.mark.parametrize("command", COMMANDS)
def test_exit_codes_are_documented(command: str, helps: dict[str, str]) -> None:
    said = helps[command].partition("Exit codes:")[2].partition("options:")[0]
    codes = set(re.findall(r"\b\d+\b", said))
    assert codes
    assert codes <= set(re.findall(r"\b\d+\b", section(command)))


def test_every_setting_is_documented() -> None:
    rows = REFERENCE.partition("## Settings")[2].splitlines()
    cells = " ".join(row.split("|")[1] for row in rows if row.startswith("| `"))
    assert set(re.findall(r"`([A-Z_]+)`", cells)) == set(SETTINGS)


def test_every_setting_of_the_code_is_listed_here() -> None:
    folders = ("catalog_ai", "db", "pages", "benchmarks")
    code = "".join(
        path.read_text() for name in folders for path in (PROJECT_ROOT / name).rglob("*.py")
    )
    assert set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', code)) == set(SETTINGS)
    assert "getenv" not in code


def test_every_error_code_of_a_photo_is_documented() -> None:
    code = "".join(
        path.read_text()
        for path in (
            PROJECT_ROOT / "catalog_ai/images.py",
            PROJECT_ROOT / "catalog_ai/services/crew.py",
            *(PROJECT_ROOT / "catalog_ai/data").rglob("*.py"),
        )
    )
    codes = set(re.findall(r'(?:PhotoError|Problem)\(\s*(?:[^",]+, )?"([a-z_]+)"', code))
    assert len(codes) > 10
    for name in codes:
        assert f"`{name}`" in section("ingest"), name


def test_every_code_of_an_entry_or_a_row_says_what_to_do() -> None:
    code = (PROJECT_ROOT / "catalog_ai/data/delivery/problems.py").read_text()
    codes = set(re.findall(r'Problem\(\s*(?:[^",]+, )?"([a-z_]+)"', code))
    assert len(codes) > 8
    rows = re.findall(r"^\| `([a-z_]+)` \|", DELIVERIES, re.MULTILINE)
    assert codes == set(rows)


def targets() -> set[str]:
    """Return the targets that `make` offers to people."""
    makefile = (PROJECT_ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_every_target_is_documented() -> None:
    assert set(re.findall(r"`make ([a-z-]+)`", REFERENCE)) == targets()


def test_the_readmes_commands_run(
    helps: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command parses: with `--help` beside its arguments it complains of none of them."""
    blocks = re.findall(r"```(?:sh|cron)\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert "make run" in lines
    assert "make test" in lines
    for line in lines:
        made = re.findall(r"\bmake ([a-z-]+)", line)
        called = re.findall(r"-m catalog_ai\.([a-z]+)((?: [^&|;>]+)?)", line)
        assert made or called, line
        assert set(made) <= targets()
        for name, words in called:
            assert name in helps
            main = importlib.import_module(f"catalog_ai.{name}").main
            assert set(re.findall(FLAG, words)) <= set(re.findall(FLAG, helps[name]))
            with pytest.raises(SystemExit) as ended:
                main([*shlex.split(words), "--help"])
            assert ended.value.code == 0, capsys.readouterr().err


def test_the_documented_backup_is_a_backup(
    catalogue: "Catalogue", monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (PROJECT_ROOT / "docs/database.md").read_text()
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert program is not None
    home = catalogue.settings.home
    here = program[1].replace("/srv/backup", f"{home}/copy").replace("/srv/catalog", str(home))
    exec(here, {})
    assert (home / "copy/catalog.db").read_bytes().startswith(b"SQLite format 3")


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_picture_and_document_is_shown() -> None:
    for path in (PROJECT_ROOT / "docs").rglob("*.*"):
        assert f"]({path.relative_to(PROJECT_ROOT).as_posix()})" in README, path.name
