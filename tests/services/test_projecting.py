import numpy as np
import pytest
from sqlalchemy import select, update

from catalog_ai.errors import CatalogError
from catalog_ai.services import projecting
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.projecting import project_map
from db.engine import read, write
from db.schema import Embedding, Projection, ProjectionPoint
from tests.helpers import Seeded, seed_catalogue


def places(catalogue: Catalogue, projection_id: int) -> dict[int, tuple[float, float]]:
    with read(catalogue.engine) as session:
        points = session.scalars(
            select(ProjectionPoint).where(ProjectionPoint.projection_id == projection_id)
        )
        return {point.product_id: (point.x, point.y) for point in points}


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two numbers of each vector as its place: UMAP takes seconds to import."""
    monkeypatch.setattr(projecting, "project", lambda vectors, *, seed: vectors[:, :2])


def test_without_vectors_it_says_what_to_run(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Embedding).values(image_sha256="of an older photo"))
    with pytest.raises(CatalogError, match=r"catalog_ai\.ingest"):
        project_map(catalogue)


@pytest.mark.usefixtures("plain")
def test_every_product_has_its_place(catalogue: Catalogue, seeded: Seeded) -> None:
    before = revision(catalogue, "projections")
    projection_id = project_map(catalogue)
    found = places(catalogue, projection_id)
    assert set(found) == set(seeded.product_ids)
    with read(catalogue.engine) as session:
        projection = session.get_one(Projection, projection_id)
        for embedding in session.scalars(select(Embedding)):
            vector = np.frombuffer(embedding.vector, "<f4")
            assert found[embedding.product_id] == pytest.approx(tuple(vector[:2].tolist()))
    assert (projection.method, projection.products) == ("umap", 24)
    assert projection.parameters == {"seed": projecting.SEED}
    assert revision(catalogue, "projections") > before


@pytest.mark.usefixtures("plain")
def test_the_map_before_is_kept_and_older_ones_go(catalogue: Catalogue, seeded: Seeded) -> None:
    second, third = project_map(catalogue), project_map(catalogue)
    with read(catalogue.engine) as session:
        assert list(session.scalars(select(Projection.id).order_by(Projection.id))) == [
            second,
            third,
        ]
    assert places(catalogue, seeded.projection_id) == {}
    assert len(places(catalogue, second)) == len(places(catalogue, third)) == 24


def test_a_handful_is_drawn_the_same_way_twice(catalogue: Catalogue) -> None:
    """So few need no UMAP, whose import alone takes seconds; its own test is the core's."""
    seed_catalogue(catalogue, n=9)
    told: list[float] = []
    first = project_map(catalogue, progress=lambda fraction, message: told.append(fraction))
    second = project_map(catalogue)
    assert places(catalogue, first) == places(catalogue, second)
    assert len(set(places(catalogue, first).values())) == 9
    assert told == sorted(told)
