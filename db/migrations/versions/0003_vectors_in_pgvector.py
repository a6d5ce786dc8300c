"""On a PostgreSQL server, vectors in pgvector's type, and an index that finds their nearest."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Both take a blob apart: 4 bytes a number, the least significant first, IEEE 754. There is no cast
# between bytea and vector; `vector_send` writes 4 bytes of header, then the most significant first.
_FROM_BLOB = """
CREATE FUNCTION pg_temp.from_blob(blob bytea) RETURNS vector LANGUAGE sql AS $$
  SELECT array_agg((
    CASE WHEN bits >= 2147483648 THEN -1::float8 ELSE 1::float8 END
    * CASE WHEN (bits >> 23) & 255 = 0 THEN (bits & 8388607) * power(2::float8, -149)
      ELSE ((bits & 8388607) + 8388608) * power(2::float8, ((bits >> 23) & 255) - 150) END
  )::real ORDER BY place)::vector
  FROM (
    SELECT place, get_byte(blob, 4 * place) + 256 * get_byte(blob, 4 * place + 1)
      + 65536 * get_byte(blob, 4 * place + 2)
      + 16777216 * get_byte(blob, 4 * place + 3)::bigint AS bits
    FROM generate_series(0, length(blob) / 4 - 1) AS place
  ) AS numbers
$$
"""
_TO_BLOB = """
CREATE FUNCTION pg_temp.to_blob(numbers vector) RETURNS bytea LANGUAGE sql AS $$
  SELECT string_agg(substring(vector_send(numbers) FROM 8 + 4 * place - part FOR 1), ''::bytea
                    ORDER BY place, part)
  FROM generate_series(0, vector_dims(numbers) - 1) AS place, generate_series(0, 3) AS part
$$
"""


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return  # SQLite keeps them as blobs
    op.execute("CREATE EXTENSION IF NOT EXISTS vector")
    # There is no room for another dimension; the worker's job "embed" computes vectors again.
    op.execute("DELETE FROM embeddings WHERE length(vector) <> 4 * 64")
    op.execute(_FROM_BLOB)
    op.execute(
        "ALTER TABLE embeddings ALTER COLUMN vector TYPE vector(64) USING pg_temp.from_blob(vector)"
    )
    op.execute("DROP FUNCTION pg_temp.from_blob(bytea)")
    # Vectors have unit length: their inner product orders them as cosine and distance do, cheapest.
    op.create_index(
        "ix_embeddings_vector",
        "embeddings",
        ["vector"],
        postgresql_using="hnsw",
        postgresql_ops={"vector": "vector_ip_ops"},
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.drop_index("ix_embeddings_vector", "embeddings")
    op.execute(_TO_BLOB)
    op.execute(
        "ALTER TABLE embeddings ALTER COLUMN vector TYPE bytea USING pg_temp.to_blob(vector)"
    )
    op.execute("DROP FUNCTION pg_temp.to_blob(vector)")
