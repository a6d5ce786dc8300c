"""The review desk: batches, claims, views, categories, rechecks, and verdicts on a new model."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


# What a score says only counts while its product has the label and photo that were judged. The
# database itself keeps that in `label_scores.state`, whoever changes either: then a queue of a
# million products is counted from an index. A migration that rebuilds one of the two tables on
# SQLite must make its triggers anew.
_STATE = (
    "CASE WHEN products.retired_run_id IS NULL "
    "AND products.image_sha256 = label_scores.image_sha256 "
    "AND products.label_current IS NOT DISTINCT FROM label_scores.label "
    "THEN products.review_state END"
)
_CHANGES = "UPDATE OF label_current, review_state, image_sha256, retired_run_id"
_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER products_state AFTER {_CHANGES} ON products BEGIN "
        f"UPDATE label_scores SET state = (SELECT {_STATE} FROM products "
        "WHERE products.id = NEW.id) WHERE product_id = NEW.id; END",
        *(
            f"CREATE TRIGGER label_scores_state_{name} AFTER {event} ON label_scores BEGIN "
            f"UPDATE label_scores SET state = (SELECT {_STATE} FROM products "
            "WHERE products.id = NEW.product_id) WHERE product_id = NEW.product_id "
            "AND model_version_id = NEW.model_version_id; END"
            for name, event in (("new", "INSERT"), ("changed", "UPDATE OF label, image_sha256"))
        ),
    ],
    "postgresql": [
        "CREATE FUNCTION products_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"UPDATE label_scores SET state = {_STATE} FROM products "
        "WHERE products.id = NEW.id AND label_scores.product_id = NEW.id; RETURN NULL; END $$",
        f"CREATE TRIGGER products_state AFTER {_CHANGES} ON products "
        "FOR EACH ROW EXECUTE FUNCTION products_state()",
        "CREATE FUNCTION label_scores_state() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"NEW.state := (SELECT {_STATE.replace('label_scores.', 'NEW.')} FROM products "
        "WHERE products.id = NEW.product_id); RETURN NEW; END $$",
        "CREATE TRIGGER label_scores_state BEFORE INSERT OR UPDATE OF label, image_sha256 "
        "ON label_scores FOR EACH ROW EXECUTE FUNCTION label_scores_state()",
    ],
}
_UNDONE = {
    "sqlite": [
        "DROP TRIGGER products_state",
        "DROP TRIGGER label_scores_state_new",
        "DROP TRIGGER label_scores_state_changed",
    ],
    "postgresql": [
        "DROP TRIGGER products_state ON products",
        "DROP TRIGGER label_scores_state ON label_scores",
        "DROP FUNCTION products_state()",
        "DROP FUNCTION label_scores_state()",
    ],
}


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(length=120), nullable=False),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.Column("request_key", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('sheet', 'bulk', 'rename', 'undo')", name=op.f("ck_batches_kind")
        ),
        sa.ForeignKeyConstraint(["undoes_id"], ["batches.id"], name=op.f("fk_batches_undoes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("request_key", name=op.f("uq_batches_request_key")),
        sa.UniqueConstraint("undoes_id", name=op.f("uq_batches_undoes_id")),
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("normal_name", sa.String(length=255), nullable=False),
        sa.Column("renamed_to", sa.String(length=255), nullable=True),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("normal_name", name=op.f("uq_categories_normal_name")),
    )
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("name", name=op.f("uq_saved_views_name")),
    )
    op.create_table(
        "overlaps",
        sa.Column("assessment_id", sa.Integer(), nullable=False),
        sa.Column("one", sa.String(length=255), nullable=False),
        sa.Column("other", sa.String(length=255), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("products", sa.Integer(), nullable=False),
        sa.Column("border", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assessment_id"], ["assessments.id"], name=op.f("fk_overlaps_assessment_id")
        ),
        sa.PrimaryKeyConstraint("assessment_id", "one", "other", name=op.f("pk_overlaps")),
    )
    op.create_table(
        "claims",
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("reviewer", sa.String(length=120), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_claims_product_id")),
        sa.PrimaryKeyConstraint("product_id", name=op.f("pk_claims")),
    )
    with op.batch_alter_table("claims") as claims:
        claims.create_index(claims.f("ix_claims_until"), ["until"], unique=False)

    op.create_table(
        "verdicts",
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reviewer", sa.String(length=120), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "verdict IN ('new', 'old', 'neither')", name=op.f("ck_verdicts_verdict")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_verdicts_model_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_verdicts_product_id")
        ),
        sa.PrimaryKeyConstraint("model_version_id", "product_id", name=op.f("pk_verdicts")),
    )
    op.create_table(
        "differences",
        sa.Column("model_version_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("image_sha256", sa.String(length=64), nullable=False),
        sa.Column("old_label", sa.String(length=255), nullable=False),
        sa.Column("new_label", sa.String(length=255), nullable=False),
        sa.Column("old_confidence", sa.Double(), nullable=False),
        sa.Column("new_confidence", sa.Double(), nullable=False),
        sa.Column("draw", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_differences_model_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_differences_product_id")
        ),
        sa.PrimaryKeyConstraint("model_version_id", "product_id", name=op.f("pk_differences")),
    )
    op.create_index("ix_differences_draw", "differences", ["model_version_id", "draw"])
    op.create_index(
        "ix_differences_pair", "differences", ["model_version_id", "old_label", "new_label"]
    )
    op.create_table(
        "rechecks",
        sa.Column("decision_id", sa.Integer(), nullable=False),
        sa.Column("answer_id", sa.Integer(), nullable=True),
        sa.Column("agrees", sa.Boolean(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["decisions.id"], name=op.f("fk_rechecks_answer_id")
        ),
        sa.ForeignKeyConstraint(
            ["decision_id"], ["decisions.id"], name=op.f("fk_rechecks_decision_id")
        ),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_rechecks")),
        sa.UniqueConstraint("answer_id", name=op.f("uq_rechecks_answer_id")),
    )
    # Inline: anything else would rebuild the table on SQLite, and its triggers would be gone.
    op.execute(
        "ALTER TABLE decisions ADD COLUMN batch_id INTEGER "
        "CONSTRAINT fk_decisions_batch_id REFERENCES batches (id)"
    )
    op.create_index("ix_decisions_batch_id", "decisions", ["batch_id"])
    with op.batch_alter_table("exports") as exports:
        exports.add_column(sa.Column("after_decision_id", sa.Integer(), nullable=True))

    with op.batch_alter_table("label_scores") as label_scores:
        label_scores.add_column(sa.Column("twin_id", sa.Integer(), nullable=True))
        label_scores.add_column(sa.Column("oddity", sa.Double(), nullable=True))
        label_scores.add_column(
            sa.Column("looks_odd", sa.Boolean(), server_default=sa.false(), nullable=False)
        )
        label_scores.add_column(sa.Column("state", sa.String(length=16), nullable=True))
        label_scores.drop_index("ix_label_scores_queue")
        label_scores.create_index(
            "ix_label_scores_queue", ["model_version_id", "looks_wrong", "state", "score"]
        )
        label_scores.create_index(
            "ix_label_scores_pairs",
            ["model_version_id", "state", "label", "suggestion", "score"],
            sqlite_where=sa.text("looks_wrong"),
            postgresql_where=sa.text("looks_wrong"),
        )
        label_scores.create_index(
            "ix_label_scores_odd",
            ["model_version_id", "state", "oddity"],
            sqlite_where=sa.text("looks_odd"),
            postgresql_where=sa.text("looks_odd"),
        )
        label_scores.create_index(
            "ix_label_scores_unknown",
            ["model_version_id", "state", "label"],
            unique=False,
            sqlite_where=sa.text("NOT known_label"),
            postgresql_where=sa.text("NOT known_label"),
        )
        label_scores.create_index(
            "ix_label_scores_twins",
            ["model_version_id", "twin_id"],
            unique=False,
            sqlite_where=sa.text("twin_id IS NOT NULL"),
            postgresql_where=sa.text("twin_id IS NOT NULL"),
        )

    with op.batch_alter_table("model_versions") as model_versions:
        model_versions.add_column(
            sa.Column("is_discarded", sa.Boolean(), server_default=sa.false(), nullable=False)
        )

    with op.batch_alter_table("run_items") as run_items:
        run_items.create_index(run_items.f("ix_run_items_product_id"), ["product_id"], unique=False)

    with op.batch_alter_table("products") as products:
        products.create_index(
            "ix_products_decided",
            ["review_state", "retired_run_id"],
            sqlite_where=sa.text("review_state <> 'open'"),
            postgresql_where=sa.text("review_state <> 'open'"),
        )
        products.drop_index("ix_products_retired_run_id")
        products.create_index(
            "ix_products_retired_run_id",
            ["retired_run_id"],
            sqlite_where=sa.text("retired_run_id IS NOT NULL"),
            postgresql_where=sa.text("retired_run_id IS NOT NULL"),
        )
    op.create_index("ix_decisions_decided_at", "decisions", ["decided_at"])
    op.create_index("ix_decisions_reviewer", "decisions", ["reviewer"])
    op.execute(
        f"UPDATE label_scores SET state = (SELECT {_STATE} FROM products "
        "WHERE products.id = label_scores.product_id)"
    )
    for statement in _TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for statement in _UNDONE[op.get_bind().dialect.name]:
        op.execute(statement)
    op.drop_index("ix_decisions_reviewer", table_name="decisions")
    op.drop_index("ix_decisions_decided_at", table_name="decisions")
    with op.batch_alter_table("products") as products:
        products.drop_index(
            "ix_products_retired_run_id",
            sqlite_where=sa.text("retired_run_id IS NOT NULL"),
            postgresql_where=sa.text("retired_run_id IS NOT NULL"),
        )
        products.create_index("ix_products_retired_run_id", ["retired_run_id"])
        products.drop_index(
            "ix_products_decided",
            sqlite_where=sa.text("review_state <> 'open'"),
            postgresql_where=sa.text("review_state <> 'open'"),
        )

    with op.batch_alter_table("run_items") as run_items:
        run_items.drop_index(run_items.f("ix_run_items_product_id"))

    with op.batch_alter_table("model_versions") as model_versions:
        model_versions.drop_column("is_discarded")

    with op.batch_alter_table("label_scores") as label_scores:
        label_scores.drop_index(
            "ix_label_scores_twins",
            sqlite_where=sa.text("twin_id IS NOT NULL"),
            postgresql_where=sa.text("twin_id IS NOT NULL"),
        )
        label_scores.drop_index(
            "ix_label_scores_unknown",
            sqlite_where=sa.text("NOT known_label"),
            postgresql_where=sa.text("NOT known_label"),
        )
        label_scores.drop_index(
            "ix_label_scores_odd",
            sqlite_where=sa.text("looks_odd"),
            postgresql_where=sa.text("looks_odd"),
        )
        label_scores.drop_index(
            "ix_label_scores_pairs",
            sqlite_where=sa.text("looks_wrong"),
            postgresql_where=sa.text("looks_wrong"),
        )
        label_scores.drop_index("ix_label_scores_queue")
        label_scores.create_index(
            "ix_label_scores_queue", ["model_version_id", "looks_wrong", "score"]
        )
        label_scores.drop_column("state")
        label_scores.drop_column("looks_odd")
        label_scores.drop_column("oddity")
        label_scores.drop_column("twin_id")

    with op.batch_alter_table("exports") as exports:
        exports.drop_column("after_decision_id")

    op.drop_index("ix_decisions_batch_id", table_name="decisions")
    op.execute("ALTER TABLE decisions DROP COLUMN batch_id")
    op.drop_table("rechecks")
    op.drop_table("differences")
    op.drop_table("verdicts")
    with op.batch_alter_table("claims") as claims:
        claims.drop_index(claims.f("ix_claims_until"))

    op.drop_table("claims")
    op.drop_table("overlaps")
    op.drop_table("saved_views")
    op.drop_table("categories")
    op.drop_table("batches")
