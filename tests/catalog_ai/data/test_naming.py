"""A photo of a folder keeps its SKU, whichever others of its name come and go."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog_ai.data.delivery.items import SourceItem
from catalog_ai.data.delivery.naming import Named, name_of, with_names
from catalog_ai.data.delivery.walk import stem


def skus(*images: str, known: Iterable[Named] = (), refused: Collection[str] = ()) -> list[str]:
    """Return the SKUs that photos get beside what is known, and what was refused."""
    items = [SourceItem(name_of(stem(image)), Path(), image, None) for image in images]
    return [item.sku for item in with_names(items, lambda names: known, refused)]


DRESS, HAT = Named("001", "dress/001.jpg"), Named("hat/001", "hat/001.jpg")


def test_a_newcomer_gets_the_longer_name_whichever_comes_first_in_the_folder() -> None:
    assert skus("dress/001.jpg", "hat/001.jpg", known=[DRESS]) == ["001", "hat/001"]
    first = Named("001", "hat/001.jpg")
    assert skus("dress/001.jpg", "hat/001.jpg", known=[first]) == ["dress/001", "001"]


def test_a_longer_name_stays_when_the_other_one_leaves_and_comes_back() -> None:
    assert skus("hat/001.jpg", known=[DRESS, HAT]) == ["hat/001"]
    assert skus("dress/001.jpg", known=[DRESS, HAT]) == ["001"]
    gone = Named("001", "dress/001.jpg", in_the_feed=False)
    assert skus("dress/001.jpg", "hat/001.jpg", known=[gone, HAT]) == ["001", "hat/001"]


def test_two_that_came_together_both_keep_their_longer_names() -> None:
    both = [Named("dress/001", "dress/001.jpg"), HAT]
    assert skus("dress/001.jpg", known=both) == ["dress/001"]


@pytest.mark.parametrize("known", [DRESS, HAT])
def test_a_photo_that_moved_alone_keeps_its_sku(known: Named) -> None:
    assert skus("skirt/001.jpg", known=[known]) == [known.sku]


def test_folders_that_lie_in_another_one_now_keep_the_skus_of_their_photos() -> None:
    images = ["2026-11-25/dress/001.jpg", "2026-11-25/hat/001.jpg"]
    assert skus(*images, known=[DRESS, HAT]) == ["001", "hat/001"]
    assert skus("train/hat/001.jpg", "validation/hat/001.jpg", known=[HAT]) == [
        "train/hat/001",
        "validation/hat/001",
    ]
    known = [HAT, Named("001", "validation/hat/001.jpg")]
    assert skus("x/hat/001.jpg", "dress/001.jpg", known=known) == ["hat/001", "dress/001"]


def test_of_several_that_are_gone_none_is_taken_for_the_one_that_moved() -> None:
    known = [Named("dress/001", "dress/001.jpg"), HAT]
    assert skus("skirt/001.jpg", known=known) == ["001"]


def test_of_several_none_is_taken_over_by_a_newcomer() -> None:
    known = [Named("red", "shoes/red.jpg"), Named("hats/red", "hats/red.jpg")]
    assert skus("bags/red.jpg", known=known) == ["bags/red"]


def test_what_is_hidden_has_not_moved() -> None:
    gone = Named("dress/001", "dress/001.jpg", in_the_feed=False)
    assert skus("skirt/001.jpg", known=[gone]) == ["001"]
    assert skus("skirt/001.jpg", known=[gone, HAT]) == ["hat/001"]


def test_another_ending_is_the_same_photo() -> None:
    assert skus("dress/001.png", "hat/001.png", known=[DRESS]) == ["001", "hat/001"]
    assert skus("dress/001.jpg", "dress/001.png", known=[DRESS]) == ["001", "001"]
    assert skus("dress/001.jpg", "dress/001.png") == ["001", "001"]


def test_where_a_photo_had_two_skus_the_shown_one_counts() -> None:
    """Both may be there since the days when names changed."""
    twice = [Named("dress/001", "dress/001.jpg"), DRESS, HAT]
    assert skus("dress/001.jpg", "hat/001.jpg", known=twice) == ["001", "hat/001"]
    hidden = [Named("001", "dress/001.jpg", in_the_feed=False), twice[0]]
    assert skus("dress/001.jpg", known=hidden) == ["dress/001"]


def test_a_longer_name_that_is_in_use_gets_a_longer_one_yet() -> None:
    moved = Named("hat/001", "coat/001.jpg")
    assert skus("coat/001.jpg", "hat/001.jpg", known=[moved]) == ["hat/001", "2/hat/001"]
    assert skus("coat/001.jpg", "x/hat/001.jpg", known=[moved]) == ["hat/001", "x/hat/001"]


def test_a_sku_that_a_manifest_gave_is_no_name_of_a_file() -> None:
    assert skus("dress/001.jpg", known=[Named("A/001", "images/other.jpg")]) == ["001"]


def test_only_the_whole_way_may_tell_two_photos_apart() -> None:
    images = [f"{top}/b/c/d/e/1.jpg" for top in "ax"]
    assert skus(*images) == ["a/b/c/d/e/1", "x/b/c/d/e/1"]


IMAGES = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "1", "2"]), min_size=1, max_size=4).map("/".join),
    unique=True,
    max_size=8,
)


@given(st.lists(IMAGES, max_size=5))
@settings(max_examples=300, deadline=None)
def test_night_after_night_nobody_gets_anothers_sku(nights: list[list[str]]) -> None:
    held: dict[str, str] = {}  # SKU → image, as a catalogue keeps it

    def known(names: Mapping[str, int]) -> list[Named]:
        return [Named(sku, image) for sku, image in held.items()]

    for images in nights:
        tonight = skus(*images, known=known({}))
        assert len(set(tonight)) == len(images)
        before = {image: sku for sku, image in held.items()}
        for image, sku in zip(images, tonight, strict=True):
            assert sku == before.get(image, sku)
        held |= dict(zip(tonight, images, strict=True))
        assert skus(*images, known=known({})) == tonight


def test_a_photo_that_was_refused_keeps_its_sku_from_others() -> None:
    assert skus("hat/001.jpg", known=[DRESS], refused=["dress/001"]) == ["hat/001"]
    assert skus("hat/001.jpg", known=[DRESS], refused=["2026-11-26/dress/001"]) == ["hat/001"]
    hidden = Named("001", "dress/001.jpg", in_the_feed=False)
    assert skus("hat/001.jpg", known=[hidden], refused=["dress/001"]) == ["hat/001"]
    both = [DRESS, HAT]
    assert skus("coat/001.jpg", known=both, refused=["dress/001", "hat/001"]) == ["coat/001"]


def test_what_lies_in_a_folder_that_was_not_looked_into_keeps_its_skus() -> None:
    assert skus("hat/001.jpg", known=[DRESS], refused=["dress/"]) == ["hat/001"]
    assert skus("hat/001.jpg", known=[DRESS], refused=["dres/", "001/"]) == ["001"]


def test_a_refused_file_that_nobody_knows_changes_no_sku() -> None:
    assert skus("hat/001.jpg", refused=["raw/001", "hat/001"]) == ["001"]
    assert skus("hat/001.jpg", known=[DRESS], refused=["raw/001"]) == ["001"]  # it has moved
    assert skus("dress/001.jpg", known=[DRESS], refused=["dress/001"]) == ["001"]


def test_names_are_asked_about_that_refused_photos_may_have() -> None:
    asked: list[dict[str, int]] = []
    items = [SourceItem(name, Path(), f"hat/{name}.jpg", None) for name in ("1", "2")]

    def noting(names: Mapping[str, int]) -> Iterable[Named]:
        asked.append(dict(names))
        return ()

    for refused in ((), ["coat/1", "hat/2", "coat/3"], ["coat/"]):
        with_names(items, noting, refused)
    assert asked == [{"1": 1, "2": 1}, {"1": 2, "2": 1}, {"1": 2, "2": 2}]


@given(st.lists(st.tuples(IMAGES, st.integers(0, 8)), max_size=5))
@settings(max_examples=300, deadline=None)
def test_whatever_is_refused_nobody_gets_anothers_sku(nights: list[tuple[list[str], int]]) -> None:
    """The last few of each night are refused: who was known there before is known there again."""
    held: dict[str, str] = {}
    for images, taken in nights:
        good, bad = images[:taken], images[taken:]
        known = [Named(sku, image) for sku, image in held.items()]
        tonight = dict(zip(skus(*good, known=known, refused=bad), good, strict=True))
        assert len(tonight) == len(good)
        for sku, image in held.items():
            if image in images:
                assert tonight.get(sku, image) == image
        held |= tonight
