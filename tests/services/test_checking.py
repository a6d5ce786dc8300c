"""The doctor's checks: silent where all is well, and each planted fault is found, alone."""

import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import text

from catalog_ai.config import Settings, settings
from catalog_ai.errors import DatabaseError, PhotoError
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.checking import (
    NOTE,
    OF_THE_DATABASE,
    OK,
    PROBLEM,
    Finding,
    check,
    open_as_found,
)
from catalog_ai.services.checks import database, files, outputs
from catalog_ai.services.locking import one_at_a_time, only_one
from db import engine as db_engine
from db.errors import StorageError
from db.vectors import to_blob
from tests.helpers import DIMENSION, photo_bytes, seed_catalogue

VERSION = "2026-11-20-small"
LONG_AGO = time.time() - 2 * 3600
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A healthy catalogue with a loadable model, closed."""
    home = tmp_path_factory.mktemp("template") / "home"
    catalogue = open_catalogue(settings(home=home))
    seed_catalogue(catalogue, weights=True)
    catalogue.engine.dispose()
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the healthy catalogue on a disk with room."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    return Path(shutil.copytree(template, tmp_path / "home"))


def chosen(home: Path) -> Settings:
    return settings(home=home)


def found(home: Path, *, deep: bool = False) -> dict[str, Finding]:
    return {one.name: one for one in check(open_as_found(chosen(home)), deep=deep)}


def unwell(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: one.state for name, one in findings.items() if one.state != OK}


def sql(home: Path, *statements: str, **values: Any) -> None:
    """Change the database as a stranger could: no triggers' owner, no foreign keys."""
    connection = sqlite.connect(str(home / "catalog.db"), isolation_level=None)
    for statement in statements:
        connection.execute(statement, values)
    connection.close()


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def age(path: Path) -> Path:
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def planted_file(name: str) -> Callable[[Path], None]:
    def plant(home: Path) -> None:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"anything")
        age(path)

    return plant


def vector(values: np.ndarray[Any, Any]) -> Callable[[Path], None]:
    def plant(home: Path) -> None:
        blob = values.astype("<f4").tobytes()
        sql(home, "UPDATE embeddings SET vector = :blob WHERE product_id = 3", blob=blob)

    return plant


def changed(*statements: str) -> Callable[[Path], None]:
    return lambda home: sql(home, *statements)


def without_a_stored_copy(home: Path) -> None:
    first(home, "images/*/*.jpg").unlink()


def without_a_thumbnail(home: Path) -> None:
    first(home, "thumbnails/*/*.jpg").unlink()


def without_the_model(home: Path) -> None:
    shutil.rmtree(home / "models" / VERSION)


def with_half_a_model(home: Path) -> None:
    weights = home / "models" / VERSION / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def with_a_silent_worker(home: Path) -> None:
    sql(
        home,
        "INSERT INTO workers (host, pid, started_at, heartbeat_at) "
        "VALUES ('here', 1, '2026-11-23 08:00:00', '2026-11-23 08:00:00')",
    )


def with_further_photo(home: Path) -> None:
    sql(
        home,
        "INSERT INTO product_photos VALUES (2, 1, 'b.jpg', 'ffab', 'images/ff/ffab.jpg', "
        "'thumbnails/ff/ffab.jpg')",
    )


