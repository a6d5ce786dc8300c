import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import delete, select, update

from catalog_ai.errors import CheckpointError, NoModelError, PhotoError, UsageError
from catalog_ai.services import shop
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.ingest import ingest
from catalog_ai.services.neighbours import InMemory, load_index, search
from catalog_ai.services.renaming import rename
from catalog_ai.services.training import register
from db.engine import read, write
from db.schema import Embedding, ModelVersion, Product
from db.vectors import from_blob
from tests.helpers import DIMENSION, Seeded, fake_model, photo_bytes, seed_catalogue, write_photo

BEFORE_SEARCH = """
import sys
from pathlib import Path
from catalog_ai.config import settings
from catalog_ai.services import briefing, map, review, shop
from catalog_ai.services.catalogue import open_catalogue
catalogue = open_catalogue(settings(home=Path(sys.argv[1])))
assert len(shop.similar_to_product(catalogue, 1)) == 12
assert shop.find_products(catalogue, "AB") and review.review_queue(catalogue).total
assert map.map_view(catalogue) and briefing.today(catalogue).newest
print([name for name in ("torch", "sklearn", "umap", "numba") if name in sys.modules])
"""


def change(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id == product_id).values(**columns))


def skus(cards: tuple[shop.ProductCard, ...]) -> list[str]:
    return [card.sku for card in cards]


def test_cards_come_in_the_order_asked_for(catalogue: Catalogue, seeded: Seeded) -> None:
    cards = shop.product_cards(catalogue, [9, 2, 999, 5])
    assert [card.product_id for card in cards] == [9, 2, 5]
    assert [card.looks_wrong for card in cards] == [False, True, True]
    assert cards[1].suggestion not in (None, cards[1].label)
    assert cards[1].attributes["season"] == "summer"
    assert all(card.thumbnail.is_file() and card.image.is_file() for card in cards)
    assert shop.product_card(catalogue, 2) == cards[1]
    assert shop.product_card(catalogue, 999) is None


def test_a_large_selection_is_no_problem(catalogue: Catalogue, seeded: Seeded) -> None:
    """A lasso may catch more products than SQLite takes parameters."""
    assert len(shop.product_cards(catalogue, range(1, 40_000))) == len(seeded.product_ids)


def test_what_was_decided_looks_wrong_no_more(catalogue: Catalogue, seeded: Seeded) -> None:
    change(catalogue, seeded.wrong_ids[0], review_state="kept")
    card = shop.product_card(catalogue, seeded.wrong_ids[0])
    assert card is not None
    assert not card.looks_wrong


def test_without_words_the_newest_are_found(catalogue: Catalogue, seeded: Seeded) -> None:
    assert skus(shop.find_products(catalogue, limit=3)) == ["AB-024", "AB-023", "AB-022"]


def test_words_are_found_as_they_are_typed(catalogue: Catalogue, seeded: Seeded) -> None:
    for product_id, title in ((3, "50% off"), (5, "a_b"), (6, "back\\slash")):
        change(catalogue, product_id, title=title)
    expected: dict[str, list[str]] = {
        "ab-00": [f"AB-00{number}" for number in range(1, 10)],
        "  AB-007 ": ["AB-007"],
        "NO. 12": ["AB-012"],
        "50% off": ["AB-003"],
        "%": ["AB-003"],
        "_": ["AB-005"],
        "\\": ["AB-006"],
        "' OR 1=1 --": [],
        "nowhere": [],
    }
    assert {text: skus(shop.find_products(catalogue, text)) for text in expected} == expected


def test_skus_that_start_with_the_words_come_first(catalogue: Catalogue, seeded: Seeded) -> None:
    change(catalogue, 20, sku="linen-1")
    found = skus(shop.find_products(catalogue, "Linen"))
    assert found[0] == "linen-1"
    assert found[1:] == sorted(found[1:])


def test_search_by_words_keeps_to_the_category(catalogue: Catalogue, seeded: Seeded) -> None:
    cards = shop.find_products(catalogue, "linen", category="hat")
    assert cards
    assert {card.label for card in cards} == {"hat"}
    assert shop.find_products(catalogue, category="Polo")[0].label == "Polo"


def vectors(catalogue: Catalogue) -> dict[int, np.ndarray]:
    with read(catalogue.engine) as session:
        rows = session.scalars(select(Embedding))
        return {row.product_id: from_blob(row.vector, DIMENSION) for row in rows}


@pytest.mark.parametrize("category", [None, "shoes"])
def test_similar_products_are_the_closest(
    catalogue: Catalogue, seeded: Seeded, category: str | None
) -> None:
    known = vectors(catalogue)
    cards = {card.product_id: card for card in shop.product_cards(catalogue, list(known))}
    far = sorted(
        (float(np.sqrt(((known[other] - known[10]) ** 2).sum())), other)
        for other in known
        if other != 10 and category in (None, cards[other].label)
    )
    found = shop.similar_to_product(catalogue, 10, k=6, category=category)
    assert [match.card.product_id for match in found] == [other for _, other in far[:6]]
    assert [match.distance for match in found] == pytest.approx([d for d, _ in far[:6]], abs=1e-5)


