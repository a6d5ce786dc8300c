"""The one decoder: bytes in, upright sRGB pixels out, or a reason why not.

Training, ingest and search all see a photo through `decode`, so that the same file always gives
the same pixels. What is kept on disk comes from `stored_copy` and `thumbnail`.
"""

import os
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from catalog_ai.errors import PhotoError
from catalog_ai.metadata import without_metadata

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 80_000_000
MIN_SIDE = 16
MAX_RATIO = 10
MAX_SIDE = 800
THUMBNAIL_SIDE = 320
_UPRIGHT = 1
_ORIENTATION = 0x0112
_TURNS = {  # what each EXIF orientation needs to stand upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}


@dataclass(frozen=True)
class StoredCopy:
    """One photo as the catalogue keeps it: upright, at most 800 px, no metadata."""

    data: bytes
    suffix: str


def read_photo(path: Path) -> bytes:
    """Return the bytes of a regular file of at most 50 MB; links and pipes are not followed.

    Raises `PhotoError` with the code `not_a_file`, `too_large`, `empty` or `unreadable`.
    """
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        code = "not_a_file" if path.is_symlink() else "unreadable"
        raise PhotoError(code, f"the file cannot be opened: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise PhotoError("not_a_file", "this is a folder or a device, not a photo")
    with os.fdopen(handle, "rb") as file:
        _check_size(os.fstat(handle).st_size)
        return file.read()


def decode(data: bytes) -> Pixels:
    """Return the photo as (H, W, 3) uint8, upright, sRGB, alpha over white, first frame.

    Raises `PhotoError` for anything but a whole JPEG, PNG or WebP of sensible dimensions.
    """
    with _open(data) as image:
        return np.asarray(_upright_rgb(image), dtype=np.uint8)


def resize_square(pixels: Pixels, size: int) -> Pixels:
    """Return (size, size, 3) uint8, squeezed to a square as torchvision's `Resize` does."""
    image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.uint8)


def stored_copy(data: bytes, pixels: Pixels) -> StoredCopy:
    """Return what the catalogue keeps of a photo; `pixels` is what `decode` made of `data`.

    A photo that is upright, small enough and already sRGB keeps its compressed pixels untouched:
    only its metadata (EXIF with GPS, XMP, comments, anything behind the image) is cut out. Any
    other is encoded once, as a JPEG of quality 90.
    """
    with _open(data) as image:
        kind = str(image.format)
        if _fits(image):
            return StoredCopy(without_metadata(data, kind), _SUFFIXES[kind])
    upright = Image.fromarray(pixels)
    upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return StoredCopy(_jpeg(upright, quality=90), ".jpg")


def thumbnail(pixels: Pixels) -> bytes:
    """Return a JPEG with the whole picture in it, its longest side at most 320 px."""
    image = Image.fromarray(pixels)
    image.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    return small_jpeg(image)


def small_jpeg(image: Image.Image) -> bytes:
    """Return a small picture as a JPEG of quality 85, without any metadata."""
    return _jpeg(image, quality=85)


def _check_size(size: int) -> None:
    if size == 0:
        raise PhotoError("empty", "the file is empty: deliver it again")
    if size > MAX_BYTES:
        megabytes = MAX_BYTES // 1024 // 1024
        raise PhotoError("too_large", f"the file is larger than {megabytes} MB: deliver a smaller")


def _open(data: bytes) -> Image.Image:
    """Read the header only and refuse what would be dangerous or useless to decode."""
    _check_size(len(data))
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PhotoError(
            "not_a_photo", "this is no JPEG, PNG or WebP photo: save it as one of these"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, TypeError, Warning) as error:
        raise _damaged() from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise PhotoError("too_small", f"the photo is only {width}×{height} pixels: at least 16")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise PhotoError("too_narrow", f"the photo is {width}×{height} pixels: a strip, no photo")
    return image


def _load(image: Image.Image) -> None:
    """Decode every pixel: `verify()` would pass half a JPEG."""
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, MemoryError, Warning) as error:
        raise _damaged() from error


def _damaged() -> PhotoError:
    return PhotoError("damaged", "the photo is incomplete or damaged: deliver it again")


def _too_many_pixels() -> PhotoError:
    return PhotoError(
        "too_many_pixels", f"the photo has more than {MAX_PIXELS // 1_000_000} million pixels"
    )


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, _UPRIGHT))
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError):
        return _UPRIGHT  # damaged metadata is no reason to lose a good photo


def _fits(image: Image.Image) -> bool:
    plain = image.mode == "RGB" or (image.mode == "L" and image.format == "JPEG")
    small = max(image.size) <= MAX_SIDE
    still = getattr(image, "n_frames", 1) == 1
    colours_kept = "icc_profile" not in image.info and "transparency" not in image.info
    return plain and small and still and colours_kept and _orientation(image) == _UPRIGHT


def _upright_rgb(image: Image.Image) -> Image.Image:
    _load(image)
    orientation = _orientation(image)
    rgb = _to_srgb(image)
    turn = _TURNS.get(orientation)
    return rgb if turn is None else rgb.transpose(turn)


def _to_srgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    profile = image.info.get("icc_profile")
    return _from_profile(image, profile) if profile else image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8: Pillow's own `convert` clips and turns the photo white."""
    values = np.asarray(image, dtype=np.int64)
    scaled = ((np.clip(values, 0, 65_535) * 255 + 32_767) // 65_535).astype(np.uint8)
    return Image.fromarray(scaled).convert("RGB")


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if image.mode not in {"RGB", "L", "CMYK"}:
        image = image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image.convert("RGB")  # a damaged profile: the numbers as they stand
    return converted if converted is not None else image.convert("RGB")


def _jpeg(image: Image.Image, *, quality: int) -> bytes:
    target = BytesIO()
    Image.fromarray(np.asarray(image)).save(target, "JPEG", quality=quality, optimize=True)
    return target.getvalue()
