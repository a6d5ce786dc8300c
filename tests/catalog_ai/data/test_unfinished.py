"""A manifest that is still being copied is left for later, however far it has come."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog_ai import cli
from catalog_ai.data.delivery import manifests
from catalog_ai.data.delivery.walk import Listing
from catalog_ai.data.sources import read_source
from catalog_ai.errors import SourceError, UnfinishedSourceError
from tests.corpus.manifests import parquet

_ROWS = b"sku,image,label\nA,a.jpg,shoes\nB,b.jpg,sho"


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"es\nC,a.jpg,hat\n")


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"sho", b"hat"))
    os.utime(path, ns=(1, 1))  # clocks may be coarser than this test is quick


def exchange(path: Path) -> None:
    kept = path.stat()
    (path.parent / "new").write_bytes(path.read_bytes())
    (path.parent / "new").replace(path)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))


CHANGES = [append, rewrite, exchange, Path.unlink]


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).touch()
    return tmp_path


def change_meanwhile(
    monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[Path], None]
) -> None:
    """Let `change` happen to the manifest between its opening and the last row."""
    list_entries = manifests.list_entries

    def listing(root: Path, manifest: str | None = None) -> Listing:
        found = list_entries(root, manifest)
        change(path)
        return found

    monkeypatch.setattr(manifests, "list_entries", listing)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["manifest.csv", "manifest.json", "manifest.jsonl"])
def test_a_manifest_that_changes_while_it_is_read_is_left_for_later(
    feed: Path, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    rows = b'[{"sku": "A", "label": "sho"}]' if name.endswith("json") else b'{"sku": "sho"}'
    (feed / name).write_bytes(_ROWS if name.endswith("csv") else rows)
    change_meanwhile(monkeypatch, feed / name, change)
    with pytest.raises(UnfinishedSourceError, match="try again once it is copied whole"):
        read_source(feed)


def test_one_that_cannot_be_read_since_it_is_not_whole_is_left_for_later_too(
    feed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (feed / "manifest.csv").write_text("colour\nred\n")
    really_check = manifests.Columns.check

    def checked(*arguments: object) -> None:
        append(feed / "manifest.csv")
        really_check(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(manifests.Columns, "check", checked)
    with pytest.raises(UnfinishedSourceError):
        read_source(feed)


def test_what_rests_is_taken_however_young_it_is(feed: Path) -> None:
    (feed / "manifest.csv").write_bytes(_ROWS + b"es\n")
    assert [item.label for item in read_source(feed).items] == ["shoes", "shoes"]
    half = parquet({"sku": ["A"]})[:-9]
    (feed / "manifest.csv").unlink()
    (feed / "manifest.parquet").write_bytes(half)
    with pytest.raises(SourceError, match="no whole Parquet file") as refused:
        read_source(feed)
    assert not isinstance(refused.value, UnfinishedSourceError)


def test_a_command_says_to_try_again_and_then_takes_it_whole(
    feed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, taken = feed / "manifest.csv", []
    path.write_bytes(_ROWS)

    def read(_: object) -> int:
        taken.extend(item.label for item in read_source(feed).items)
        return 0

    with monkeypatch.context() as patch:
        change_meanwhile(patch, path, append)
        assert cli.run(read) == 75
    said = "error: manifest.csv changed while it was read: try again once it is copied whole\n"
    assert capsys.readouterr().err == said
    assert not taken
    assert cli.run(read) == 0
    assert taken == ["shoes", "shoes", "hat"]