def damaged(home: Path) -> None:
    """Overwrite the middle of the (closed) file: what is there are pages of tables."""
    with (home / "catalog.db").open("r+b") as file:
        file.seek((home / "catalog.db").stat().st_size // 2)
        file.write(b"\xff" * 8192)


def job(state: str) -> str:
    return (
        "INSERT INTO jobs (kind, parameters, state, progress, message, result, requested_by, "
        f"created_at) VALUES ('assess', '{{}}', '{state}', 0, '', '{{}}', '', "
        "'2026-11-23 08:00:00')"
    )


FAULTS: dict[str, tuple[Callable[[Path], None], dict[str, str], str]] = {
    "a stored copy is missing": (without_a_stored_copy, {"stored photos": PROBLEM}, "1 of 24"),
    "a thumbnail is missing": (without_a_thumbnail, {"thumbnails": NOTE}, "1 of 24"),
    "a further photo is missing": (
        with_further_photo,
        {"stored photos": PROBLEM, "thumbnails": NOTE},
        "1 of 25",
    ),
    "a photo of no product": (
        planted_file("images/ab/ab12.jpg"),
        {"other photos": NOTE},
        "1 of 25 files in images/ belong to no product",
    ),
    "a photo beside the folders": (
        planted_file("images/loose.jpg"),
        {"other photos": NOTE},
        "1 of 25 files",
    ),
    "a half-written photo": (
        planted_file("images/ab/.tmp12"),
        {"half-written files": NOTE},
        "1 files were left half-written",
    ),
    "a half-written model": (
        planted_file("models/.tonight-x/meta.json"),
        {},
        "",
    ),
    "vectors of another dimension": (
        changed("UPDATE embeddings SET dimension = 32 WHERE product_id < 4"),
        {"vector sizes": PROBLEM},
        "3 of 24",
    ),
    "a vector that is too short": (
        changed("UPDATE embeddings SET vector = substr(vector, 1, 100) WHERE product_id = 2"),
        {"vector sizes": PROBLEM},
        "1 of 24",
    ),
    "a vector that is not finite": (
        vector(np.full(DIMENSION, np.nan)),
        {"vector numbers": PROBLEM},
        "1 of 24 vectors looked at",
    ),
    "a vector of another length": (
        vector(np.full(DIMENSION, 0.2)),
        {"vector numbers": PROBLEM},
        "1 of 24 vectors looked at",
    ),
    "predictions of other categories": (
        changed("UPDATE predictions SET probabilities = zeroblob(8) WHERE product_id IN (1, 2)"),
        {"predictions": PROBLEM},
        "2 of 24",
    ),
    "a model without its folder": (without_the_model, {"model files": PROBLEM}, "1 of 1"),
    "a damaged model": (with_half_a_model, {"model files": PROBLEM}, "1 of 1"),
    "a model that the database describes otherwise": (
        changed("UPDATE model_versions SET dimension = 32"),
        {"model files": PROBLEM, "vector sizes": PROBLEM},
        "24 of 24",
    ),
    "no active model": (
        changed("UPDATE model_versions SET is_active = 0"),
        {"active model": PROBLEM},
        "0 models are active",
    ),
    "a run that nobody works at": (
        changed("UPDATE runs SET state = 'running'"),
        {"runs": PROBLEM},
        "1 runs are marked running",
    ),
    "a job whose worker is gone": (changed(job("running")), {"jobs": PROBLEM}, "worker is gone"),
    "a lost job": (changed(job("lost")), {"jobs": NOTE}, "1 jobs were lost"),
    "a job that waits for nobody": (changed(job("queued")), {"jobs": NOTE}, "no worker"),
    "a worker that fell silent": (with_a_silent_worker, {"jobs": NOTE}, "without signing off"),
    "a row without what it refers to": (
        changed("UPDATE products SET added_run_id = 99 WHERE id = 1"),
        {"references": PROBLEM},
        "1 rows refer",
    ),
    "the rollback journal": (
        changed("PRAGMA journal_mode = delete"),
        {"journal": NOTE},
        "rollback journal",
    ),
    "an older schema": (
        changed("DROP TABLE product_photos", "UPDATE alembic_version SET version_num = '0001'"),
        {"schema": NOTE},
        "revision 0001",
    ),
}


def test_a_healthy_catalogue_has_nothing_to_report(home: Path) -> None:
    assert unwell(found(home)) == {}
    assert unwell(found(home, deep=True)) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_and_nothing_else(fault: str, home: Path) -> None:
    plant, expected, words = FAULTS[fault]
    plant(home)
    findings = found(home)
    assert unwell(findings) == expected
    assert not expected or any(words in findings[name].sentence for name in expected)
    assert all(findings[name].advice for name in expected)


def test_examples_name_what_is_wrong(home: Path) -> None:
    gone = first(home, "images/*/*.jpg")
    gone.unlink()
    assert found(home)["stored photos"].examples == (gone.relative_to(home).as_posix(),)
    sql(home, "UPDATE embeddings SET dimension = 32")
    examples = found(home)["vector sizes"].examples
    assert examples[0] == f"product 1 under {VERSION}"
    assert len(examples) == 5


def test_photos_of_a_run_at_work_are_no_left_overs(home: Path) -> None:
    for name in ("images/ab/ab12.jpg", "images/ab/.tmp12"):
        planted_file(name)(home)
        os.utime(home / name)
    assert unwell(found(home)) == {}


@pytest.mark.parametrize("checksum", ["", "-0123456789abcdef"])
def test_a_photo_that_somebody_decided_upon_is_no_left_over(home: Path, checksum: str) -> None:
    """The product got another photo since; the decision still names the one that was seen."""
    seen = "ab" * 32
    planted_file(f"images/ab/{seen}{checksum}.jpg")(home)
    sql(
        home,
        "INSERT INTO decisions (product_id, action, state_before, state_after, image_sha256, "
        "reviewer, note, request_key, decided_at) VALUES (1, 'keep', 'open', 'kept', :seen, "
        "'Ana', '', 'key', '2026-11-23 08:00:00')",
        seen=seen,
    )
    assert unwell(found(home)) == {}


def test_a_run_at_work_is_left_in_peace(home: Path) -> None:
    sql(home, "UPDATE runs SET state = 'running'")
    lock = home / "locks" / "ingest.lock"
    with only_one(lock, "busy"):
        assert found(home)["runs"] == Finding("runs", OK, "run 1 is at work")
    assert found(home)["runs"].state == PROBLEM
    with only_one(lock, "the doctor kept the lock"):
        pass


def test_a_lost_job_that_was_asked_for_again_is_forgotten(home: Path) -> None:
    sql(home, job("lost"), job("done"))
    assert unwell(found(home)) == {}


def test_a_damaged_database_is_reported_and_the_rest_goes_on(home: Path) -> None:
    damaged(home)
    findings = found(home)
    assert findings["integrity"].state == PROBLEM
    assert findings["schema"].state == findings["disk"].state == OK


def test_a_later_schema_stops_at_the_database(home: Path) -> None:
    sql(home, "UPDATE alembic_version SET version_num = '0099'")
    findings = found(home)
    assert unwell(findings) == {"schema": PROBLEM}
    assert "later version" in findings["schema"].sentence
    assert set(findings) == set(OF_THE_DATABASE)


def test_an_empty_database_says_what_to_do(tmp_path: Path) -> None:
    sql(tmp_path, "VACUUM")
    findings = found(tmp_path)
    assert findings["schema"].state == PROBLEM
    assert "backup restore latest" in findings["schema"].advice


def test_no_database_at_all_is_an_error_and_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database at"):
        open_as_found(chosen(tmp_path / "nowhere"))
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_no_database_is_an_error(home: Path) -> None:
    (home / "catalog.db").write_text("not a database " * 1000)
    with pytest.raises(DatabaseError, match="not a catalogue"):
        found(home)


def test_wal_with_an_sqlite_that_cannot_do_it_is_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_engine, "wal_is_safe", lambda: False)
    assert unwell(found(home)) == {"journal": PROBLEM}
    sql(home, "PRAGMA journal_mode = delete")
    assert unwell(found(home)) == {"journal": NOTE}


