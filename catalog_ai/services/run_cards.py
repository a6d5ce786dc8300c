"""What is said of one item of a run, the same on its page and on the dashboard."""

from dataclasses import dataclass

from catalog_ai.services.runs import TROUBLES, RunItemView

NO_LABEL = "no label"
_SETTLED = {"open": "", "retried": "to be tried again", "dismissed": "dismissed"}


@dataclass(frozen=True)
class Card:
    """The words of one item, "" where there are none.

    A label that gave way, or should, is `before`, the other `after`; without `after`, `before` is
    simply the label. Where `framed`, there is a place for a picture even if none is found.
    """

    name: str
    aside: str
    framed: bool
    before: str = ""
    after: str = ""
    doubt: str = ""
    reason: str = ""
    code: str = ""
    settled: str = ""


def card(section: str, item: RunItemView) -> Card:
    """Return the words of an item in one of the sections of `run_sections.TITLES`."""
    if section in TROUBLES:
        return _trouble(section, item)
    name, aside = (item.title, item.sku) if item.title else (item.sku, "")
    before, after, doubt = item.label, "", ""
    if section == "moved":
        before, after = item.label_before, item.label_after or NO_LABEL
    elif section == "wrong":
        after = item.suggestion
        doubt = "" if item.score is None else f"{item.score:.0%} likely wrong"
    return Card(name, aside, True, before or NO_LABEL, after, doubt)


def _trouble(section: str, item: RunItemView) -> Card:
    name, aside = (item.image, item.sku) if item.image else (item.sku, "")
    if section != "quarantined":
        return Card(name, aside, False)  # the section's title is the reason
    settled = _SETTLED[item.settled] or item.remedy
    return Card(name, aside, False, reason=item.reason, code=item.code, settled=settled)
