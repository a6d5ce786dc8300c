"""Each way between the two databases: the parameter is where a catalogue comes from."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from catalog_ai import cli, migrate_database
from catalog_ai.errors import DatabaseError, NewerSchemaError, UsageError
from catalog_ai.services import moving, review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.moving import address
from db import copying
from db.engine import create, read, write
from db.schema import Base, Decision, Embedding, LabelScore, Product
from tests.helpers import Seeded
from tests.servers import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def target(
    request: pytest.FixtureRequest, tmp_path: Path, postgresql: Server
) -> Iterator[Callable[[], str]]:
    """A function that makes an empty database and returns its address."""
    if request.param == "sqlite":
        yield lambda: f"sqlite:///{tmp_path}/copy/catalog.db"
        return
    made: list[str] = []
    yield lambda: made.append(postgresql.new_database()) or made[-1]
    for url in made:
        postgresql.give_back(url)


def move(catalogue: Catalogue, to: str) -> moving.Moved:
    settings = catalogue.settings
    return moving.migrate_database(settings, settings.database_url, to)


def test_everything_is_there_and_the_same(
    catalogue: Catalogue, seeded: Seeded, target: Callable[[], str]
) -> None:
    with write(catalogue.engine) as session:
        session.get_one(Product, 1).attributes = {"ü": [1.1, None, {"b": True, "a": "”"}], "a": 1}
        session.get_one(LabelScore, (1, 1)).score = 0.1 + 0.2
    url = target()
    moved = move(catalogue, url)
    assert {table.name for table in moved.tables} == set(Base.metadata.tables)
    copy = create(url)
    with read(catalogue.engine) as ours, read(copy) as theirs:
        filled = {table.name: table.rows for table in moved.tables if table.rows}
        assert filled == copying.occupied(ours)
        for table in Base.metadata.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            assert theirs.execute(query).all() == ours.execute(query).all(), table.name
        vectors = select(Embedding.vector).order_by(Embedding.product_id)
        assert theirs.scalars(vectors).all() == ours.scalars(vectors).all()
    copy.dispose()


def test_the_copy_is_a_catalogue_that_goes_on(
    catalogue: Catalogue, seeded: Seeded, target: Callable[[], str]
) -> None:
    """Ids go on after the last, decisions stay append-only, queues are the same."""
    url = target()
    move(catalogue, url)
    copy = Catalogue(catalogue.settings, create(url))
    assert review.review_queue(copy).items == review.review_queue(catalogue).items
    with write(copy.engine) as session:
        old = session.get_one(Product, 1)
        columns = {c.name: getattr(old, c.name) for c in Product.__table__.columns}
        new = Product(**columns | {"id": None, "sku": "new"})
        session.add(new)
        session.flush()
        assert new.id == len(seeded.product_ids) + 1
    with pytest.raises(Exception, match="append-only"), write(copy.engine) as session:
        session.execute(text("DELETE FROM decisions"))
    copy.engine.dispose()


def test_there_and_back_again_is_the_same(
    catalogue: Catalogue, seeded: Seeded, target: Callable[[], str], tmp_path: Path
) -> None:
    url = target()
    there = move(catalogue, url)
    back = moving.migrate_database(catalogue.settings, url, f"{tmp_path}/back.db")
    assert back == there


def test_a_target_that_holds_rows_is_refused_and_stays(
    catalogue: Catalogue, seeded: Seeded, target: Callable[[], str]
) -> None:
    url = target()
    move(catalogue, url)
    with pytest.raises(UsageError, match=r"holds rows already \(.*24 in products"):
        move(catalogue, url)
    with pytest.raises(UsageError, match="holds rows already"):
        move(catalogue, catalogue.settings.database_url)
    copy = create(url)
    with read(copy) as session:
        assert session.scalar(select(func.count()).select_from(Decision)) == 1
    copy.dispose()


def test_a_copy_that_differs_is_not_kept(
    catalogue: Catalogue,
    seeded: Seeded,
    target: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written, url = copying._batches, target()

    def lossy(session: object, table: object) -> object:
        for batch in written(session, table):  # type: ignore[arg-type]
            yield batch[:-1] if session in targets else batch

    targets: list[object] = []
    copy = copying.copy
    monkeypatch.setattr(
        moving, "copy", lambda source, into, told: targets.append(into) or copy(source, into, told)
    )
    monkeypatch.setattr(copying, "_batches", lossy)
    with pytest.raises(DatabaseError, match=r"model_versions differs \(1 rows read, 0 found\)"):
        move(catalogue, url)
    opened = create(url)
    with read(opened) as session:
        assert copying.occupied(session) == {}
    opened.dispose()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE products SET title = 'x' WHERE id = 3",
        "UPDATE label_scores SET confidence = confidence + 1e-15 WHERE product_id = 2",
        "UPDATE runs SET started_at = '2026-11-23 08:00:00.000001'",
        "DELETE FROM run_items WHERE id = 4",
    ],
)
def test_every_difference_shows_in_a_hash(
    catalogue: Catalogue, seeded: Seeded, change: str
) -> None:
    def hashes() -> list[str]:
        digests = []
        with read(catalogue.engine) as session:
            for table in Base.metadata.sorted_tables:
                digest = copying._Digest()
                for batch in copying._batches(session, table):
                    digest.add(batch)
                digests.append(digest.hex())
        return digests

    before = hashes()
    assert hashes() == before
    with write(catalogue.engine) as session:
        session.execute(text(change))
    assert sum(one != other for one, other in zip(before, hashes(), strict=True)) == 1


@pytest.mark.parametrize(
    ("revision", "error", "words"),
    [
        ("0001", UsageError, "schema 0001.*start the program on it once"),
        ("9999", NewerSchemaError, "later version"),
    ],
)
def test_another_schema_is_refused(
    catalogue: Catalogue,
    target: Callable[[], str],
    revision: str,
    error: type[Exception],
    words: str,
) -> None:
    with write(catalogue.engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": revision})
    with pytest.raises(error, match=words):
        move(catalogue, target())


def test_a_source_that_is_no_catalogue_is_refused(
    catalogue: Catalogue, target: Callable[[], str], tmp_path: Path
) -> None:
    with pytest.raises(DatabaseError, match="there is no database at"):
        moving.migrate_database(catalogue.settings, f"{tmp_path}/nowhere.db", target())
    sqlite3.connect(tmp_path / "empty.db").close()
    with pytest.raises(UsageError, match="holds no catalogue"):
        moving.migrate_database(catalogue.settings, f"{tmp_path}/empty.db", target())


@pytest.mark.sqlite("PostgreSQL refuses such text in the first place")
@pytest.mark.parametrize(
    ("title", "sku", "words"),
    [("null \0 byte", "a", "null byte"), ("long", "a" * 256, "longer than PostgreSQL's column")],
)
def test_text_that_a_server_cannot_hold_is_said_in_words(
    catalogue: Catalogue, seeded: Seeded, postgresql: Server, title: str, sku: str, words: str
) -> None:
    with write(catalogue.engine) as session:
        product = session.get_one(Product, 1)
        product.title, product.sku = title, sku
    with pytest.raises(DatabaseError, match=words):
        move(catalogue, postgresql.new_database(migrated=False))  # it makes the tables itself


def test_a_file_is_an_address_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert address("catalog.db") == f"sqlite:///{tmp_path}/catalog.db"
    assert address("postgresql://h/d") == "postgresql://h/d"


def test_the_command_says_what_was_compared(
    catalogue: Catalogue,
    seeded: Seeded,
    target: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    asked = [catalogue.settings.database_url, target()]
    assert cli.run(migrate_database.main, asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.split()[:6] == ["products", "24", "rows,", "the", "same", "in"] for line in lines
    )
    assert lines[-1].startswith(f"All {len(Base.metadata.tables)} tables are copied")
    assert f"stay in {catalogue.settings.home}" in lines[-1]
    assert cli.run(migrate_database.main, asked) == UsageError.exit_code


def test_a_file_that_is_no_database_is_said_in_words(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("dear all " * 1000)
    with pytest.raises(DatabaseError, match="not a catalogue"):
        moving.migrate_database(catalogue.settings, f"{tmp_path}/letter.db", f"{tmp_path}/new.db")
