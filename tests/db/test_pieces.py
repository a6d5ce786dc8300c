"""Long lists in pieces, and the values of a column by looks into its index."""

import pytest
from sqlalchemy import select

from catalog_ai.services.catalogue import Catalogue
from db import pieces
from db.engine import read
from db.schema import Product
from tests.helpers import Seeded


def test_each_value_comes_once_and_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "AT_ONCE", 2)
    assert list(pieces.in_parts([3, 1, 3, 2, 1, 5])) == [[3, 1], [2, 5]]
    assert list(pieces.in_parts([])) == []


def test_the_values_of_a_column_are_those_of_its_rows(catalogue: Catalogue, seeded: Seeded) -> None:
    found = pieces.values_of(Product.label_current)
    with read(catalogue.engine) as session:
        values = list(session.scalars(select(found.c.value)))
        assert set(values) == {*session.scalars(select(Product.label_current)), None}
    assert len(values) == len(set(values))


def test_a_column_without_rows_has_no_values(catalogue: Catalogue) -> None:
    found = pieces.values_of(Product.label_current)
    with read(catalogue.engine) as session:
        assert list(session.scalars(select(found.c.value))) == [None]
