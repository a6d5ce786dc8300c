"""The sentences of a long list are those of the desk."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog_ai.services import evidence, export_rows
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.evidence import Seen
from catalog_ai.services.exporting import export
from catalog_ai.services.queue_words import Carried, carried_around, carried_by_all, sentences
from db.engine import read
from db.queries import listings, models
from db.queries.listings import ListedItem, ListedLabel
from db.queries.products import ProductRow
from db.queries.wanted import Filter, Sort
from tests.helpers import Seeded
from tests.services.test_evidence import PRODUCT, SCORE

LABELS = st.sampled_from((None, "", " ", "dress", "Dress ", "hat", "a  b", "A b"))
STATES = st.sampled_from(("open", "kept", "changed", "not_product", "second_look"))
around = st.dictionaries(st.integers(1, 12), st.tuples(LABELS, STATES), max_size=10)
item = st.tuples(
    *(LABELS, st.sampled_from(("dress", "hat ", "skirt")), st.booleans(), st.booleans()),
    st.lists(st.integers(1, 12), max_size=10),
)


@settings(deadline=None)
@given(around, st.lists(item, min_size=1, max_size=4))
def test_counting_thousands_at_once_says_the_same_as_one_by_one(
    products: dict[int, tuple[str | None, str]],
    items: list[tuple[str | None, str, bool, bool, list[int]]],
) -> None:
    found = [ListedLabel(number, *carried) for number, carried in products.items()]
    near = {
        number: replace(PRODUCT, id=number, label_current=label, review_state=state)
        for number, (label, state) in products.items()
    }
    listed = [_listed(*one) for one in items]
    judged = Carried(found).judgements(listed)
    said = [
        evidence.explained(one, judgement, "wrong")
        for one, judgement in zip(listed, judged, strict=True)
    ]
    assert said == [_plain(near, *one) for one in items]


def _listed(
    label: str | None, suggestion: str, known: bool, scored: bool, near: list[int]
) -> ListedItem:
    score = (suggestion, 0.9, 0.9, 0.5, known, json.dumps(near), None)
    return ListedItem(
        1, "x", label, "given", "open", "", "", "", *(score if scored else (None,) * 7)
    )


def _plain(
    near: dict[int, ProductRow],
    *one: object,
) -> str:
    label, suggestion, known, scored, neighbours = one
    product = replace(PRODUCT, label_current=label, label_given="given")
    score = replace(SCORE, suggestion=suggestion, known_label=known, neighbours=tuple(neighbours))
    judged = score if scored else None
    return evidence.sentence(product, judged, "wrong", Seen(evidence.closest(judged, near)))


def test_a_short_list_asks_only_for_what_is_around(catalogue: Catalogue, seeded: Seeded) -> None:
    with read(catalogue.engine) as session:
        model = models.active(session)
        (items,) = listings.queue(session, model.id, Filter(), Sort())
        assert len(items) == len(seeded.wrong_ids)
        few, all_of_them = carried_around(session, items), carried_by_all(session)
        said = list(sentences(session, items, "wrong", few))
        assert said == list(sentences(session, items, "wrong", all_of_them))
    assert any("closest look-alikes" in one for one in said)


@pytest.mark.parametrize("shown", [0, 8])
def test_a_file_is_the_same_whichever_way_was_taken(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:
    """With 0 it never seems worth while to read what all products carry."""
    usual = export(catalogue, "queue", wanted=Filter("all"))
    monkeypatch.setattr(export_rows, "SHOWN", shown)
    monkeypatch.setattr(listings, "_AT_ONCE", 4)
    assert export(catalogue, "queue", wanted=Filter("all")).data == usual.data
