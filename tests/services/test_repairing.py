"""Damaged copies of photos are moved aside, and whole ones take their place; nothing is deleted."""

from pathlib import Path

import pytest

from catalog_ai.errors import BusyError, PhotoError, UsageError
from catalog_ai.services.backing_up import create_backup
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checks import files as module
from catalog_ai.services.ingest import ingest
from catalog_ai.services.locking import one_at_a_time
from catalog_ai.services.repairing import Repaired, repair
from tests.services.test_lost_photos import (
    assert_nothing_to_do,
    cut_short,
    deliver,
    files,
    flip_a_bit,
    give_old_names,
    problems,
    stored,
)

ON_DISK = pytest.mark.sqlite("backups of the program's own are SQLite's")


@pytest.fixture
def folder(shop: Catalogue, tmp_path: Path) -> Path:
    """A delivery that is in the catalogue."""
    made = deliver(tmp_path / "in")
    ingest(shop, made)
    return made


def names(shop: Catalogue, *paths: Path) -> list[str]:
    return [path.relative_to(shop.settings.home).as_posix() for path in paths]


def aside(shop: Catalogue) -> list[bytes]:
    """Return what was moved aside."""
    found = sorted(path for path in shop.settings.damaged.rglob("*") if path.is_file())
    return [path.read_bytes() for path in found]


def unreadable(path: Path) -> bytes:
    raise PhotoError("unreadable", "the disk says no")


def counts(found: Repaired) -> tuple[int, int, int]:
    return found.moved, found.restored, found.waiting.count


def test_a_damaged_copy_is_moved_aside_and_comes_back_with_its_delivery(
    shop: Catalogue, folder: Path
) -> None:
    whole, path = files(shop), stored(shop)["a-2.jpg"]
    for times in (1, 2):
        damaged = cut_short(whole[path])
        path.write_bytes(damaged)
        found = repair(shop, problems(shop)["photos decode"].files)
        assert (counts(found), found.waiting.examples) == ((1, 0, 1), names(shop, path))
        assert aside(shop) == [damaged] * times
        report = ingest(shop, folder)
        assert (report.unchanged, report.computed) == (2, 0)
        assert files(shop) == whole
    assert problems(shop) == {}
    assert_nothing_to_do(shop, folder)


@ON_DISK
def test_what_a_backup_has_comes_back_from_it(
    shop: Catalogue, folder: Path, tmp_path: Path
) -> None:
    whole, copies = files(shop), stored(shop)
    create_backup(shop.settings, folder=tmp_path / "backups", photos=True)
    for path in whole:  # on one disk a backup's are the same files
        path.unlink()
        path.write_bytes(whole[path])
    copies["a.jpg"].write_bytes(flip_a_bit(whole[copies["a.jpg"]]))
    copies["a-2.jpg"].unlink()
    copies["b.jpg"].write_bytes(b"")
    kept = tmp_path / "backups" / "files" / names(shop, copies["b.jpg"])[0]
    kept.write_bytes(cut_short(kept.read_bytes()))
    damaged = problems(shop)["photos decode"].files
    found = repair(shop, damaged, source=tmp_path / "backups")
    assert counts(found) == (2, 2, 1)  # the empty one is damaged too
    assert found.waiting.examples == names(shop, copies["b.jpg"])
    del whole[copies["b.jpg"]]
    assert files(shop) == whole


def test_what_is_whole_or_cannot_be_read_stays(
    shop: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = files(shop)
    assert counts(repair(shop, names(shop, *whole))) == (0, 0, 0)
    assert (files(shop), aside(shop)) == (whole, [])
    path = stored(shop)["a.jpg"]
    path.write_bytes(cut_short(whole[path]))
    with monkeypatch.context() as patched:
        patched.setattr(module, "read_photo", unreadable)
        assert counts(repair(shop, names(shop, path))) == (0, 0, 0)
    assert path.exists()


def test_copies_that_an_earlier_version_named_are_repaired_too(
    shop: Catalogue, folder: Path
) -> None:
    give_old_names(shop)
    path = stored(shop)["b.jpg"]
    path.write_bytes(cut_short(path.read_bytes()))
    assert counts(repair(shop, problems(shop)["photos decode"].files)) == (1, 0, 1)
    ingest(shop, folder)
    assert problems(shop) == {}


def test_it_waits_for_an_ingest_and_says_where_no_backup_is(
    shop: Catalogue, tmp_path: Path
) -> None:
    with one_at_a_time(shop, "ingest", "busy"), pytest.raises(BusyError, match="is running"):
        repair(shop, [])
    with pytest.raises(UsageError, match="made with --photos"):
        repair(shop, [], source=tmp_path)


@ON_DISK
def test_a_backup_keeps_its_whole_copy_from_a_damaged_one(
    shop: Catalogue, folder: Path, tmp_path: Path
) -> None:
    backups, path = tmp_path / "backups", stored(shop)["a.jpg"]
    whole = path.read_bytes()
    create_backup(shop.settings, folder=backups, photos=True)
    kept = backups / "files" / names(shop, path)[0]
    for data in (cut_short(whole), flip_a_bit(whole), b""):
        path.unlink()
        path.write_bytes(data)
        _one_more_backup(shop, backups)
        assert kept.read_bytes() == whole
    assert counts(repair(shop, [], source=backups)) == (0, 1, 0)
    assert path.read_bytes() == whole


def _one_more_backup(shop: Catalogue, folder: Path) -> None:
    """Make a backup, whatever others were made within the same second."""
    for old in folder.glob("backup-*"):
        old.unlink()
    create_backup(shop.settings, folder=folder, photos=True)