def test_connections_that_do_not_keep_references_are_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = OFF")

    monkeypatch.setattr(db_engine, "_prepare", careless)
    findings = found(home)
    assert unwell(findings) == {"connections": PROBLEM}
    assert "foreign_keys = 0" in findings["connections"].sentence


@pytest.mark.parametrize(("free", "state"), [(10**9, OK), (10**9 - 1, PROBLEM)])
def test_a_disk_with_less_than_a_gigabyte_is_a_problem(
    free: int, state: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    assert found(home)["disk"].state == state


def test_a_disk_that_would_not_hold_the_database_twice_is_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "GIGABYTE", 1)
    size = (home / "catalog.db").stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 2 * size - 1))
    assert found(home)["disk"].state == PROBLEM


def test_half_a_photo_is_found_by_looking_closely(home: Path) -> None:
    photo = first(home, "images/*/*.jpg")
    photo.write_bytes(photo.read_bytes()[:-200])
    assert unwell(found(home)) == {}
    findings = found(home, deep=True)
    assert unwell(findings) == {"photos decode": PROBLEM}
    assert findings["photos decode"].examples[0].startswith(photo.relative_to(home).as_posix())


def test_the_same_photo_twice_is_found_by_looking_closely(home: Path) -> None:
    photos = sorted((home / "images").glob("*/*.jpg"))
    photos[1].write_bytes(photos[0].read_bytes())
    assert unwell(found(home, deep=True)) == {"photos decode": NOTE}


