from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from catalog_ai.services.evidence import Seen, candidates, sentence
from db.queries.decisions import DecisionRow
from db.queries.products import ProductRow
from db.queries.review import ScoreRow
from db.vectors import to_blob

PRODUCT = ProductRow(
    id=1,
    sku="AB-1",
    title="",
    label_given="shirt",
    label_current="shirt",
    image_path="a.jpg",
    image_sha256="new",
    stored_image="images/a.jpg",
    thumbnail="thumbnails/a.jpg",
    attributes={},
    review_state="open",
    version=1,
    retired_run_id=None,
)
SCORE = ScoreRow(
    label="shirt",
    known_label=True,
    classes=("dress", "shirt"),
    probabilities=to_blob(np.array([0.9, 0.1], np.float32)),
    suggestion="dress",
    confidence=0.9,
    score=0.95,
    looks_wrong=True,
    neighbours=(),
    agreement=0.0,
)
KEPT = DecisionRow(
    id=1,
    product_id=1,
    action="keep",
    label_given="shirt",
    label_before="shirt",
    label_after="shirt",
    state_before="open",
    state_after="kept",
    suggestion="dress",
    score=0.9,
    image_sha256="new",
    reviewer="Ana",
    note="",
    undoes_id=None,
    request_key="one",
    decided_at=datetime(2026, 11, 3, 9, tzinfo=UTC),
    undone=False,
)


def alike(*labels: str | None, confirmed: int = 0) -> list[ProductRow]:
    """Return look-alikes with these labels, the first `confirmed` of which people confirmed."""
    return [
        replace(
            PRODUCT,
            label_current=label,
            review_state=("kept", "changed")[row % 2] if row < confirmed else "open",
        )
        for row, label in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        (
            ["dress"] * 7 + ["shirt"],
            "Labelled shirt; 7 of its 8 closest look-alikes are dress.",
        ),
        (
            ["Dress ", "hat", "hat"],
            "Labelled shirt; 1 of its 3 closest look-alikes is dress.",
        ),
        (
            ["shirt"] * 6 + ["dress"] * 2,
            "Labelled shirt; the photo itself looks like dress, though 6 of its 8 closest "
            "look-alikes are shirt.",
        ),
        (
            ["shirt", "hat"],
            "Labelled shirt; the photo itself looks like dress, though 1 of its 2 closest "
            "look-alikes is shirt.",
        ),
        (
            ["hat", None],
            "Labelled shirt; the photo itself looks like dress, its closest look-alikes do not.",
        ),
        (["dress"], "Labelled shirt; its closest look-alike is dress."),
        ([], "Labelled shirt; the photo looks like dress."),
    ],
)
def test_the_look_alikes_in_a_sentence(around: list[str | None], expected: str) -> None:
    assert sentence(PRODUCT, SCORE, "wrong", Seen(alike(*around))) == expected


@pytest.mark.parametrize(
    ("around", "confirmed", "expected"),
    [
        (
            ["dress"] * 7 + ["hat"],
            7,
            "7 of its 8 closest look-alikes, all confirmed by people, are",
        ),
        (
            ["dress"] * 7 + ["hat"],
            3,
            "7 of its 8 closest look-alikes, 3 of them confirmed by people, are",
        ),
        (["hat", "dress", "dress"], 1, "2 of its 3 closest look-alikes are"),
        (["dress", "hat"], 2, "1 of its 2 closest look-alikes, confirmed by people, is"),
        (["Dress"], 1, "its closest look-alike, confirmed by people, is"),
    ],
)
def test_whether_people_confirmed_what_the_look_alikes_are(
    around: list[str], confirmed: int, expected: str
) -> None:
    said = sentence(PRODUCT, SCORE, "wrong", Seen(alike(*around, confirmed=confirmed)))
    assert said == f"Labelled shirt; {expected} dress."


def test_what_people_confirmed_can_speak_for_the_label_too() -> None:
    around = alike("shirt", "shirt", "shirt", "dress", confirmed=2)
    assert sentence(PRODUCT, SCORE, "wrong", Seen(around)) == (
        "Labelled shirt; the photo itself looks like dress, though 3 of its 4 closest look-alikes, "
        "2 of them confirmed by people, are shirt."
    )


