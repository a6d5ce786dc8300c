"""Everything that can be wrong with one photo or row: stable codes, sentences to act on."""

import re
import unicodedata

from catalog_ai.data.delivery.items import Problem

MAX_SKU = 255
MAX_LABEL = 255
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TAKEN = "deliver JPEG (.jpg, .jpeg), PNG (.png) or WebP (.webp)"


def shown(text: str) -> str:
    """Return `text` with control characters and undecodable bytes as escapes."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# --- entries on disk -----------------------------------------------------------------------------


def link(image: str) -> Problem:
    """A link, to a file or to a folder: it could lead anywhere."""
    return Problem(shown(image), "unsafe_path", "links are not followed: deliver the file itself")


def special_file(image: str) -> Problem:
    """A pipe, socket or device: opening it could wait for ever."""
    return Problem(shown(image), "not_a_file", "a pipe, socket or device is no photo: remove it")


def folder_like_a_photo(image: str) -> Problem:
    """A folder called `dress.jpg`: what lies in it is taken."""
    reason = "this is a folder with a photo's ending: rename it, its own photos are taken"
    return Problem(shown(image), "not_an_image", reason)


def other_format(image: str, ending: str) -> Problem:
    """A file whose name ends in anything but a photo's ending."""
    said = f"files ending in {shown(ending)} are" if ending else "a file without an ending is"
    return Problem(shown(image), "format_not_allowed", f"{said} not taken: {_TAKEN}")


def bad_name(image: str) -> Problem:
    """A name that is no UTF-8 or holds control characters; the reported one has escapes."""
    reason = "the name holds control characters or is no UTF-8: rename the file"
    return Problem(shown(image), "bad_name", reason)


def unreadable(image: str, why: str) -> Problem:
    """A folder that cannot be listed."""
    return Problem(shown(image), "unreadable", f"the folder cannot be opened: {why}")


# --- rows and products ---------------------------------------------------------------------------


def unsafe_row(image: str, where: str, why: str) -> Problem:
    """A row that points anywhere but at a plain file of the delivery."""
    return Problem(shown(image), "unsafe_path", f"{where}: {why}")


def bad_row(where: str, why: str) -> Problem:
    """A row that cannot be read; `where` is where it starts."""
    return Problem(where, "bad_row", f"the row cannot be read: {why}")


def duplicate_sku(image: str, sku: str) -> Problem:
    """A product that came before, with other values."""
    return Problem(shown(image), "duplicate_sku", f"the SKU {sku!r} came before: the first counts")


def bad_sku(image: str, where: str = "") -> Problem:
    """A SKU that the catalogue cannot keep; see `is_bad_sku`."""
    reason = f"a SKU has 1 to {MAX_SKU} characters and none that are invisible controls"
    return Problem(shown(image), "bad_sku", f"{where}: {reason}" if where else reason)


def is_bad_sku(sku: str) -> bool:
    """Whether a SKU is empty, too long, or holds control characters."""
    return not 0 < len(sku) <= MAX_SKU or bool(UNPRINTABLE.search(sku))


def bad_label(image: str, where: str = "") -> Problem:
    """A label that the catalogue cannot keep; see `is_bad_label`."""
    reason = (
        f"a label has at most {MAX_LABEL} characters: shorten it, or map it to one of ours in the "
        "file of categories"
    )
    return Problem(shown(image), "bad_label", f"{where}: {reason}" if where else reason)


def is_bad_label(label: str | None) -> bool:
    """Whether a label is too long."""
    return label is not None and len(label) > MAX_LABEL


def composed(text: str) -> str:
    """Return `text` in NFC; most text is ASCII, which is so already."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
