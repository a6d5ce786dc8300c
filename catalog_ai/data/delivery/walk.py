"""List what lies below a folder, without opening a single file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from catalog_ai.data.delivery import problems
from catalog_ai.data.delivery.items import Problem

PHOTO_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True)
class Listing:
    """What a folder holds, by names relative to it with "/" between their parts.

    `photos` are regular files with a photo's ending, in a fixed order: a folder's own before
    those of its folders, each by name. Whatever else is there stands in `problems`; `refused`
    is the same as name → code, under the names on disk.
    """

    photos: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def refuse(self, name: str, problem: Problem) -> None:
        """Note an entry that is not taken."""
        self.problems.append(problem)
        self.refused[name] = problem.code


def list_entries(root: Path, manifest: str | None = None) -> Listing:
    """Return what lies below `root`, but for dot-files, dot-folders and the `manifest` in it.

    Names are strings, since a `Path` for each of a hundred thousand entries would take seconds.
    """
    listing = Listing()
    for name, entry in _walk(str(root), listing):
        if name != manifest:
            _judge(name, entry, listing)
    return listing


def ending(name: str) -> str:
    """Return what follows the last dot of a file's name, with it, in small letters."""
    _, dot, last = name[name.rfind("/") + 1 :].rpartition(".")
    return f".{last.lower()}" if dot else ""


def stem(name: str) -> str:
    """Return a file's name without the ending of a photo; "shirt.v2" has none."""
    suffix = ending(name)
    return name[: -len(suffix)] if suffix in PHOTO_ENDINGS else name


def without_ending(name: str) -> tuple[str, str]:
    """Return a name without the ending of a photo, and without any."""
    return stem(name), name[: len(name) - len(ending(name))]


def _walk(root: str, listing: Listing) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield (relative name, entry) for all below `root` but the folders that are walked into."""
    pending = [""]
    while pending:
        prefix = pending.pop()
        try:
            with os.scandir(f"{root}/{prefix}") as found:
                entries = sorted(
                    (entry for entry in found if not entry.name.startswith(".")),
                    key=lambda entry: entry.name,
                )
        except OSError as error:
            listing.problems.append(problems.unreadable(prefix.rstrip("/"), str(error.strerror)))
            continue
        folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        pending.extend(f"{prefix}{name}/" for name in reversed(folders))
        skipped = {name for name in folders if ending(name) not in PHOTO_ENDINGS}
        yield from ((prefix + entry.name, entry) for entry in entries if entry.name not in skipped)


def _judge(name: str, entry: os.DirEntry[str], listing: Listing) -> None:
    """Put an entry among the photos, or among the problems."""
    if not name.isprintable() and problems.UNPRINTABLE.search(name):
        listing.refuse(name, problems.bad_name(name))
    elif entry.is_file(follow_symlinks=False):
        suffix = ending(entry.name)
        if suffix in PHOTO_ENDINGS:
            listing.photos.append(name)
        else:
            listing.refuse(name, problems.other_format(name, suffix))
    elif entry.is_symlink():
        listing.refuse(name, problems.link(name))
    elif entry.is_dir(follow_symlinks=False):
        listing.refuse(name, problems.folder_like_a_photo(name))
    else:
        listing.refuse(name, problems.special_file(name))
