"""Labels as they are compared, and which of them are categories to learn."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable

NO_LABEL_WORDS = frozenset(
    {"", "?", "not sure", "other", "skip", "unknown", "none", "n/a", "unlabeled", "unlabelled"}
)


def normal_label(label: str) -> str:
    """Return what labels are compared by: trimmed, single spaces, NFC, case-folded."""
    return " ".join(unicodedata.normalize("NFC", label).split()).casefold()


def usable_classes(labels: Iterable[str | None], *, minimum: int = 8) -> list[str]:
    """Return the categories with at least `minimum` photos, sorted, in their commonest spelling.

    Words that say "no label" ("Not sure", "Other", …) are none. Labels are usable for training
    when at least two categories come back.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label in labels:
        if label is not None and normal_label(label) not in NO_LABEL_WORDS:
            spellings[normal_label(label)][" ".join(label.split())] += 1
    usable = [counts for counts in spellings.values() if counts.total() >= minimum]
    return sorted(min(counts, key=lambda name: (-counts[name], name)) for counts in usable)
