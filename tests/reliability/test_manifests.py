"""Manifests of random bytes and rows that point elsewhere: refused, and nothing else is opened."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings

from catalog_ai.config import settings as catalogue_settings
from catalog_ai.data.sources import read_source
from catalog_ai.services.preparing import Order, Preparer
from tests.catalog_ai.data.test_entries import ATTACKS, opened
from tests.catalog_ai.data.test_manifests import RANDOM, was_read
from tests.fakes import write_photo
from tests.reliability.scale import sized


@pytest.mark.parametrize("kind", RANDOM)
def test_random_manifests_are_read_or_refused(kind: str, figure: Callable[[str], None]) -> None:
    """Whatever else is raised fails the test."""
    count, outcomes = sized(2_000, 50), Counter[bool]()

    @given(RANDOM[kind])
    @settings(max_examples=count, deadline=None, database=None)
    def one(file: tuple[str, bytes]) -> None:
        outcomes[was_read(*file)] += 1

    one()
    assert outcomes.total() >= count
    figure(
        f"{outcomes.total():,} manifests of {kind}: {outcomes[True]:,} read, "
        f"{outcomes[False]:,} refused in a sentence, 0 tracebacks"
    )


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """A delivery with one photo, beside photos outside, links that lead there, and a pipe."""
    folder, outside = tmp_path / "feed", tmp_path / "outside"
    write_photo(folder / "b.jpg")
    for secret in (tmp_path, outside, outside / "deep"):
        write_photo(secret / "secret.jpg", "#3b5b8c")
    for place in (folder, folder / "images"):
        place.mkdir(exist_ok=True)
        (place / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.jpg")
    return folder


def test_no_path_in_a_manifest_opens_anything_outside(
    feed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """The row is refused; and were it not, the one who reads photos would refuse the path."""
    preparer = Preparer(catalogue_settings(home=tmp_path / "home"), feed, 64, {}, keeps=False)
    manifest = feed / "manifest.csv"
    manifest.write_text("image\nb.jpg\n")
    _read_all(feed, preparer)  # imports are files too
    got, real = [], os.open

    def noting(*arguments: object, **options: object) -> int:
        handle = real(*arguments, **options)  # type: ignore[arg-type]
        got.append(str(Path(f"/proc/self/fd/{handle}").readlink()))  # wherever a link has led
        return handle

    monkeypatch.setattr(os, "open", noting)
    tried: list[str] = []
    for attack in ATTACKS:
        manifest.write_text(f'image\n"{attack}"\nb.jpg\n')
        with opened() as names:
            assert _read_all(feed, preparer) == ["b"], attack
            (found,) = preparer([Order((str(feed / attack),))])
            assert not found.photos and found.refused, attack
            tried += names
    assert str(feed / "b.jpg") in got
    assert list(_outside(feed, [*got, *tried])) == []
    figure(
        f"{len(ATTACKS)} path attacks, in a manifest and on the one who reads photos: each refused,"
        f" 0 opens outside SOURCE ({len(got) + len(tried):,} inside)"
    )


def _read_all(feed: Path, preparer: Preparer) -> list[str]:
    """Return the SKUs of what comes in, all photos read."""
    items = read_source(feed).items
    found = preparer([Order(tuple(item.paths)) for item in items])
    return [item.sku for item, one in zip(items, found, strict=True) if one.photos]


def _outside(feed: Path, names: Iterable[str]) -> Iterable[str]:
    """Yield sockets, and what is not below the feed; a relative name is opened within it."""
    return (
        name
        for name in names
        if name.startswith("<socket")
        or ".." in Path(name).parts
        or (Path(name).is_absolute() and not Path(name).resolve().is_relative_to(feed.resolve()))
    )
