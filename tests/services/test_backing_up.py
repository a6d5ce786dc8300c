"""Backups: consistent while others write, checked, never overwriting, and restorable."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import update

from catalog_ai.config import PROJECT_ROOT, settings
from catalog_ai.errors import BusyError, DatabaseError, NewerSchemaError, UsageError
from catalog_ai.services import backing_up, backup_files, restoring
from catalog_ai.services.backing_up import Created, create_backup
from catalog_ai.services.backup_records import find_backup, list_backups
from catalog_ai.services.catalogue import Catalogue, open_catalogue, status
from catalog_ai.services.locking import only_one
from catalog_ai.services.photos import checksum_of, write_whole
from catalog_ai.services.restoring import restore_backup
from db.engine import write
from db.schema import Embedding, Product
from tests.helpers import DIMENSION, Seeded, fake_model

pytestmark = pytest.mark.sqlite("a server has its own backups")


@pytest.fixture(autouse=True)
def _a_second_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups are named by the second; tests make several in one."""
    number = iter(range(60))
    monkeypatch.setattr(backing_up, "name_of", lambda _: f"backup-20261124T0315{next(number):02d}Z")


def rows(file: Path, statement: str) -> list[tuple[Any, ...]]:
    connection = sqlite.connect(str(file))
    found: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
    connection.close()
    return found


def add_batches(catalogue: Catalogue, model_id: int, ended: threading.Event) -> None:
    """Write products and their vectors as an ingest does: five at a time, in one transaction."""
    now, batch = datetime.now(UTC), 0
    while not ended.is_set():
        with write(catalogue.engine, touches=("products",)) as session:
            products = [
                Product(
                    sku=f"NEW-{batch}-{number}",
                    label_given="hat",
                    label_current="hat",
                    image_path="a.jpg",
                    image_sha256="ab12",
                    stored_image="images/ab/ab12.jpg",
                    thumbnail="thumbnails/ab/ab12.jpg",
                    created_at=now,
                    updated_at=now,
                )
                for number in range(5)
            ]
            session.add_all(products)
            session.flush()
            session.add_all(
                Embedding(
                    product_id=product.id,
                    model_version_id=model_id,
                    image_sha256="ab12",
                    dimension=DIMENSION,
                    vector=bytes(4 * DIMENSION),
                )
                for product in products
            )
        batch += 1


