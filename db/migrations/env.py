"""Alembic's entry point; `db.upgrade` hands over the connection."""

from alembic import context

from db.upgrade import run_migrations

run_migrations(context.config.attributes["connection"])
