"""The index of vectors on PostgreSQL; on SQLite `catalog_ai.inference.search` compares them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, event, func, insert, inspect, text, update
from sqlalchemy.orm import Session

from db.engine import create, read, write
from db.queries import nearest as module
from db.queries.nearest import nearest
from db.schema import DIMENSION, Embedding, Product, Run
from db.vectors import to_blob
from tests.db.rows import NOW, add_model, add_products
from tests.servers import Server

COUNT = 1000
MODELS = 2


def drawn(seed: int, *shape: int) -> NDArray[np.float32]:
    """Return random vectors of unit length."""
    vectors = np.random.default_rng(seed).normal(size=(*shape, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


VECTORS = drawn(1, MODELS, COUNT)
QUESTIONS = drawn(2, 20)


@contextmanager
def database_of(server: Server, models: NDArray[np.float32]) -> Iterator[Engine]:
    """Each model's vectors of the same products; ids of products and models count from 1."""
    url = server.new_database()
    engine = create(url)
    with write(engine) as session:
        products = add_products(session, models.shape[1])
        for vectors in models:
            model = add_model(session, f"v{len(vectors)}-{vectors[0, 0]}")
            rows = [
                {
                    "product_id": product,
                    "model_version_id": model,
                    "image_sha256": "abc",
                    "dimension": DIMENSION,
                    "vector": to_blob(vector),
                }
                for product, vector in zip(products, vectors, strict=True)
            ]
            session.execute(insert(Embedding), rows)
        session.add(Run(source="/feed", started_at=NOW))
    yield engine
    engine.dispose()
    server.give_back(url)


@pytest.fixture(scope="module")
def filled(postgresql: Server) -> Iterator[Engine]:
    """Two models' vectors, no two of them alike."""
    with database_of(postgresql, VECTORS) as engine:
        yield engine


def asked(
    engine: Engine, model: int, vector: NDArray[np.float32], limit: int, by_index: bool = True
) -> list[tuple[int, float]]:
    """Return what `nearest` finds; for so few rows PostgreSQL would rather compare them all."""
    with read(engine) as session:
        if by_index:
            session.execute(text("SET LOCAL enable_sort = off"))
        return nearest(session, model, vector, limit)


def exact(model: int, vector: NDArray[np.float32], limit: int) -> list[int]:
    distances = np.linalg.norm(VECTORS[model - 1] - vector, axis=1)
    return [int(row) + 1 for row in distances.argsort()[:limit]]


def test_the_index_is_there_and_is_used(filled: Engine) -> None:
    found = {index["name"]: index for index in inspect(filled).get_indexes("embeddings")}
    assert found["ix_embeddings_vector"]["dialect_options"]["postgresql_using"] == "hnsw"
    asked(filled, 1, QUESTIONS[0], 12)
    uses = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ix_embeddings_vector'"
    with read(filled) as session:
        session.execute(text("SELECT pg_stat_force_next_flush()"))
    with read(filled) as session:
        assert session.execute(text(uses)).scalar_one() > 0


@pytest.mark.parametrize("model", [1, 2])
def test_nearly_all_of_the_nearest_are_found(filled: Engine, model: int) -> None:
    shares = []
    for question in QUESTIONS:
        found = {product for product, _ in asked(filled, model, question, 12)}
        shares.append(len(found & set(exact(model, question, 12))) / 12)
    assert np.mean(shares) >= 0.98


def test_products_that_share_a_photo_hide_no_other(postgresql: Server) -> None:
    """Hundreds with the same stand-in picture: each is the other's nearest, and leads nowhere."""
    vectors = VECTORS[:1].copy()
    vectors[:, 600:] = vectors[:, 599:600]
    with database_of(postgresql, vectors) as engine:
        missed = [
            product
            for product in range(1, 601)
            if asked(engine, 1, vectors[0, product - 1], 5)[0][1] > 1e-3
        ]
    assert not missed


def test_distances_are_euclidean_and_in_order(filled: Engine) -> None:
    own = VECTORS[0][7]
    found = asked(filled, 1, own, 5)
    assert found[0] == (8, 0.0)
    distances = [distance for _, distance in found]
    assert distances == sorted(distances)
    for product, distance in found:
        assert distance == pytest.approx(np.linalg.norm(VECTORS[0][product - 1] - own), abs=1e-6)


@pytest.mark.parametrize("by_index", [True, False])
def test_models_are_never_mixed(filled: Engine, by_index: bool) -> None:
    """The nearest of all is another model's: it must neither be found nor use up the answer."""
    for row in range(5):
        found = asked(filled, 2, VECTORS[0][row], 12, by_index)
        assert len(found) == 12
        assert found[0][1] > 0.5
        assert [product for product, _ in found] == exact(2, VECTORS[0][row], 12)