def test_a_backup_made_during_an_ingest_is_consistent(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    ended = threading.Event()
    ingest = threading.Thread(target=add_batches, args=(catalogue, seeded.model_id, ended))
    ingest.start()
    made = [create_backup(catalogue.settings, folder=tmp_path / "to") for _ in range(5)]
    ended.set()
    ingest.join()
    counts = []
    for one in made:
        file = one.backup.file
        ((products,),) = rows(file, "SELECT count(*) FROM products")
        assert rows(file, "SELECT count(*) FROM embeddings") == [(products,)]
        assert rows(file, "PRAGMA foreign_key_check") == []
        assert (products - 24) % 5 == 0
        assert one.backup.tables["products"] == products
        counts.append(products)
    assert counts[0] < counts[-1]  # it did write meanwhile


def test_a_backup_says_what_it_holds(catalogue: Catalogue, seeded: Seeded) -> None:
    made = create_backup(catalogue.settings).backup
    assert made.file.parent == catalogue.settings.backups
    assert made.is_checked
    assert made.tables["products"] == 24
    assert made.tables["decisions"] == 1
    record = json.loads(made.file.with_suffix(".json").read_text())
    assert record["sha256"] == backing_up.sha256_of(made.file)
    assert record["schema"] == rows(made.file, "SELECT version_num FROM alembic_version")[0][0]
    assert record["program"]["version"]
    assert sorted(path.suffix for path in made.file.parent.iterdir()) == [".db", ".files", ".json"]


def test_the_newest_seven_stay_and_what_is_not_ours_stays_too(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    folder = catalogue.settings.backups
    folder.mkdir(exist_ok=True)
    others = [
        folder / name
        for name in (
            "catalog-0001-20200101T000000Z.db",
            "backup-20200101T000000Z.db",
            "backup-mine.db",
            "notes.txt",
        )
    ]
    for path in others:
        path.write_text("not made by a backup")
    elsewhere = open_catalogue(settings(home=tmp_path / "another"))
    neighbour = create_backup(elsewhere.settings, folder=folder)
    elsewhere.engine.dispose()
    made = [create_backup(catalogue.settings) for _ in range(9)]
    assert made[-1].removed == (made[1].backup.name,)
    kept = [one.backup.file for one in (*made[2:], neighbour)]
    assert sorted(folder.glob("*.db")) == sorted([*kept, *others[:3]])
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*.files"))) == 8
    assert create_backup(catalogue.settings, keep=2).removed == tuple(
        one.backup.name for one in reversed(made[2:8])
    )


def test_a_backup_does_not_overwrite_another(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backing_up, "name_of", lambda _: "backup-20261124T031500Z")
    first = create_backup(catalogue.settings).backup.file
    before = first.read_bytes()
    with pytest.raises(UsageError, match="exists already"):
        create_backup(catalogue.settings)
    assert first.read_bytes() == before
    assert len(list(first.parent.iterdir())) == 3


def test_a_second_backup_at_once_is_told_to_wait(catalogue: Catalogue) -> None:
    with (
        only_one(catalogue.settings.locks / "backup.lock", "busy"),
        pytest.raises(BusyError, match="another backup"),
    ):
        create_backup(catalogue.settings)


def test_a_backup_does_not_upgrade_the_schema(catalogue: Catalogue) -> None:
    with write(catalogue.engine) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    made = create_backup(catalogue.settings).backup
    assert made.record["schema"] == "0001"
    assert rows(made.file, "SELECT version_num FROM alembic_version") == [("0001",)]


def test_photos_are_listed_and_kept_once_for_all_backups(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    home = catalogue.settings.home
    fake_model(catalogue.settings.models, seeded.version)
    (catalogue.settings.models / seeded.version / "model-1.onnx").write_bytes(b"rebuilt")
    listed = create_backup(catalogue.settings)
    assert listed.handed is None
    assert not (home / "backups" / "files").exists()
    assert listed.listed.files == 24 + 3
    made = create_backup(catalogue.settings, photos=True)
    assert made.handed is not None
    assert (made.handed.linked, made.handed.copied, made.handed.there) == (27, 0, 0)
    again = create_backup(catalogue.settings, photos=True).handed
    assert again is not None
    assert (again.linked, again.there) == (0, 27)
    photo = next(home.glob("images/*/*.jpg"))
    assert (home / "backups" / "files" / photo.relative_to(home)).samefile(photo)


def named_by_its_bytes(catalogue: Catalogue) -> Path:
    """Give a stored photo the name that it has today, and return it."""
    old = next(catalogue.settings.home.glob("images/*/*.jpg"))
    data = old.read_bytes()
    photo = old.with_name(f"{sha256(data).hexdigest()}-{checksum_of(data)}.jpg")
    old.rename(photo)
    names = [path.relative_to(catalogue.settings.home).as_posix() for path in (old, photo)]
    with write(catalogue.engine, touches=("products",)) as session:
        change = update(Product).where(Product.stored_image == names[0])
        session.execute(change.values(stored_image=names[1]))
    return photo


def test_a_photo_that_was_stored_anew_takes_the_place_of_the_damaged_one(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """Damage reaches the backup by the hard link; what is stored anew has another file's number."""
    home, photo = catalogue.settings.home, named_by_its_bytes(catalogue)
    create_backup(catalogue.settings, photos=True)
    kept, whole = home / "backups" / "files" / photo.relative_to(home), photo.read_bytes()
    photo.write_bytes(whole[:-1] + b"?")
    assert kept.read_bytes() != whole
    photo.unlink()
    write_whole(photo, whole)
    handed = create_backup(catalogue.settings, photos=True).handed
    assert handed is not None
    assert (handed.linked, handed.there) == (1, 23)
    assert kept.read_bytes() == whole


def test_a_damaged_photo_never_takes_the_place_of_a_whole_one(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    home, photo = catalogue.settings.home, named_by_its_bytes(catalogue)
    create_backup(catalogue.settings, photos=True)
    kept, whole = home / "backups" / "files" / photo.relative_to(home), photo.read_bytes()
    photo.unlink()
    write_whole(photo, whole[:-1] + b"?")  # as a bad copy of the whole home would be: newer
    handed = create_backup(catalogue.settings, photos=True).handed
    assert handed is not None
    assert (handed.linked, handed.there) == (0, 24)
    assert kept.read_bytes() == whole


def test_photos_are_copied_where_links_cannot_be_made(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", other_disk)
    made = create_backup(catalogue.settings, photos=True)
    assert made.handed is not None
    assert (made.handed.linked, made.handed.copied) == (0, 24)
    assert made.backup.is_checked
    home = catalogue.settings.home
    photo = next(home.glob("images/*/*.jpg")).relative_to(home)
    assert (home / "backups/files" / photo).read_bytes() == (home / photo).read_bytes()
    assert not list((home / "backups").rglob(".*"))


def test_missing_photos_are_counted(catalogue: Catalogue, seeded: Seeded) -> None:
    next(catalogue.settings.images.glob("*/*.jpg")).unlink()
    made = create_backup(catalogue.settings)
    assert made.listed.files == 23
    assert made.listed.missing.count == 1 + 1  # and the model, which was never written
    assert f"models/{seeded.version}" in made.listed.missing.examples


def fails_while_copying(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(backing_up, "hand_over", full)


def fails_at_the_record(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = backup_files.place_new

    def full(building: Path, target: Path) -> None:
        if target.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")
        place(building, target)

    monkeypatch.setattr(backing_up, "place_new", full)


@pytest.mark.parametrize("fail", [fails_while_copying, fails_at_the_record])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    fail: Callable[[Path, pytest.MonkeyPatch], None],
    catalogue: Catalogue,
    seeded: Seeded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = catalogue.settings.backups
    fail(folder, monkeypatch)
    with pytest.raises(DatabaseError, match=r"^the disk of .* is full: .*--to$"):
        create_backup(catalogue.settings, photos=True)
    assert [path.name for path in folder.iterdir() if path.name != "files"] == []
    assert not list(folder.rglob(".*"))  # the photos that fitted are whole, and shared


def test_a_copy_that_does_not_fit_is_removed(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path
) -> None:
    """The kernel refuses any file beyond 64 KiB, as a full disk would, in the middle of SQLite."""
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "from catalog_ai import backup, cli\n"
        f"sys.exit(cli.run(backup.main, ['create', '--to', {str(tmp_path / 'to')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT_ROOT,
        env=os.environ | {"CATALOG_HOME": str(catalogue.settings.home)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 74, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert list((tmp_path / "to").iterdir()) == []


def test_a_damaged_database_gives_no_backup(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sqlite.connect(str(catalogue.settings.home / "catalog.db"), isolation_level=None)
    connection.execute("INSERT INTO product_photos VALUES (99, 1, '', '', '', '')")
    connection.close()
    with pytest.raises(DatabaseError, match="damaged: row 1 of product_photos has no products"):
        create_backup(catalogue.settings)
    assert list(catalogue.settings.backups.iterdir()) == []


@pytest.fixture
def made(catalogue: Catalogue, seeded: Seeded) -> Created:
    """A backup with its photos and its model."""
    fake_model(catalogue.settings.models, seeded.version)
    return create_backup(catalogue.settings, photos=True)


def test_what_was_backed_up_comes_back_whole(
    catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    home = tmp_path / "new"
    restored = restore_backup(catalogue.settings, "latest", to=home)
    assert restored.database == home / "catalog.db"
    assert restored.tables == made.backup.tables
    assert restored.handed is not None
    assert restored.handed.missing.count == 0
    for top in ("images", "models"):
        there = {path.relative_to(home) for path in (home / top).rglob("*") if path.is_file()}
        old = catalogue.settings.home
        assert there == {p.relative_to(old) for p in (old / top).rglob("*") if p.is_file()}
    opened = open_catalogue(settings(home=home))
    assert status(opened) == status(catalogue)
    opened.engine.dispose()


def test_a_flipped_byte_is_noticed(catalogue: Catalogue, made: Created, tmp_path: Path) -> None:
    data = bytearray(made.backup.file.read_bytes())
    data[len(data) // 2] ^= 1
    made.backup.file.write_bytes(data)
    with pytest.raises(DatabaseError, match="not what was written"):
        restore_backup(catalogue.settings, made.backup.name, to=tmp_path / "new")
    assert list((tmp_path / "new").rglob("*")) == []


def test_a_disk_that_writes_something_else_is_noticed(
    catalogue: Catalogue, made: Created, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worn(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(restoring, "copy_whole", worn)
    with pytest.raises(DatabaseError, match="not what was written"):
        restore_backup(catalogue.settings, "latest", to=tmp_path / "new")
    assert list((tmp_path / "new").rglob("*")) == []


def test_a_catalogue_that_exists_is_not_overwritten(
    catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    catalogue.engine.dispose()
    home = catalogue.settings.home
    with pytest.raises(UsageError, match=r"move catalog\.db.* away first"):
        restore_backup(catalogue.settings, "latest")
    shutil.move(home / "catalog.db", tmp_path / "away.db")
    (home / "catalog.db-wal").write_bytes(b"the journal of another database")
    with pytest.raises(UsageError, match=r"move catalog\.db-wal"):
        restore_backup(catalogue.settings, "latest")
    for journal in home.glob("catalog.db-*"):
        journal.unlink()
    restored = restore_backup(catalogue.settings, "latest")
    assert restored.database == home / "catalog.db"
    assert restored.handed is not None
    assert restored.handed.there == 27  # the photos had stayed
    assert not list(home.glob(".*"))


@pytest.mark.parametrize("name", ["something", ".hidden"])
def test_a_folder_that_is_not_empty_is_refused(
    name: str, catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / name).write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        restore_backup(catalogue.settings, "latest", to=tmp_path / "full")
    assert [path.name for path in (tmp_path / "full").iterdir()] == [name]


def test_a_backup_of_a_later_version_is_refused(
    catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    later = made.backup.file.with_name("catalog-0099-20261124T000000Z.db")
    shutil.copy(made.backup.file, later)
    rows_changed = sqlite.connect(str(later), isolation_level=None)
    rows_changed.execute("UPDATE alembic_version SET version_num = '0099'")
    rows_changed.close()
    with pytest.raises(NewerSchemaError, match=r"'0099'.*update this program"):
        restore_backup(catalogue.settings, later.name, to=tmp_path / "new")
    assert list((tmp_path / "new").rglob("*")) == []


def test_a_copy_made_before_an_upgrade_can_be_restored(
    catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    earlier = made.backup.file.with_name("catalog-0001-20261124T000000Z.db")
    shutil.copy(made.backup.file, earlier)
    restored = restore_backup(catalogue.settings, earlier.stem, to=tmp_path / "new")
    assert restored.handed is None
    assert restored.tables == made.backup.tables
    assert find_backup(earlier.parent, "latest").name == made.backup.name


def test_missing_and_foreign_files_are_told_apart(
    catalogue: Catalogue, made: Created, tmp_path: Path
) -> None:
    kept = made.backup.file.parent / "files"
    (tmp_path / "secret").write_text("x" * 6)
    gone = next(kept.glob("images/*/*.jpg"))
    gone.unlink()
    with made.backup.files_list.open("a") as file:
        file.write("6\t../../../secret\n6\t/etc/hostname\n6\timages/../../secret\nnonsense\n")
    restored = restore_backup(catalogue.settings, "latest", to=tmp_path / "a" / "b" / "new")
    assert restored.handed is not None
    assert restored.handed.missing.examples == [gone.relative_to(kept).as_posix()]
    assert restored.handed.linked == 26


def test_a_name_that_is_none_lists_those_that_are(catalogue: Catalogue, made: Created) -> None:
    with pytest.raises(UsageError, match=made.backup.name):
        restore_backup(catalogue.settings, "backup-19990101T000000Z")
    with pytest.raises(UsageError, match=r"there are none.*--from"):
        restore_backup(catalogue.settings, "latest", source=catalogue.settings.images)


def test_the_list_has_the_newest_first_and_tells_whether_it_was_checked(
    catalogue: Catalogue,
) -> None:
    made = [create_backup(catalogue.settings).backup for _ in range(3)]
    made[1].file.write_bytes(made[1].file.read_bytes() + b"more")
    made[0].file.with_suffix(".json").write_text("{half a record")
    listed = list_backups(catalogue.settings.backups)
    assert [one.name for one in listed] == [one.name for one in reversed(made)]
    assert [one.is_checked for one in listed] == [True, False, False]
    assert listed[0].as_dict()["tables"]["products"] == 0


@pytest.mark.parametrize(
    ("work", "command"), [(create_backup, "pg_dump"), (restore_backup, "pg_restore")]
)
def test_a_server_has_its_own_backups(
    work: Callable[..., object], command: str, tmp_path: Path
) -> None:
    server = settings(home=tmp_path, database_url="postgresql+psycopg://ana:secret@db/catalog")
    with pytest.raises(UsageError, match=f"{command} .*postgresql://ana@db/catalog") as caught:
        work(server, *(["latest"] if work is restore_backup else []))
    assert "secret" not in str(caught.value)


def test_no_catalogue_no_backup(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        create_backup(settings(home=tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_blobs_survive(catalogue: Catalogue, seeded: Seeded) -> None:
    file = create_backup(catalogue.settings).backup.file
    statement = "SELECT vector FROM embeddings ORDER BY product_id"
    assert rows(file, statement) == rows(catalogue.settings.home / "catalog.db", statement)
    assert len(rows(file, statement)[0][0]) == 4 * DIMENSION