@pytest.mark.parametrize("state", ["open", "second_look", "not_product"])
def test_a_label_that_nobody_confirmed_is_not_said_to_be(state: str) -> None:
    around = [replace(PRODUCT, label_current="dress", review_state=state)]
    assert "people" not in sentence(PRODUCT, SCORE, "wrong", Seen(around))


def test_an_unknown_label_is_named_as_it_came() -> None:
    product, score = (
        replace(PRODUCT, label_current="Polo"),
        replace(SCORE, known_label=False, label="Polo"),
    )
    assert sentence(product, score, "unknown", Seen(alike("dress", "dress"))) == (
        "Delivered as Polo, which is no category yet; 2 of its 2 closest look-alikes are dress."
    )


def test_no_label_at_all() -> None:
    product = replace(PRODUCT, label_current=None)
    score = replace(SCORE, label=None, known_label=False)
    assert sentence(product, score, "unlabelled", Seen(alike(None, None, "dress"))) == (
        "Delivered without a label; 1 of its 3 closest look-alikes is dress."
    )


def test_before_the_worker_has_looked() -> None:
    assert "has not looked" in sentence(PRODUCT, None, "unknown", Seen())


@pytest.mark.parametrize(
    ("changes", "product", "expected"),
    [
        (
            {},
            {"label_given": "skirt"},
            "The feed changed its label from shirt to skirt after Ana kept shirt on 3 Nov 2026.",
        ),
        (
            {"action": "relabel", "label_after": "dress", "state_after": "changed"},
            {"label_given": None},
            "The feed changed its label from shirt to nothing after Ana chose dress on 3 Nov 2026.",
        ),
        (
            {"action": "not_product", "state_after": "not_product", "image_sha256": "old"},
            {},
            "The photo has changed since Ana marked it as not a product photo on 3 Nov 2026.",
        ),
        (
            {"action": "second_look", "state_after": "second_look", "note": "a skirt?"},
            {},
            "Ana asked for a second look on 3 Nov 2026: a skirt?",
        ),
        (
            {"action": "second_look", "state_after": "second_look"},
            {},
            "Ana asked for a second look on 3 Nov 2026.",
        ),
        ({"label_after": None, "image_sha256": "old"}, {}, None),
    ],
)
def test_why_a_second_look(
    changes: dict[str, Any], product: dict[str, Any], expected: str | None
) -> None:
    seen = Seen(alike("dress"), replace(KEPT, **changes))
    said = sentence(replace(PRODUCT, **product), SCORE, "second_look", seen)
    assert "None" not in said
    assert expected is None or said == expected


def test_what_is_decided_says_who() -> None:
    assert (
        sentence(PRODUCT, SCORE, "decided", Seen(decision=KEPT)) == "Ana kept shirt on 3 Nov 2026."
    )


def test_what_else_brings_a_product_here() -> None:
    twin = replace(PRODUCT, id=2, sku="AB-2", label_current="skirt")
    assert sentence(PRODUCT, SCORE, "twins", Seen(twin=twin)) == (
        "Labelled shirt; AB-2, all but the same photo, is skirt."
    )
    assert "no photo of a product" in sentence(PRODUCT, SCORE, "odd", Seen())
    assert sentence(PRODUCT, SCORE, "disputed", Seen(alike("dress"), KEPT)) == (
        "Ana kept shirt on 3 Nov 2026; the model in use now is sure of dress, and "
        "its closest look-alike is dress."
    )


def test_candidates_are_the_nine_likeliest() -> None:
    shares = np.arange(12, dtype=np.float32) / 66
    score = replace(
        SCORE, classes=tuple("abcdefghijkl"), probabilities=to_blob(shares), suggestion="l"
    )
    found = candidates(score)
    assert [candidate.label for candidate in found] == list("lkjihgfed")
    assert found[0].probability == pytest.approx(11 / 66)
    assert candidates(None) == ()
