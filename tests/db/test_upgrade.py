import multiprocessing
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Column, Engine, MetaData, inspect, text
from sqlalchemy.exc import DatabaseError

from db import upgrade as module
from db.engine import create, read, write
from db.errors import SchemaTooNewError, StorageError
from db.schema import NAMING, Base, UtcDateTime
from db.upgrade import upgrade

HEAD = str(ScriptDirectory(str(module._MIGRATIONS)).get_current_head())
NEXT = f"{int(HEAD) + 1:04d}"
ONE_MORE = """
import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rebuild = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("runs", recreate=rebuild) as runs:
        runs.add_column(sa.Column("weather", sa.Text()))
    {more}
"""


@pytest.fixture
def add_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A function that gives the program one more migration, in a copy of its folder."""
    folder = tmp_path / "migrations"

    def add(more: str = "pass") -> None:
        (folder / "versions").mkdir(parents=True, exist_ok=True)
        for file in module._MIGRATIONS.rglob("*.py"):
            (folder / file.relative_to(module._MIGRATIONS)).write_text(file.read_text())
        made = ONE_MORE.format(more=more, head=HEAD, next=NEXT)
        (folder / "versions" / f"{NEXT}_weather.py").write_text(made)
        monkeypatch.setattr(module, "_MIGRATIONS", folder)

    yield add


def rows(engine: Engine, statement: str) -> list[tuple[object, ...]]:
    with read(engine) as session:
        return [tuple(row) for row in session.execute(text(statement))]


def add_run_and_product(engine: Engine) -> None:
    with write(engine) as session:
        session.execute(
            text(
                "INSERT INTO runs (id, source, state, seen, added, updated, unchanged, "
                "quarantined, missing, unlisted, second_look, seconds, images_per_second, "
                "message, started_at) "
                "VALUES (1, '/feed', 'done', 1, 1, 0, 0, 0, 0, 0, 0, 1.0, 1.0, '', "
                "'2026-11-23 08:00:00')"
            )
        )
        session.execute(
            text(
                "INSERT INTO products (id, sku, title, label_given, label_current, image_path, "
                "image_sha256, stored_image, thumbnail, attributes, review_state, version, "
                "added_run_id, changed_run_id, created_at, updated_at) "
                "VALUES (1, 'AB-1', '', 'hat', 'hat', 'a.jpg', 'abc', 'i.jpg', 't.jpg', '{}', "
                "'open', 1, 1, 1, '2026-11-23 08:00:00', '2026-11-23 08:00:00')"
            )
        )


def test_the_migrations_make_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        # The index of vectors is PostgreSQL's alone; tests/db/test_nearest.py is about it.
        options = {
            "compare_type": True,
            "include_name": lambda name, kind, _parents: name != "ix_embeddings_vector",
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        assert context.get_current_revision() == HEAD


def test_a_catalogue_of_the_first_version_keeps_everything(engine: Engine, tmp_path: Path) -> None:
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config = module._config(module._MIGRATIONS)
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    add_run_and_product(engine)
    with write(engine) as session:
        session.execute(
            text(
                "INSERT INTO run_items (run_id, product_id, sku, image, outcome, code, reason) "
                "VALUES (1, 1, 'AB-1', 'a.jpg', 'added', '', '')"
            )
        )
    assert upgrade(engine, tmp_path / "backups", tmp_path / "locks") == HEAD
    assert rows(engine, "SELECT sku, retired_run_id FROM products") == [("AB-1", None)]
    assert rows(engine, "SELECT source, retired, page FROM runs") == [("/feed", 0, "")]
    assert rows(engine, "SELECT outcome, settled FROM run_items") == [("added", "open")]


def test_the_checks_of_the_schema_are_migrated_too(engine: Engine) -> None:
    """Alembic's comparison does not look at check constraints."""
    for table in Base.metadata.sorted_tables:
        wanted = {c.name for c in table.constraints if isinstance(c, CheckConstraint)}
        found = {c["name"] for c in inspect(engine).get_check_constraints(table.name)}
        assert found == wanted, table.name


def test_a_second_start_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    assert upgrade(engine, tmp_path / "backups", tmp_path / "locks") == HEAD
    assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize(
    "statement", ["UPDATE decisions SET reviewer = 'x'", "DELETE FROM decisions"]
)
def test_decisions_are_append_only(engine: Engine, statement: str) -> None:
    add_run_and_product(engine)
    with write(engine) as session:
        session.execute(
            text(
                "INSERT INTO decisions VALUES (1, 1, 'keep', 'hat', 'hat', 'hat', 'open', 'kept', "
                "NULL, NULL, 'abc', NULL, 'Ana', '', NULL, 'key', '2026-11-23 08:00:00', NULL)"
            )
        )
    with pytest.raises(DatabaseError, match="append-only"), write(engine) as session:
        session.execute(text(statement))
    assert rows(engine, "SELECT reviewer FROM decisions") == [("Ana",)]


