"""Draw the map: place every product by the active model's vectors, and keep the result."""

from datetime import UTC, datetime

from catalog_ai.curation.projection import METHOD, project
from catalog_ai.errors import CatalogError
from catalog_ai.services.catalogue import Catalogue, in_plain_words
from catalog_ai.services.classifying import model_row
from catalog_ai.services.jobs import Progress
from db.commands.projections import add_projection, delete_old_projections
from db.engine import read, write
from db.queries import embeddings

SEED = 0


def project_map(catalogue: Catalogue, progress: Progress | None = None) -> int:
    """Place all products on a new map and return its id; the map before it is kept, older ones not.

    Raises `CatalogError` without products. Only a worker calls this: UMAP's threads abort a process
    that runs two at once.
    """
    tell = progress or (lambda fraction, message: None)
    model = model_row(catalogue, None)
    with in_plain_words(), read(catalogue.engine) as session:
        table = embeddings.vectors(session, model.id)
    if not len(table.product_ids):
        raise CatalogError("there is nothing to draw: run python -m catalog_ai.ingest FOLDER first")
    tell(0.1, f"Placing {len(table.product_ids):,} products")
    positions = project(table.vectors, seed=SEED)
    tell(0.9, "Storing the map")
    with in_plain_words(), write(catalogue.engine, touches=("projections",)) as session:
        projection_id = add_projection(
            session,
            model.id,
            METHOD,
            {"seed": SEED},
            table.product_ids.tolist(),
            positions,
            datetime.now(UTC),
        )
        delete_old_projections(session, model.id)
    return projection_id
