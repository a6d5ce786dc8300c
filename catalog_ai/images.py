"""The one decoder: bytes in, upright sRGB pixels out, or a reason why not.

Training, ingest and search all see a photo through `decode`, so that the same file always gives
the same pixels. What is kept on disk comes from a `Photo` as well.
"""

import errno
import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from catalog_ai.colours import to_srgb
from catalog_ai.errors import PhotoError
from catalog_ai.integrity import Survey, survey
from catalog_ai.metadata import without_metadata

Pixels = NDArray[np.uint8]

DECODER_VERSION = 1  # raised when other bytes are refused, so that those are tried again
FORMATS = ("JPEG", "PNG", "WEBP")
MAX_BYTES = 50 * 1024 * 1024
MAX_PIXELS = 80_000_000
MIN_SIDE = 16
MAX_RATIO = 10
MAX_SIDE = 800
MAX_SQUARE = 384
THUMBNAIL_SIDE = 400
_MAX_SCANS = 32  # of a photo of MAX_PIXELS: a progressive JPEG is gone through once per scan
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
_PNG_TAGS = (b"eXIf", b"exif\0", b"XML:com.adobe.xmp")  # what may hold an orientation
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
_NO_FILE = {errno.ELOOP, errno.ENXIO}  # a link; a socket
_BROKEN = (  # what Pillow raises where bytes are damaged; warnings are errors under pytest
    *(OSError, ValueError, SyntaxError, EOFError, OverflowError, TypeError, KeyError, IndexError),
    *(AttributeError, MemoryError, struct.error, Warning),
)


@dataclass(frozen=True)
class StoredCopy:
    """One photo as the catalogue keeps it: upright, at most 800 px, no metadata."""

    data: bytes
    suffix: str


def read_photo(path: Path, below: Path | None = None) -> bytes:
    """Return the bytes of a regular file of at most 50 MB; links and pipes are not followed.

    `below` is a trusted folder that holds `path`: no folder between the two may be a link. Raises
    `PhotoError` with the code `not_a_file`, `unsafe_path`, `too_large`, `empty`, `unreadable`, or
    `still_copying` where the file changed meanwhile.
    """
    names = () if below is None else _names_below(path, below)
    if below is None or len(names) < 2:
        return _read(path, None)
    folder = _open_folder(below, names[:-1])
    try:
        return _read(Path(names[-1]), folder)
    finally:
        os.close(folder)


