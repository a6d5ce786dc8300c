"""Paths of a training folder: safe everywhere, and no two the same."""

import pytest

from catalog_ai.services.training_folder import Places, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("AB-001", "AB-001"),
        ("été 38", "été 38"),
        ("e\u0301te\u0301", "été"),
        ("../../etc/passwd", "_.._.._etc_passwd"),
        ("C:\\x", "C__x"),
        ("..", "_"),
        ("  ", "_"),
        ("a\nb\u202ec", "a_b_c"),
        ("dots. .", "dots"),
        ("CON", "_CON"),
        ("com1.jpg", "_com1.jpg"),
        ("Consul", "Consul"),
        ("=1+1", "_=1+1"),
        ("-rf", "_-rf"),
        (".hidden", "_.hidden"),
        ("é" * 100, "é" * 60),
    ],
)
def test_a_name_is_safe_on_every_file_system(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_no_two_paths_are_the_same_where_capitals_do_not_count() -> None:
    places = Places()
    skus = ["AB-1", "ab-1", "a/b", "a:b", "a_b~2", "x" * 200, "x" * 201]
    paths = [str(places.of("hat", sku, "images/a.jpg")) for sku in skus]
    assert paths[:4] == ["hat/AB-1.jpg", "hat/ab-1~2.jpg", "hat/a_b.jpg", "hat/a_b~2.jpg"]
    assert len({path.casefold() for path in paths}) == len(skus)
    assert all(path.startswith("hat/") and path.endswith(".jpg") for path in paths)


def test_one_category_is_one_folder_however_it_is_written() -> None:
    places = Places()
    first = places.of("T-Shirt", "1", "a.png")
    assert first == "T-Shirt/1.png"
    assert places.of("t-shirt ", "2", "a.png") == "T-Shirt/2.png"
    assert places.of("a/b", "1", "a.png") == "a_b/1.png"
    assert places.of("a_b", "1", "a.png") == "a_b~2/1.png"


@pytest.mark.parametrize("label", ["Not sure", " other ", "?"])
def test_no_label_is_no_folder(label: str) -> None:
    assert Places().of(label, "1", "a.png") is None