def test_a_category_that_nothing_carries_has_no_matches(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    assert shop.similar_to_product(catalogue, 10, category="socks") == ()


def test_more_than_there_is_gives_all_but_itself(catalogue: Catalogue, seeded: Seeded) -> None:
    found = shop.similar_to_product(catalogue, 10, k=500)
    assert sorted([10, *(match.card.product_id for match in found)]) == list(seeded.product_ids)


def test_what_is_no_product_photo_is_not_similar_to_anything(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    closest = shop.similar_to_product(catalogue, 10)[0].card.product_id
    change(catalogue, closest, review_state="not_product")
    assert closest not in [
        match.card.product_id for match in shop.similar_to_product(catalogue, 10, k=99)
    ]


@pytest.mark.sqlite("a server keeps its index itself")
def test_an_index_can_be_kept_between_searches(catalogue: Catalogue, seeded: Seeded) -> None:
    kept = load_index(catalogue)
    assert isinstance(kept, InMemory)
    assert (kept.version, len(kept.index)) == (seeded.version, len(seeded.product_ids))
    with write(catalogue.engine) as session:
        session.execute(delete(Embedding).where(Embedding.product_id != 10))
    assert len(shop.similar_to_product(catalogue, 10, index=kept)) == 12
    assert shop.similar_to_product(catalogue, 10) == ()


def test_vectors_of_another_version_never_meet(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
        session.flush()
        twin = session.get_one(ModelVersion, seeded.model_id)
        session.add(
            ModelVersion(
                version="newer",
                recipe="small",
                classes=twin.classes,
                dimension=twin.dimension,
                meta=twin.meta,
                is_active=True,
                created_at=twin.created_at,
            )
        )
    index = load_index(catalogue)
    assert index is not None
    assert search(catalogue, index, np.eye(1, DIMENSION, dtype=np.float32)[0], 99) == []
    with pytest.raises(UsageError, match=r"run python -m catalog_ai\.worker"):
        shop.similar_to_product(catalogue, 10)


def test_without_a_model_it_says_what_to_run(catalogue: Catalogue) -> None:
    assert load_index(catalogue) is None
    with pytest.raises(NoModelError, match=r"catalog_ai\.worker"):
        shop.similar_to_product(catalogue, 1)


def test_a_session_that_uploads_nothing_never_loads_torch(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE_SEARCH, str(catalogue.settings.home)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.stderr, done.stdout.strip()) == ("", "[]")


def test_an_upload_that_is_no_photo_is_refused(catalogue: Catalogue) -> None:
    for data in (b"", b"<html>", b"/etc/passwd", photo_bytes()[:-200], photo_bytes(format="BMP")):
        with pytest.raises(PhotoError):
            shop.similar_to_photo(catalogue, data)


COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b")


@pytest.fixture
def stocked(catalogue: Catalogue, tmp_path: Path) -> Catalogue:
    """Four photos, taken in under an untrained model."""
    register(catalogue, fake_model(catalogue.settings.models, "v1"), activate=True)
    for number, colour in enumerate(COLOURS):
        category = ("dress", "hat")[number % 2]
        write_photo(tmp_path / "feed" / category / f"P{number}.jpg", colour, (700, 900))
    ingest(catalogue, tmp_path / "feed")
    return catalogue


def test_the_very_photo_is_found_first(stocked: Catalogue, tmp_path: Path) -> None:
    for number in range(4):
        category = ("dress", "hat")[number % 2]
        data = (tmp_path / "feed" / category / f"P{number}.jpg").read_bytes()
        found = shop.similar_to_photo(stocked, data, k=3)
        assert found.matches[0].card.sku == f"P{number}"
        assert found.matches[0].distance == pytest.approx(0, abs=1e-3)
        assert found.matches[1].distance > 1e-3
        other = ("hat", "dress")[number % 2]
        filtered = shop.similar_to_photo(stocked, data, category=other)
        assert [match.card.label for match in filtered.matches] == [other] * 2


def test_what_the_model_says_of_an_upload(stocked: Catalogue) -> None:
    found = shop.similar_to_photo(stocked, photo_bytes(COLOURS[0], format="WEBP"))
    shares = [candidate.probability for candidate in found.candidates]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)
    assert (found.label, found.confidence) == (found.candidates[0].label, shares[0])


def test_an_upload_is_called_as_categories_are_called_now(stocked: Catalogue) -> None:
    photo = photo_bytes(COLOURS[0])
    before = {c.label: c.probability for c in shop.similar_to_photo(stocked, photo).candidates}
    rename(stocked, ["hat", "shoes"], "Accessories", reviewer="Ana", request_key="x")
    after = {c.label: c.probability for c in shop.similar_to_photo(stocked, photo).candidates}
    assert after.pop("Accessories") == pytest.approx(before.pop("hat") + before.pop("shoes"))
    assert after == pytest.approx(before)


def test_the_preview_of_an_upload_is_a_picture_of_ours(stocked: Catalogue) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x9286] = "taken at home"
    data = photo_bytes(COLOURS[0], size=(640, 480), exif=exif.tobytes())
    preview = shop.similar_to_photo(stocked, data).preview
    assert b"taken at home" in data
    assert b"taken at home" not in preview
    with Image.open(BytesIO(preview)) as image:
        assert (image.format, image.size) == ("JPEG", (240, 320))
        assert not image.getexif()


def test_a_vanished_model_is_said_in_words(catalogue: Catalogue) -> None:
    seed_catalogue(catalogue)
    with pytest.raises(CheckpointError):
        shop.similar_to_photo(catalogue, photo_bytes())
