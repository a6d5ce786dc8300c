"""Further photos of a product, retired products, refused photos, and what a run's page shows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OUTCOME = "outcome IN ('added', 'updated', {}'quarantined', 'missing', 'unlisted')"


def upgrade() -> None:
    op.create_table(
        "refused_photos",
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("decoder_version", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("image_sha256", name=op.f("pk_refused_photos")),
    )
    op.create_table(
        "product_photos",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("image_path", sa.Text(), nullable=False),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("stored_image", sa.Text(), nullable=False),
        sa.Column("thumbnail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_product_photos_product_id")
        ),
        sa.PrimaryKeyConstraint("product_id", "position", name=op.f("pk_product_photos")),
    )
    with op.batch_alter_table("embeddings") as embeddings:
        embeddings.add_column(
            sa.Column("preprocessing_version", sa.Integer(), server_default="1", nullable=False)
        )
    with op.batch_alter_table("products") as products:
        products.add_column(sa.Column("retired_run_id", sa.Integer(), nullable=True))
        products.create_index(op.f("ix_products_retired_run_id"), ["retired_run_id"])
        products.create_foreign_key(
            op.f("fk_products_retired_run_id"), "runs", ["retired_run_id"], ["id"]
        )
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("retired", sa.Integer(), server_default="0", nullable=False))
        runs.add_column(sa.Column("page", sa.Text(), server_default="", nullable=False))
        runs.add_column(sa.Column("options", sa.JSON(), server_default="{}", nullable=False))
    with op.batch_alter_table("run_items") as items:
        items.add_column(sa.Column("label_before", sa.String(length=255), nullable=True))
        items.add_column(sa.Column("label_after", sa.String(length=255), nullable=True))
        items.add_column(sa.Column("thumbnail", sa.Text(), server_default="", nullable=False))
        items.add_column(
            sa.Column("settled", sa.String(length=16), server_default="open", nullable=False)
        )
        items.drop_constraint(op.f("ck_run_items_outcome"), type_="check")
        items.create_check_constraint(op.f("ck_run_items_outcome"), _OUTCOME.format("'retired', "))
        items.create_check_constraint(
            op.f("ck_run_items_settled"), "settled IN ('open', 'retried', 'dismissed')"
        )


def downgrade() -> None:
    op.execute("DELETE FROM run_items WHERE outcome = 'retired'")
    with op.batch_alter_table("run_items") as items:
        items.drop_constraint(op.f("ck_run_items_settled"), type_="check")
        items.drop_constraint(op.f("ck_run_items_outcome"), type_="check")
        items.create_check_constraint(op.f("ck_run_items_outcome"), _OUTCOME.format(""))
        for name in ("settled", "thumbnail", "label_after", "label_before"):
            items.drop_column(name)
    with op.batch_alter_table("runs") as runs:
        runs.drop_column("options")
        runs.drop_column("page")
        runs.drop_column("retired")
    with op.batch_alter_table("products") as products:
        products.drop_constraint(op.f("fk_products_retired_run_id"), type_="foreignkey")
        products.drop_index(op.f("ix_products_retired_run_id"))
        products.drop_column("retired_run_id")
    with op.batch_alter_table("embeddings") as embeddings:
        embeddings.drop_column("preprocessing_version")
    op.drop_table("product_photos")
    op.drop_table("refused_photos")