def test_the_index_goes_on_until_the_answer_is_full(
    filled: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of what it finds first is the other model's; no second, exact query makes up for it."""
    monkeypatch.setattr(module, "_LOOKED_AT", 1)
    asked_for: list[str] = []
    with read(filled) as session:
        session.execute(text("SET LOCAL enable_sort = off"))
        connection = session.connection()
        event.listen(
            connection, "before_cursor_execute", lambda *call: asked_for.append(str(call[2]))
        )
        for question in QUESTIONS:
            assert len(nearest(session, 1, question, 40)) == 40
    assert sum(query.startswith("SELECT") for query in asked_for) == len(QUESTIONS)


def test_an_answer_is_full_although_the_index_gives_up_early(filled: Engine) -> None:
    with read(filled) as session:
        session.execute(text("SET LOCAL enable_sort = off"))
        session.execute(text("SET LOCAL hnsw.max_scan_tuples = 1"))
        assert len(nearest(session, 1, QUESTIONS[0], 900)) == 900


@pytest.mark.parametrize(
    "columns",
    [{"review_state": "not_product"}, {"retired_run_id": 1}, {"image_sha256": "another photo"}],
)
def test_what_is_shown_nowhere_is_not_found(filled: Engine, columns: dict[str, object]) -> None:
    hidden = exact(1, QUESTIONS[0], 4)
    undone = {"review_state": "open", "retired_run_id": None, "image_sha256": "abc"}
    chosen = update(Product).where(Product.id.in_(hidden))
    with write(filled) as session:
        session.execute(chosen.values(**columns))
    found = [product for product, _ in asked(filled, 1, QUESTIONS[0], 8)]
    with write(filled) as session:
        session.execute(chosen.values(**undone))
    assert found == exact(1, QUESTIONS[0], 12)[4:]


def test_a_category_and_a_product_can_be_asked_for_and_left_out(filled: Engine) -> None:
    """Few of a category lie among the nearest: the exact query makes up for the index."""
    rare = list(range(11, COUNT, 100))
    chosen = update(Product).where(Product.id.in_(rare))
    with write(filled) as session:
        session.execute(chosen.values(label_current="rare"))
    with read(filled) as session:
        found = nearest(session, 1, VECTORS[0][10], 99, category="rare", exclude=11)
    with write(filled) as session:
        session.execute(chosen.values(label_current="shirt"))
    assert [product for product, _ in found] == [
        product for product in exact(1, VECTORS[0][10], COUNT) if product in rare[1:]
    ]


def test_a_category_far_away_is_compared_as_a_whole(postgresql: Server) -> None:
    """A walk through the index from another category misses some, or takes longer than that."""
    vectors = VECTORS[:1].copy()
    vectors[0, :, 0] += np.where(np.arange(COUNT) < 900, 1, -1)  # the last hundred lie elsewhere
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    with database_of(postgresql, vectors) as engine:
        with write(engine) as session:
            far = update(Product).where(Product.id > 900)
            session.execute(far.values(label_current="far"))
        with read(engine) as session:
            session.execute(text("SET LOCAL enable_sort = off"))
            asked_for: list[str] = []
            event.listen(
                session.connection(),
                "before_cursor_execute",
                lambda *call: asked_for.append(str(call[2])),
            )
            found = nearest(session, 1, vectors[0, 0], 12, category="far")
    distances = np.linalg.norm(vectors[0, 900:] - vectors[0, 0], axis=1)
    assert [product for product, _ in found] == (901 + distances.argsort()[:12]).tolist()
    assert "SET LOCAL hnsw.iterative_scan = off" in asked_for
    assert sum(query.startswith("SELECT") for query in asked_for) == 2


def test_photos_of_their_own_do_not_keep_the_planner_from_the_index(filled: Engine) -> None:
    """It would expect that hardly any vector is of its product's photo, and compare them all."""
    own = update(Product).values(image_sha256=func.concat("photo ", Product.id))
    photo = func.concat("photo ", Embedding.product_id)
    with filled.connect() as connection:  # nothing of it is kept
        connection.execute(own)
        connection.execute(update(Embedding).values(image_sha256=photo))
        connection.execute(text("ANALYZE products, embeddings"))
        rows = []
        event.listen(
            connection,
            "before_cursor_execute",
            lambda *call: rows.append((str(call[2]), call[3])),
        )
        with Session(connection) as session:
            nearest(session, 1, QUESTIONS[0], 12)
        query, values = next(row for row in rows if row[0].startswith("SELECT"))
        (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {query}", values).scalar()
        connection.rollback()
    assert _most_rows_of_a_join(plan["Plan"]) >= COUNT / 4


def _most_rows_of_a_join(plan: dict[str, Any]) -> int:
    """Return how many rows the planner expects of vectors beside products, before the limit."""
    below = [_most_rows_of_a_join(part) for part in plan.get("Plans", ())]
    own = plan["Plan Rows"] if "Join" in plan["Node Type"] or "Loop" in plan["Node Type"] else 0
    return max([own, *below])
