"""What a delivered label means for a product that people may have decided about.

The feed's label (`label_given`) and the catalogue's (`label_current`) are two things. A decision
stands for as long as the feed keeps delivering the label it was made against.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from catalog_ai.data.sources import normal_label

DECIDED = ("kept", "changed", "not_product")


@dataclass(frozen=True)
class Labels:
    """Both labels of a product and the state of its review."""

    given: str | None
    current: str | None
    review_state: str


class Spelling:
    """The catalogue's way of writing each label: its categories first, then what came.

    `aliases` maps `normal_label` of names that were given up to the category that is meant.
    """

    def __init__(
        self,
        categories: Iterable[str],
        in_use: Iterable[str],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self._written: dict[str, str] = {}
        self.aliases: Mapping[str, str] = aliases or {}
        for label in (*categories, *in_use):
            self._written.setdefault(normal_label(label), label)

    def of(self, label: str | None) -> str | None:
        """Return `label` as the catalogue has it; a new one stays as it came, and is learnt."""
        if label is None or not label.strip():
            return None
        meant = self.aliases.get(normal_label(label), label)
        return self._written.setdefault(normal_label(meant), meant.strip())


def same_label(one: str | None, other: str | None) -> bool:
    """Whether two labels are the same, apart from capitals and spaces."""
    return normal_label(one or "") == normal_label(other or "")


def follow_feed(before: Labels, delivered: str | None, spelling: Spelling) -> Labels:
    """Return a product's labels after the feed delivered `delivered` for it.

    The same label again changes nothing. Another one goes through where nobody has decided; where
    somebody has, the decision stands if the feed now says the same as it, else the product goes to
    "second look" under the feed's new label.
    """
    if same_label(before.given, delivered):
        return before
    if before.review_state not in DECIDED:
        return Labels(delivered, spelling.of(delivered), before.review_state)
    meant = spelling.of(delivered)
    if before.review_state != "not_product" and same_label(before.current, meant):
        return Labels(delivered, before.current, before.review_state)
    return Labels(delivered, meant, "second_look")


def with_new_photo(before: Labels) -> Labels:
    """Return a product's labels after its photo changed: what was decided is asked once more."""
    if before.review_state not in DECIDED:
        return before
    return Labels(before.given, before.current, "second_look")