def test_a_sample_reaches_over_all_vectors_and_deep_looks_at_each(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "SAMPLE", 8)
    monkeypatch.setattr(outputs, "_BLOCK", 2)
    assert "8 of 24 vectors" in found(home)["vector numbers"].sentence
    assert "24 vectors looked at" in found(home, deep=True)["vector numbers"].sentence
    blob = to_blob(np.full(DIMENSION, 2, np.float32))
    sql(home, "UPDATE embeddings SET vector = :blob WHERE product_id IN (1, 19, 24)", blob=blob)
    assert found(home)["vector numbers"].examples[0] == f"product 1 under {VERSION}"
    assert "2 of 8" in found(home)["vector numbers"].sentence
    assert "3 of 24" in found(home, deep=True)["vector numbers"].sentence


def test_a_check_that_cannot_be_made_is_a_finding(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(home, "DROP TABLE jobs")
    findings = found(home)
    assert unwell(findings) == {"jobs": PROBLEM}
    assert findings["jobs"].sentence == "this could not be checked"


def test_nothing_is_changed(home: Path) -> None:
    def contents() -> dict[str, bytes]:
        journals = ("-wal", "-shm")  # SQLite's own, empty once nobody has the database open
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file() and not path.name.endswith(journals)
        }

    sql(home, "UPDATE runs SET state = 'running'", job("running"), job("queued"))
    before = contents()
    found(home, deep=True)
    assert contents() == before


def on_either(catalogue: Catalogue, *, deep: bool = False) -> dict[str, Finding]:
    opened = open_as_found(catalogue.settings)
    findings = {one.name: one for one in check(opened, deep=deep)}
    opened.engine.dispose()
    return findings


def test_what_is_opened_to_look_at_cannot_be_written(catalogue: Catalogue) -> None:
    opened = open_as_found(catalogue.settings)
    with (
        pytest.raises(StorageError, match="may not be written"),
        db_engine.write(opened.engine) as it,
    ):
        it.execute(text("UPDATE revisions SET value = 99"))
    opened.engine.dispose()


def test_a_server_is_checked_as_a_file_is(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    seed_catalogue(catalogue, weights=True)
    assert unwell(on_either(catalogue)) == {}
    assert unwell(on_either(catalogue, deep=True)) == {}
    assert {one.state for one in check(catalogue)} == {OK}
    with db_engine.write(catalogue.engine) as session:
        for statement in (
            "UPDATE embeddings SET dimension = 32 WHERE product_id = 3",
            "UPDATE runs SET state = 'running'",
            "UPDATE products SET stored_image = 'images/aa/none.jpg' WHERE id = 1",
        ):
            session.execute(text(statement))
    expected = {"vector sizes": PROBLEM, "runs": PROBLEM, "stored photos": PROBLEM}
    assert unwell(on_either(catalogue)) == expected
    with one_at_a_time(catalogue, "ingest", "busy"):
        assert on_either(catalogue)["runs"] == Finding("runs", OK, "run 1 is at work")
    with one_at_a_time(catalogue, "ingest", "the doctor kept the lock"):
        pass


def test_a_stored_photo_is_named_by_its_product(home: Path) -> None:
    """A photo whose row is gone is left over: the comparison is with rows, not with names."""
    photo = home / "images" / "ab" / "ab34.jpg"
    photo.parent.mkdir(exist_ok=True)
    photo.write_bytes(photo_bytes("#123456"))
    age(photo)
    sql(
        home,
        "INSERT INTO product_photos VALUES (2, 1, 'b.jpg', 'ab34', 'images/ab/ab34.jpg', "
        "'images/ab/ab34.jpg')",
    )
    assert unwell(found(home)) == {}
    sql(home, "DELETE FROM product_photos")
    assert unwell(found(home)) == {"other photos": NOTE}


def test_what_cannot_be_read_is_not_taken_for_damaged(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network disk that hiccups must not have healthy photos deleted."""

    def refuse(path: Path) -> bytes:
        raise PhotoError("unreadable", "Input/output error")

    monkeypatch.setattr(files, "read_photo", refuse)
    said = found(home, deep=True)["photos decode"]
    assert said.state == PROBLEM and not said.files
    assert "could not be read" in said.sentence and "delete nothing" in said.advice
