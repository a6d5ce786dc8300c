"""On a PostgreSQL server, more links in the index of vectors."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


# Products that share a photo share a vector. With pgvector's own 16 links and 64 candidates, some
# hundred of them are each other's only neighbours: searches end among them and miss other products.
_LINKS = {"m": 32, "ef_construction": 128}


def upgrade() -> None:
    _build(_LINKS)


def downgrade() -> None:
    _build({})


def _build(links: dict[str, int]) -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("ix_embeddings_vector", "embeddings")
    op.create_index(
        "ix_embeddings_vector",
        "embeddings",
        ["vector"],
        postgresql_using="hnsw",
        postgresql_ops={"vector": "vector_ip_ops"},
        postgresql_with=links,
    )
