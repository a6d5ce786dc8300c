"""What a delivery is made of: products, their photos, and what is wrong with it."""

import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Split = Literal["train", "validation"]


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One product as delivered; `image` is its main photo, relative to `root`, as reported.

    `more` are its other photos, relative to `root` as well, in the feed's order. `attributes` holds
    every other column under its casefolded name, as text. Paths are made when they are asked for:
    a delivery may have a million items. `digest` is the sha256 of the delivered photo where `image`
    is the copy that a catalogue keeps of it.
    """

    sku: str
    root: Path
    image: str
    label: str | None
    title: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    split: Split | None = None
    more: tuple[str, ...] = ()
    digest: str = ""

    @property
    def path(self) -> Path:
        """Where the main photo lies."""
        return Path(f"{self.root}/{self.image}")

    @property
    def paths(self) -> list[str]:
        """Where all its photos lie, the main one first."""
        return [f"{self.root}/{image}" for image in (self.image, *self.more)]


@dataclass(frozen=True)
class Problem:
    """One photo or row that cannot be used: a stable code and a sentence."""

    image: str
    code: str
    reason: str


@dataclass(frozen=True)
class Source:
    """What one delivery holds, in a fixed order."""

    root: Path
    kind: Literal["folders", "manifest", "flat"]
    items: tuple[SourceItem, ...]
    missing: tuple[str, ...] = ()  # photos that a row names and that never came
    unlisted: tuple[str, ...] = ()  # photos that no row mentions
    problems: tuple[Problem, ...] = ()
    unusable: tuple[str, ...] = ()  # SKUs that were delivered, and of which nothing can be used


def clean_sku(text: str) -> str:
    """Return a SKU trimmed and in NFC, so that one product never gets two spellings."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()