@dataclass(frozen=True)
class Photo:
    """One decoded photo: `image` is upright, sRGB, alpha over white, first frame.

    `kind` is the format of `data` where its compressed pixels are fit to be kept, else "".
    """

    image: Image.Image
    data: bytes
    kind: str

    @property
    def pixels(self) -> Pixels:
        """(H, W, 3) uint8."""
        return np.asarray(self.image, dtype=np.uint8)

    def square(self, size: int) -> Pixels:
        """Return (size, size, 3) uint8, as `resize_square` does of its pixels."""
        return _squeezed(self.image, size)

    def thumbnail(self) -> bytes:
        """Return a JPEG with the whole picture in it, its longest side at most 400 px.

        Reduced by a whole number: the mean of so many pixels, a quarter of the time that a resize
        to an exact size takes.
        """
        return small_jpeg(self.image.reduce(-(-max(self.image.size) // THUMBNAIL_SIDE)))

    @property
    def suffix(self) -> str:
        """The end of the stored copy's file name."""
        return SUFFIXES[self.kind or "JPEG"]

    def stored_copy(self) -> StoredCopy:
        """Return what the catalogue keeps of the photo.

        One that is upright, small enough and already sRGB keeps its compressed pixels untouched:
        only its metadata (EXIF with GPS, XMP, comments, anything behind the image) is cut out. Any
        other is encoded once, as a JPEG of quality 90.
        """
        if self.kind:
            return StoredCopy(without_metadata(self.data, self.kind), self.suffix)
        upright = self.image.copy()
        upright.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        return StoredCopy(_jpeg(upright, quality=90, optimize=True), self.suffix)


def decode_photo(data: bytes) -> Photo:
    """Return a photo, decoded.

    A large JPEG comes out reduced by 2, 4 or 8, to not less than any later use of it needs: 800
    pixels on its longer side, 384 on its shorter. Raises `PhotoError` for anything but a whole
    JPEG, PNG or WebP of sensible dimensions.
    """
    with _open(data) as image:
        kind = str(image.format) if _fits(image, data) else ""
        return Photo(_upright_rgb(image), data, kind)


def decode(data: bytes) -> Pixels:
    """Return the pixels of a photo as (H, W, 3) uint8. Raises `PhotoError`, as `decode_photo`."""
    return decode_photo(data).pixels


def resize_square(pixels: Pixels, size: int) -> Pixels:
    """Return (size, size, 3) uint8, squeezed to a square as torchvision's `Resize` does."""
    return _squeezed(Image.fromarray(pixels), size)


def _squeezed(image: Image.Image, size: int) -> Pixels:
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.uint8)


def small_jpeg(image: Image.Image) -> bytes:
    """Return a small picture as a JPEG of quality 85, without any metadata."""
    return _jpeg(image, quality=85)


def _names_below(path: Path, below: Path) -> tuple[str, ...]:
    try:
        names = path.relative_to(below).parts
    except ValueError as error:
        raise PhotoError("unsafe_path", "the file lies outside the delivered folder") from error
    if ".." in names:
        raise PhotoError("unsafe_path", "a path with .. can leave the delivered folder")
    return names


def _open_folder(below: Path, names: Sequence[str]) -> int:
    """Return a descriptor of the folder `below`/names. One name at a time: none may be a link."""
    folder = _descriptor(below, os.O_DIRECTORY, None)
    for name in names:
        try:
            inner = _descriptor(name, os.O_DIRECTORY | os.O_NOFOLLOW, folder)
        except PhotoError as error:
            if not _is_link(name, folder):
                raise
            reason = "links are not followed: deliver the folder itself"
            raise PhotoError("unsafe_path", reason) from error
        finally:
            os.close(folder)
        folder = inner
    return folder


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, ValueError):
        return False


def _descriptor(path: Path | str, flags: int, folder: int | None) -> int:
    try:
        return os.open(path, os.O_RDONLY | flags, dir_fd=folder)
    except OSError as error:
        code = "not_a_file" if error.errno in _NO_FILE else "unreadable"
        raise PhotoError(code, f"the file cannot be opened: {error.strerror}") from error
    except ValueError as error:
        raise PhotoError("unreadable", "no file can have this name: give it another") from error


def _read(path: Path, folder: int | None) -> bytes:
    # O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
    handle = _descriptor(path, os.O_NOFOLLOW | os.O_NONBLOCK, folder)
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        raise PhotoError("not_a_file", "this is a folder or a device, not a photo")
    with os.fdopen(handle, "rb") as file:
        _check_size(before.st_size)
        try:
            data = file.read(before.st_size + 1)  # a file that grows must not fill the memory
            after = (os.fstat(handle), os.stat(path, dir_fd=folder, follow_symlinks=False))
        except FileNotFoundError as error:
            raise _still_copying() from error
        except OSError as error:
            reason = f"the file cannot be read: {error.strerror}"
            raise PhotoError("unreadable", reason) from error
    if len(data) != before.st_size or any(_state(now) != _state(before) for now in after):
        raise _still_copying()
    return data


def _state(file: os.stat_result) -> tuple[int, int, int]:
    """Return what differs once a file was written to, or another took its name."""
    return file.st_ino, file.st_size, file.st_mtime_ns


def _still_copying() -> PhotoError:
    return PhotoError(
        "still_copying", "the file changed while it was read: it is left for the next run"
    )


def _check_size(size: int) -> None:
    if size == 0:
        raise PhotoError("empty", "the file is empty: deliver it again")
    if size > MAX_BYTES:
        megabytes = MAX_BYTES // 1024 // 1024
        raise PhotoError("too_large", f"the file is larger than {megabytes} MB: deliver a smaller")


def _open(data: bytes) -> Image.Image:
    """Read the header only and refuse what would be dangerous or useless to decode."""
    _check_size(len(data))
    layout = survey(data)
    if layout.heavy:
        raise _damaged()
    try:
        image = _header(data)
    except UnidentifiedImageError as error:
        if layout.kind and not layout.whole:
            raise _damaged() from error
        raise PhotoError(
            "not_a_photo", "this is no JPEG, PNG or WebP photo: save it as one of these"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except _BROKEN as error:
        raise _damaged() from error
    _check_dimensions(*image.size)
    _check_layout(layout, image.width * image.height)
    return image


def _header(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data), formats=FORMATS)


def _check_dimensions(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise PhotoError("too_small", f"the photo is only {width}×{height} pixels: at least 16")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise PhotoError("too_narrow", f"the photo is {width}×{height} pixels: a strip, no photo")


def _check_layout(layout: Survey, pixels: int) -> None:
    if not layout.whole:
        raise _damaged()
    if layout.scans * pixels > _MAX_SCANS * MAX_PIXELS:
        reason = f"the photo is stored in {layout.scans:,} scans: save it again without them"
        raise PhotoError("damaged", reason)


def _load(image: Image.Image) -> None:
    """Decode every pixel: `verify()` would pass half a JPEG."""
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except _BROKEN as error:
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
    except _BROKEN:
        return _UPRIGHT  # damaged metadata is no reason to lose a good photo


def _fits(image: Image.Image, data: bytes) -> bool:
    plain = image.mode == "RGB" or (image.mode == "L" and image.format == "JPEG")
    small = max(image.size) <= MAX_SIDE
    still = getattr(image, "n_frames", 1) == 1
    colours_kept = "icc_profile" not in image.info and "transparency" not in image.info
    return plain and small and still and colours_kept and _is_upright(image, data)


def _is_upright(image: Image.Image, data: bytes) -> bool:
    if image.format == "PNG" and not any(name in data for name in _PNG_TAGS):
        return True  # Pillow would decode all pixels, since tags may follow behind them
    return _orientation(image) == _UPRIGHT


def _reduce(image: Image.Image) -> None:
    """Let a large JPEG decode to half, a quarter or an eighth of its sides; no mode is changed."""
    sides = (MAX_SIDE, MAX_SQUARE)
    image.draft(None, sides if image.width >= image.height else sides[::-1])


def _upright_rgb(image: Image.Image) -> Image.Image:
    _reduce(image)
    _load(image)
    turn = _TURNS.get(_orientation(image))
    rgb = to_srgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def _jpeg(image: Image.Image, *, quality: int, optimize: bool = False) -> bytes:
    target = BytesIO()
    plain = image.copy()
    plain.info = {}  # else a comment of the photo's would be written again
    plain.save(target, "JPEG", quality=quality, optimize=optimize)
    return target.getvalue()
