import pytest

from catalog_ai.errors import UsageError
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.views import forget_view, list_views, save_view


def test_a_view_is_kept_under_its_name_for_everybody(catalogue: Catalogue) -> None:
    before = revision(catalogue, "views")
    save_view(catalogue, "  Dresses   first ", "review.category=dress", reviewer="Ana")
    save_view(catalogue, "A", "review.sort=newest", reviewer="Ben")
    assert [(view.name, view.created_by) for view in list_views(catalogue)] == [
        ("A", "Ben"),
        ("Dresses first", "Ana"),
    ]
    assert revision(catalogue, "views") > before


def test_the_same_name_again_replaces_it(catalogue: Catalogue) -> None:
    save_view(catalogue, "Mine", "a=1", reviewer="Ana")
    save_view(catalogue, "Mine", "a=2", reviewer="Ben")
    assert [(view.query, view.created_by) for view in list_views(catalogue)] == [("a=2", "Ben")]


def test_a_view_is_forgotten_once_or_twice(catalogue: Catalogue) -> None:
    save_view(catalogue, "Mine", "a=1", reviewer="Ana")
    forget_view(catalogue, "Mine")
    forget_view(catalogue, "Mine")
    assert list_views(catalogue) == ()


@pytest.mark.parametrize(("name", "words"), [("  ", "give the view a name"), ("x" * 121, "121")])
def test_a_name_that_cannot_be_is_refused_in_words(
    catalogue: Catalogue, name: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        save_view(catalogue, name, "", reviewer="Ana")