@pytest.mark.sqlite("a server's administrator makes the backups there")
def test_an_upgrade_makes_a_backup_of_what_was_there(
    engine: Engine, tmp_path: Path, add_migration: Callable[..., None]
) -> None:
    add_run_and_product(engine)
    add_migration()
    assert upgrade(engine, tmp_path / "backups", tmp_path / "locks") == NEXT
    assert rows(engine, "SELECT source, weather FROM runs") == [("/feed", None)]
    (copy,) = (tmp_path / "backups").iterdir()
    assert copy.name.startswith(f"catalog-{HEAD}-") and copy.name.endswith("Z.db")
    old = create(f"sqlite:///{copy}")
    assert rows(old, "SELECT sku FROM products") == [("AB-1",)]
    assert rows(old, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    old.dispose()


@pytest.mark.sqlite("only SQLite alters a table by building it anew, with foreign keys off")
def test_foreign_keys_hold_again_after_an_upgrade(
    engine: Engine, tmp_path: Path, add_migration: Callable[..., None]
) -> None:
    """A migration may rebuild a table that others refer to; rows without a parent stop it."""
    add_run_and_product(engine)
    add_migration(more="op.execute('DELETE FROM runs')")
    with pytest.raises(StorageError, match="nothing was changed"):
        upgrade(engine, tmp_path / "backups", tmp_path / "locks")
    assert rows(engine, "SELECT source FROM runs") == [("/feed",)]
    assert rows(engine, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert rows(engine, "PRAGMA foreign_keys") == [(1,)]


def test_a_failing_migration_leaves_the_old_schema(
    engine: Engine, tmp_path: Path, add_migration: Callable[..., None]
) -> None:
    add_migration(more="raise RuntimeError('half way')")
    with pytest.raises(RuntimeError, match="half way"):
        upgrade(engine, tmp_path / "backups", tmp_path / "locks")
    assert "weather" not in {column["name"] for column in inspect(engine).get_columns("runs")}
    assert rows(engine, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_later_schema_is_refused_in_words(engine: Engine, tmp_path: Path) -> None:
    with write(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    with pytest.raises(SchemaTooNewError, match=r"'0099'.*update this program"):
        upgrade(engine, tmp_path / "backups", tmp_path / "locks")
    assert not (tmp_path / "backups").exists()


def start(url: str, folder: Path, results: "multiprocessing.Queue[str]") -> None:
    try:
        results.put(upgrade(create(url), folder / "backups", folder / "locks"))
    except BaseException as error:
        results.put(repr(error))


def test_several_starts_at_once_all_succeed(
    tmp_path: Path, new_database: Callable[..., str]
) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[str] = context.Queue()
    url = new_database(migrated=False)
    processes = [context.Process(target=start, args=(url, tmp_path, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [HEAD] * 4
    for process in processes:
        process.join()


def test_an_upgrade_waits_for_the_one_at_work(
    tmp_path: Path, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, running, most = new_database(migrated=False), [0], [0]
    migrate = module._migrate

    def watched(*arguments: object) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        migrate(*arguments)  # type: ignore[arg-type]
        running[0] -= 1

    monkeypatch.setattr(module, "_migrate", watched)
    threads = [
        threading.Thread(target=upgrade, args=(create(url), tmp_path / "b", tmp_path / "l"))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_draft_holds_what_the_schema_has_gained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = MetaData(naming_convention=NAMING)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(metadata)
    metadata.tables["runs"].append_column(Column("noticed_at", UtcDateTime()))
    monkeypatch.setattr(Base, "metadata", metadata)
    folder = tmp_path / "migrations"
    shutil.copytree(module._MIGRATIONS, folder)
    drafted = module.draft("Notice it", url=f"sqlite:///{tmp_path}/scratch.db", folder=folder)
    text = drafted.read_text()
    assert drafted.name == f"{NEXT}_notice_it.py"
    assert "sa.Column('noticed_at', sa.DateTime(timezone=True), nullable=True)" in text
    assert text.count("add_column") == 1 and "create_" not in text


def test_the_way_down_leaves_nothing(engine: Engine) -> None:
    config = module._config(module._MIGRATIONS)
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]


def test_every_migration_has_one_successor_at_most() -> None:
    assert len(ScriptDirectory(str(module._MIGRATIONS)).get_heads()) == 1


def test_the_tables_of_another_program_are_left_alone(
    tmp_path: Path, new_database: Callable[..., str]
) -> None:
    engine = create(new_database(migrated=False))
    with write(engine) as session:
        session.execute(text("CREATE TABLE products (name TEXT)"))
    with pytest.raises(StorageError, match="another program's tables"):
        upgrade(engine, tmp_path / "backups", tmp_path / "locks")
    assert inspect(engine).get_table_names() == ["products"]
    engine.dispose()


def test_a_folder_for_locks_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        upgrade(create(f"sqlite:///{tmp_path}/c.db"), tmp_path / "b", tmp_path / "locks")
