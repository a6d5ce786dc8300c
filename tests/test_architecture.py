"""Who may import whom: the part that import-linter cannot say."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog_ai.config import PROJECT_ROOT

HEAVY = {"torch", "torchvision", "faiss", "umap", "numba", "sklearn", "onnxruntime", "cleanlab"}
# folder: packages that no file in it may import, not even inside a function
NEVER = {
    "db": {"streamlit", "torch", "faiss", "umap"},
    "catalog_ai": {"streamlit"},
    "pages": {"sqlalchemy", "sqlite3", "pysqlite3", "torch", "faiss", "umap", "sklearn", "db"},
}
# folder: packages that may be imported inside functions only
LATE = {
    "catalog_ai": HEAVY - {"torch", "torchvision"},
    "catalog_ai/services": HEAVY,
    "catalog_ai/curation": HEAVY,
    "catalog_ai/evaluation": HEAVY,
}


def files(folder: str) -> list[Path]:
    """Return the Python files of a folder; the entry page belongs to the pages."""
    found = sorted((PROJECT_ROOT / folder).rglob("*.py"))
    assert found, folder
    return [*found, PROJECT_ROOT / "streamlit_app.py"] if folder == "pages" else found


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the top-level package of every import below `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def early_imports(tree: ast.AST) -> Iterator[str]:
    """Yield what is imported when the module is: outside functions and TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from early_imports(node)


@pytest.mark.parametrize("folder", NEVER)
def test_forbidden_packages_are_not_imported(folder: str) -> None:
    broken = [
        (path.name, package)
        for path in files(folder)
        for package in imports(ast.parse(path.read_text()))
        if package in NEVER[folder]
    ]
    assert not broken


@pytest.mark.parametrize("folder", LATE)
def test_heavy_packages_are_imported_inside_functions(folder: str) -> None:
    broken = [
        (path.name, package)
        for path in files(folder)
        for package in early_imports(ast.parse(path.read_text()))
        if package in LATE[folder]
    ]
    assert not broken


def test_torchvision_is_imported_in_one_place() -> None:
    users = {
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in files("catalog_ai")
        if "torchvision" in set(imports(ast.parse(path.read_text())))
    }
    assert users == {"catalog_ai/vision.py"}


def test_streamlit_caches_live_in_one_place() -> None:
    caches = {"cache_data", "cache_resource"}
    users = {
        path.relative_to(PROJECT_ROOT).as_posix()
        for path in files("pages")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in caches)
        or (isinstance(node, ast.alias) and node.name in caches)
    }
    assert users == {"pages/_ui/cache.py"}


def test_the_entry_page_obeys_the_rules_of_pages() -> None:
    """`streamlit_app.py` is in no package, so import-linter does not see it."""
    tree = ast.parse((PROJECT_ROOT / "streamlit_app.py").read_text())
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {module for module in modules if module.split(".")[0] in {"catalog_ai", "db", "pages"}}
    allowed = ("catalog_ai.services", "catalog_ai.errors", "pages._ui")
    assert ours and all(module.startswith(allowed) for module in ours)


def test_every_page_begins_with_the_frame() -> None:
    pages = [*(PROJECT_ROOT / "pages").glob("[0-9]_*.py"), PROJECT_ROOT / "streamlit_app.py"]
    assert len(pages) == 7
    for page in pages:
        assert "frame.begin(" in page.read_text(), page.name


def test_page_helpers_services_and_commands_load_nothing_heavy() -> None:
    """A dashboard session that never searches by an uploaded photo never loads torch."""
    modules = [
        ".".join(path.relative_to(PROJECT_ROOT).with_suffix("").parts)
        for folder in ("pages/_ui", "catalog_ai/services")
        for path in files(folder)
        if path.name != "__init__.py"
    ]
    modules += [
        f"catalog_ai.{name}" for name in ("evaluate", "export", "ingest", "run", "train", "worker")
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        f"print([name for name in {sorted(HEAVY)} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
