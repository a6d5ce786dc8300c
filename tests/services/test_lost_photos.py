"""Stored copies that are gone, empty or damaged: the doctor says so, a delivery repairs them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog_ai.images import decode, decode_photo
from catalog_ai.inference.predicting import Answer
from catalog_ai.services import photos
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.checking import PROBLEM, Finding, check, open_as_found
from catalog_ai.services.ingest import IngestReport, Wishes, ingest
from catalog_ai.services.interim import Found, Interim
from catalog_ai.services.photos import checksum_of, is_there, named_after, store_photo
from catalog_ai.services.preparing import Order, Preparer
from catalog_ai.services.training import register
from db.engine import read, write
from db.queries import products
from db.schema import Product, ProductPhoto
from tests.helpers import fake_model, photo_bytes, write_photo

COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b")
TOPICS = ("products", "labels", "embeddings", "jobs")

Damage = Callable[[Path], None]


def deliver(folder: Path) -> Path:
    """Write a delivery of two products, the first with two further photos."""
    names = ("a.jpg", "a-2.jpg", "a-3.jpg", "b.jpg")
    for name, colour in zip(names, COLOURS, strict=True):
        write_photo(folder / name, colour, size=(60, 80))
    (folder / "manifest.csv").write_text(
        "sku,image,label\nA,a.jpg|a-2.jpg|a-3.jpg,hat\nB,b.jpg,hat\n"
    )
    return folder


def stored(shop: Catalogue) -> dict[str, Path]:
    """Return the copy that the database names for each photo as delivered."""
    with read(shop.engine) as session:
        rows = products.by_skus(session, ["A", "B"])
        further = products.further_photos(session, [rows["A"].id])[rows["A"].id]
    named: list[Any] = [*rows.values(), *further]
    return {row.image_path: shop.settings.home / row.stored_image for row in named}


def files(shop: Catalogue) -> dict[Path, bytes]:
    """Return everything in images/."""
    return {path: path.read_bytes() for path in shop.settings.images.rglob("*") if path.is_file()}


def problems(shop: Catalogue) -> dict[str, Finding]:
    """Return what a close look finds wrong with the photos."""
    names = {"stored photos", "thumbnails", "other photos", "photos decode"}
    opened = open_as_found(shop.settings)
    found = {one.name: one for one in check(opened, deep=True) if one.state == PROBLEM}
    opened.engine.dispose()
    return {name: one for name, one in found.items() if name in names}


def assert_nothing_to_do(shop: Catalogue, folder: Path) -> None:
    """Check that one more delivery writes neither a row nor a file."""
    before = revision(shop, *TOPICS), [path.stat() for path in sorted(files(shop))]
    report = ingest(shop, folder)
    assert (report.unchanged, report.computed) == (2, 0)
    assert (revision(shop, *TOPICS), [path.stat() for path in sorted(files(shop))]) == before


def delete(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def give_old_names(shop: Catalogue) -> None:
    """Name every copy as an earlier version did, by the delivered bytes alone."""
    home = shop.settings.home
    with write(shop.engine) as session:
        rows: list[Any] = [*session.query(Product), *session.query(ProductPhoto)]
        for row in rows:
            path = home / row.stored_image
            old = path.with_name(f"{row.image_sha256}{path.suffix}")
            path.rename(old)
            row.stored_image = old.relative_to(home).as_posix()


@pytest.mark.parametrize("earlier", [False, True], ids=["named", "named before"])
@pytest.mark.parametrize("damage", [delete, empty])
def test_a_copy_that_is_gone_or_empty_comes_back(
    shop: Catalogue, tmp_path: Path, damage: Damage, earlier: bool
) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    whole = files(shop)
    if earlier:
        give_old_names(shop)
    for name in ("a-3.jpg", "b.jpg"):
        damage(stored(shop)[name])
    assert problems(shop)["stored photos"].sentence.startswith("2 of 4")
    report = ingest(shop, folder)
    assert (report.computed, report.quarantined) == (0, [])  # the model is not asked again
    assert (report.unchanged, report.updated) == ((0, 2) if earlier else (2, 0))
    assert problems(shop) == {}
    copies = stored(shop)
    assert set(files(shop)) == set(copies.values())
    assert {copies[name] for name in ("a-3.jpg", "b.jpg")} <= set(whole)
    assert sorted(files(shop).values()) == sorted(whole.values())
    assert_nothing_to_do(shop, folder)


def cut_short(data: bytes) -> bytes:
    return data[:-100]


def flip_a_bit(data: bytes) -> bytes:
    """Change one number of a table: it decodes whole, to other pixels."""
    place = data.index(b"\xff\xdb") + 20
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit])
@pytest.mark.parametrize("name", ["a.jpg", "a-2.jpg"])
def test_a_damaged_copy_comes_back_once_it_is_deleted(
    shop: Catalogue, tmp_path: Path, damage: Callable[[bytes], bytes], name: str
) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    whole, path = files(shop), stored(shop)[name]
    path.write_bytes(damage(whole[path]))
    found = problems(shop)
    assert set(found) == {"photos decode"}
    named = path.relative_to(shop.settings.home).as_posix()
    assert found["photos decode"].files == (named,)
    assert found["photos decode"].examples == (f"{named}: it is not what was stored",)
    assert "doctor --repair" in found["photos decode"].advice
    for file in found["photos decode"].files:
        (shop.settings.home / file).unlink()
    ingest(shop, folder)
    assert files(shop) == whole
    assert problems(shop) == {}
    assert_nothing_to_do(shop, folder)


def test_the_flipped_bit_is_one_that_only_a_checksum_finds(tmp_path: Path) -> None:
    data = decode_photo(photo_bytes(COLOURS[0], size=(60, 80))).stored_copy().data
    assert decode(flip_a_bit(data)).shape == (80, 60, 3)


def test_copies_that_an_earlier_version_named_go_on(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    give_old_names(shop)
    assert problems(shop) == {}
    assert_nothing_to_do(shop, folder)
    path = stored(shop)["a.jpg"]
    path.write_bytes(cut_short(path.read_bytes()))
    (named,) = problems(shop)["photos decode"].files
    assert shop.settings.home / named == path


def test_another_models_pass_encodes_nothing_again(
    shop: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    whole = files(shop)
    register(shop, fake_model(shop.settings.models, "two"), activate=True)
    monkeypatch.setattr(photos, "_store_copy", lambda *_: pytest.fail("it was encoded again"))
    report = ingest(shop, folder)
    assert (report.computed, report.updated) == (2, 0)
    assert files(shop) == whole


def test_photos_that_change_places_are_not_stored_again(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    whole, before = files(shop), stored(shop)
    manifest = folder / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("a.jpg|a-2.jpg", "a-2.jpg|a.jpg"))
    report = ingest(shop, folder)
    assert (report.updated, report.computed) == (1, 1)
    assert stored(shop) == before
    assert files(shop) == whole
    assert_nothing_to_do(shop, folder)


def test_a_dry_run_stores_nothing_anew(shop: Catalogue, tmp_path: Path) -> None:
    folder = deliver(tmp_path / "in")
    ingest(shop, folder)
    stored(shop)["a.jpg"].unlink()
    report: IngestReport = ingest(shop, folder, wishes=Wishes(dry_run=True))
    assert (report.unchanged, report.computed) == (2, 0)
    assert not stored(shop)["a.jpg"].exists()


def test_a_copy_that_is_half_there_is_written_whole(catalogue: Catalogue) -> None:
    data = photo_bytes(COLOURS[0], size=(60, 80))
    digest = "0a" * 32
    name, small = store_photo(catalogue.settings, digest, decode_photo(data))
    path = catalogue.settings.home / name
    whole = path.read_bytes()
    assert named_after(path) == (digest, checksum_of(whole))
    path.write_bytes(cut_short(whole))
    (catalogue.settings.home / small).write_bytes(b"")
    assert store_photo(catalogue.settings, digest, decode_photo(data)) == (name, small)
    assert path.read_bytes() == whole
    assert is_there(catalogue.settings.home / small)


def test_what_an_earlier_run_left_is_used_only_where_its_copy_is_there(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    source = tmp_path / "in" / "a.jpg"
    write_photo(source, COLOURS[0], size=(60, 80))
    settings = catalogue.settings
    preparer = Preparer(settings, source.parent, 32, {})
    (photo,) = preparer([Order((str(source),))])[0].photos
    answer = Answer(np.ones(2, np.float32), np.ones(4, np.float32), np.ones(3, np.float16))
    left = {photo.digest: Found(photo.digest, photo.stored, photo.small, answer)}
    carrying_on = Preparer(
        settings, source.parent, 32, {}, interim=Interim(settings.interim, "one", 4, left)
    )
    assert carrying_on([Order((str(source),))])[0].square is None
    (settings.home / photo.stored).write_bytes(b"")
    found = carrying_on([Order((str(source),))])[0]
    assert found.square is not None
    assert found.photos == (photo,)
    assert is_there(settings.home / photo.stored)


def test_the_model_is_not_asked_again_about_a_photo_that_it_knows(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    source = tmp_path / "in" / "a.jpg"
    write_photo(source, COLOURS[0], size=(60, 80))
    preparer = Preparer(catalogue.settings, source.parent, 32, {})
    (photo,) = preparer([Order((str(source),))])[0].photos
    order = Order((str(source),), photo.digest, {photo.digest: photo.stored})
    known = preparer([order])[0]
    assert (known.square, known.photos[0].stored) == (None, "")
    (catalogue.settings.home / photo.stored).unlink()
    lost = preparer([order])[0]
    assert (lost.square, lost.photos) == (None, (photo,))
    assert is_there(catalogue.settings.home / photo.stored)
