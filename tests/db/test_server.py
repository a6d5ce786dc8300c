"""What only a PostgreSQL server does: its words for trouble, and how a connection is set up."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DatabaseError

from db import upgrade as module
from db.engine import create, read, write
from db.errors import LockedError, StorageError
from db.schema import DIMENSION, Embedding
from db.upgrade import current_revision, upgrade
from db.vectors import from_blob, to_blob
from tests.db.rows import add_model, add_products
from tests.servers import Server


@pytest.fixture
def engine(postgresql: Server) -> Iterator[Engine]:
    """A migrated database of the server."""
    url = postgresql.new_database()
    opened = create(url)
    yield opened
    opened.dispose()
    postgresql.give_back(url)


def fail_with(engine: Engine, state: str, message: str = "no") -> None:
    with write(engine) as session:
        raised = f"RAISE EXCEPTION '{message}' USING ERRCODE = '{state}'"
        session.execute(text(f"DO $$ BEGIN {raised}; END $$"))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("22000", "vectors of 64 numbers only"),
        ("22001", "a text is longer"),
        ("42501", "may not be written"),
        ("42P01", "not this program's"),
        ("42P07", "another program's tables"),
        ("53100", "the disk is full: free some space and start again"),
        ("53300", "no connection left"),
        ("57P01", "was stopped"),
        ("57P03", "just starting"),
        ("XX001", "damaged"),
    ],
)
def test_trouble_of_the_server_is_said_in_words(engine: Engine, state: str, words: str) -> None:
    with pytest.raises(StorageError, match=words):
        fail_with(engine, state)


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03"])
def test_a_lock_that_cannot_be_had_is_a_busy_database(engine: Engine, state: str) -> None:
    with pytest.raises(LockedError, match="try again in a minute"):
        fail_with(engine, state)


def test_an_error_of_the_program_stays_as_it_is(engine: Engine) -> None:
    with pytest.raises(DatabaseError), read(engine) as session:
        session.execute(text("SELECT 1 / 0"))


@pytest.mark.parametrize(
    ("state", "message", "words"),
    [
        ("0A000", 'extension "vector" is not available', "lacks pgvector: have it installed"),
        ("42501", 'permission denied to create extension "vector"', "CREATE EXTENSION vector"),
    ],
)
def test_a_missing_extension_says_whom_to_ask(
    engine: Engine, state: str, message: str, words: str
) -> None:
    with pytest.raises(StorageError, match=words):
        fail_with(engine, state, message)


def test_a_user_who_may_not_add_the_extension_is_told_whom_to_ask(
    postgresql: Server, tmp_path: Path
) -> None:
    url = postgresql.new_database(migrated=False)
    postgresql.run("DROP ROLE IF EXISTS clerk", "CREATE ROLE clerk LOGIN")
    owned = create(url)
    with write(owned) as session:
        session.execute(text("GRANT CREATE ON SCHEMA public TO clerk"))
    address = make_url(url).set(username="clerk").render_as_string(hide_password=False)
    engine = create(address)
    with pytest.raises(StorageError, match="ask the administrator for CREATE EXTENSION vector"):
        upgrade(engine, tmp_path / "backups", tmp_path / "locks")
    for opened in (owned, engine):
        opened.dispose()
    postgresql.give_back(url)


def test_a_server_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    engine = create(f"postgresql://postgres@/catalog?host={tmp_path}")
    with pytest.raises(StorageError, match="cannot be reached: check that it runs"):
        fail_with(engine, "00000")


@pytest.mark.parametrize("part", [{"database": "nowhere"}, {"username": "nobody"}])
def test_a_missing_database_or_user_says_so(postgresql: Server, part: dict[str, str]) -> None:
    address = make_url(postgresql.url).set(**part).render_as_string(hide_password=False)
    with pytest.raises(StorageError, match="no such database or user"):
        fail_with(create(address), "00000")


def test_a_server_that_ends_a_connection_is_met_again(postgresql: Server, engine: Engine) -> None:
    with pytest.raises(StorageError, match=r"stopped|cannot be reached"), read(engine) as session:
        own = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        postgresql.run(f"SELECT pg_terminate_backend({own})")
        session.execute(text("SELECT 1"))
    with read(engine) as session:
        assert session.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.parametrize("package", ["psycopg", "pgvector"])
def test_a_missing_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StorageError, match=rf"'{package}.*pip install -r requirements-server\.txt"):
        create("postgresql://localhost/catalog")


def test_a_read_only_transaction_is_said_in_words(engine: Engine) -> None:
    with pytest.raises(StorageError, match="may not be written"), write(engine) as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        add_model(session)


def test_the_connection_is_as_the_rules_want_it(engine: Engine) -> None:
    with read(engine) as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar() == "repeatable read"
        assert session.execute(text("SHOW lock_timeout")).scalar() == "30s"
        assert session.execute(text("SHOW timezone")).scalar() == "UTC"
        assert session.execute(text("SHOW jit")).scalar() == "off"
    with write(engine) as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar() == "read committed"


def test_vectors_are_exact_to_the_bit_and_survive_the_way_down(
    engine: Engine, tmp_path: Path
) -> None:
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**32, (200, DIMENSION), dtype=np.uint32)
    bits[:, :3] = (0x00000001, 0x80000000, 0x7F7FFFFF)  # least, minus zero, greatest
    bits[(bits & 0x7F800000) == 0x7F800000] = 0x3F800000  # no nan, no infinity
    blobs = [to_blob(row.view(np.float32)) for row in bits]
    with write(engine) as session:
        model = add_model(session)
        for product, blob in zip(add_products(session, len(blobs)), blobs, strict=True):
            session.add(
                Embedding(
                    product_id=product,
                    model_version_id=model,
                    image_sha256="abc",
                    dimension=DIMENSION,
                    vector=blob,
                )
            )
    assert stored(engine) == blobs
    migrate(engine, command.downgrade, "0002")
    with read(engine) as session:
        found = session.scalars(text("SELECT vector FROM embeddings ORDER BY product_id"))
        assert [bytes(blob) for blob in found] == blobs
    migrate(engine, command.upgrade, "head")
    assert stored(engine) == blobs
    assert (from_blob(stored(engine)[0], DIMENSION).view(np.uint32) == bits[0]).all()


def test_what_pg_dump_saved_is_restored(postgresql: Server, engine: Engine, tmp_path: Path) -> None:
    """As docs/database.md says, into an empty database."""
    with write(engine) as session:
        model, (product,) = add_model(session), add_products(session, 1)
        vector = to_blob(np.full(DIMENSION, 0.125, np.float32))
        keys = {"product_id": product, "model_version_id": model, "image_sha256": "abc"}
        session.add(Embedding(**keys, dimension=DIMENSION, vector=vector))
    again = postgresql.new_database(migrated=False)
    for program, *flags in (
        ["pg_dump", "--format=custom", f"--file={tmp_path}/catalog.dump", plain(str(engine.url))],
        ["pg_restore", "--no-owner", f"--dbname={plain(again)}", f"{tmp_path}/catalog.dump"],
    ):
        subprocess.run([postgresql.programs / program, *flags], check=True, timeout=60)
    restored = create(again)
    assert stored(restored) == [vector]
    assert upgrade(restored, tmp_path / "backups", tmp_path / "locks") == current_revision(engine)
    restored.dispose()


def plain(address: str) -> str:
    """Return an address as PostgreSQL's own programs take it."""
    return make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_vector_of_another_dimension_is_refused(engine: Engine) -> None:
    with pytest.raises(StorageError, match="64 numbers only"), write(engine) as session:
        model, (product,) = add_model(session), add_products(session, 1)
        session.add(
            Embedding(
                product_id=product,
                model_version_id=model,
                image_sha256="abc",
                dimension=3,
                vector=to_blob(np.ones(3, np.float32)),
            )
        )


def stored(engine: Engine) -> list[bytes]:
    with read(engine) as session:
        return [row.vector for row in session.query(Embedding).order_by(Embedding.product_id)]


def migrate(engine: Engine, way: Callable[..., None], revision: str) -> None:
    config = module._config(module._MIGRATIONS)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        way(config, revision)


def test_the_two_sides_agree_how_long_a_vector_is() -> None:
    from catalog_ai.models.embedding import DIMENSION as OF_MODELS

    assert OF_MODELS == DIMENSION
