"""The rows that tests of `db` need most, without a word more than the schema asks for."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from db.schema import ModelVersion, Product

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


def add_model(session: Session, version: str = "v") -> int:
    """Add a model version and return its id."""
    row = ModelVersion(
        version=version, recipe="small", classes=["hat"], dimension=64, meta={}, created_at=NOW
    )
    session.add(row)
    session.flush()
    return row.id


def add_products(session: Session, count: int, **columns: Any) -> list[int]:
    """Add products with the photo "abc" and return their ids."""
    same = {
        **dict.fromkeys(("image_path", "stored_image", "thumbnail"), "a.jpg"),
        **{"image_sha256": "abc", "created_at": NOW, "updated_at": NOW},
        **columns,
    }
    rows = [same | {"sku": f"AB-{number}"} for number in range(count)]
    made = session.scalars(
        insert(Product).returning(Product.id, sort_by_parameter_order=True), rows
    )
    return list(made)
