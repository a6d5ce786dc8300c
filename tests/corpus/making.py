"""Write JPEG, PNG and WebP files by hand, with what Pillow would never put into one.

Layouts: ITU-T T.81 annex B, the PNG specification (third edition), TIFF 6.0 for EXIF, and Google's
"WebP Container Specification".
"""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SECRET = b"51.5007N"  # stands for what must never be kept
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # the colour types of PNG
_CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
_ADAM7_LAST = (1, 0, 2, 1)  # first row, first column, step of rows, step of columns


def gradient(width: int = 48, height: int = 32) -> Image.Image:
    """A picture without any symmetry: red grows to the right, green downwards, one blue corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    pixels[: height // 4, : width // 4, 2] = 200
    return Image.fromarray(pixels)


def noise(width: int = 40, height: int = 40) -> Image.Image:
    values = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    if kind == "WEBP":
        options = {"lossless": True} | options
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int, upright: NDArray[np.uint8]) -> Image.Image:
    """What a camera stores so that a viewer, following the EXIF standard, shows `upright`.

    The standard says where the stored row 0 and column 0 belong on the upright picture.
    """
    stored = {
        1: upright,
        2: upright[:, ::-1],  # row 0 top, column 0 right
        3: upright[::-1, ::-1],  # bottom, right
        4: upright[::-1],  # bottom, left
        5: upright.transpose(1, 0, 2),  # left, top
        6: upright.transpose(1, 0, 2)[:, ::-1][::-1][:, ::-1],  # right, top: rows run from right
        7: upright[::-1, ::-1].transpose(1, 0, 2),  # right, bottom
        8: upright.transpose(1, 0, 2)[:, ::-1],  # left, bottom
    }[orientation]
    return Image.fromarray(np.ascontiguousarray(stored))


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def tags_with_gps(orientation: int = 1) -> Image.Exif:
    tags = exif(orientation)
    tags[0x010E] = SECRET.decode()  # ImageDescription
    tags.get_ifd(0x8825)[1] = "N"
    tags.get_ifd(0x8825)[29] = SECRET.decode()
    return tags


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """sRGB with the red and green primaries exchanged: what it calls red is our green."""
    profile = bytearray(srgb_profile())
    count = struct.unpack(">I", profile[128:132])[0]
    for entry in range(132, 132 + 12 * count, 12):
        name = bytes(profile[entry : entry + 4])
        if name in (b"rXYZ", b"gXYZ"):
            profile[entry : entry + 4] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(profile)


def linear_grey_profile() -> bytes:
    """A profile by which 90 of 255 is 90/255 of white's light: 160 in sRGB."""
    white = struct.pack(">iii", 63_190, 65_536, 54_061)  # D50, in 65,536ths
    tags = {b"kTRC": b"curv" + bytes(8), b"wtpt": b"XYZ " + bytes(4) + white}
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(content))
        body += content
    kind = b"\x02\x40\0\0" + b"mntrGRAYXYZ "
    header = kind + bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    size = struct.pack(">I", 8 + len(header) + len(table) + len(body))
    return size + bytes(4) + header + table + body


# --- PNG -----------------------------------------------------------------------------------------


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def ihdr(width: int, height: int, depth: int = 8, color: int = RGB, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced))


def png(*chunks: bytes) -> bytes:
    return PNG_SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds hardly a pixel."""
    return png(ihdr(width, height), chunk(b"IDAT", zlib.compress(b"\0" * 100)))


def png_of(
    values: NDArray[Any],
    color: int,
    *chunks: bytes,
    depth: int | None = None,
    interlaced: bool = False,
) -> bytes:
    """A PNG of `values` (H, W, channels), uint8 or uint16, with `chunks` before its pixels."""
    height, width = values.shape[:2]
    big = values.astype(values.dtype.newbyteorder(">")).reshape(height, width, _CHANNELS[color])
    passes = [big]
    if interlaced:
        steps = (*_ADAM7, _ADAM7_LAST)
        passes = [big[top::down, left::right] for top, left, down, right in steps]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = ihdr(width, height, depth or 8 * values.itemsize, color, int(interlaced))
    return png(header, *chunks, chunk(b"IDAT", zlib.compress(rows)))


def packed_zeros(size: int) -> bytes:
    """What zlib makes of `size` zeros, a thousandth of them, without going through them all."""
    block, packer = 1 << 20, zlib.compressobj(9)
    head = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    repeated = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, wbits=-15)
    rest = last.compress(bytes(size % block)) + last.flush()
    checksum = struct.pack(">HH", size % 65_521, 1)  # Adler-32
    return head + repeated * (size // block - 1) + rest + checksum


def black_png(width: int, height: int) -> bytes:
    """A whole RGB PNG of black pixels, at least a million bytes of them."""
    return png(ihdr(width, height), chunk(b"IDAT", packed_zeros(height * (1 + 3 * width))))


def after_ihdr(data: bytes, *chunks: bytes) -> bytes:
    end = data.index(b"IHDR") + 4 + 13 + 4
    return data[:end] + b"".join(chunks) + data[end:]


def before_iend(data: bytes, *chunks: bytes) -> bytes:
    end = data.rindex(b"IEND") - 4
    return data[:end] + b"".join(chunks) + data[end:]


def with_bad_checksum(data: bytes, name: bytes) -> bytes:
    """Flip a bit of the checksum of the first chunk called `name`."""
    start = data.index(name)
    end = start + 4 + int.from_bytes(data[start - 4 : start], "big")
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


def in_small_chunks(data: bytes, size: int) -> bytes:
    """A PNG with the pixels of `data`, which has one IDAT, in many IDATs."""
    start = data.index(b"IDAT") - 4
    length = int.from_bytes(data[start : start + 4], "big")
    packed = data[start + 8 : start + 8 + length]
    parts = (packed[at : at + size] for at in range(0, length, size))
    return data[:start] + b"".join(chunk(b"IDAT", part) for part in parts) + chunk(b"IEND", b"")


# --- JPEG ----------------------------------------------------------------------------------------


def segment(marker: int, payload: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def after_soi(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def with_frame(data: bytes, marker: int = 0xC0, **fields: int) -> bytes:
    """Change what a JPEG's frame header claims: `precision`, `height`, `width`."""
    start = next(data.index(bytes([0xFF, sof])) for sof in (0xC0, 0xC2) if _has(data, sof))
    precision, height, width = struct.unpack(">BHH", data[start + 4 : start + 9])
    claimed = {"precision": precision, "height": height, "width": width} | fields
    return data[: start + 4] + struct.pack(">BHH", *claimed.values()) + data[start + 9 :]


def _has(data: bytes, marker: int) -> bool:
    return bytes([0xFF, marker]) in data


def icc_segments(profile: bytes) -> list[bytes]:
    size = 65_000
    parts = [profile[at : at + size] for at in range(0, len(profile), size)]
    count = len(parts)
    return [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + part)
        for number, part in enumerate(parts, 1)
    ]


def ycck(upright: Image.Image) -> bytes:
    """The JPEG that image editors write of a CMYK photo: its inks are stored as Y, Cb, Cr and K.

    Pillow can only write inks as they are; Adobe's marker says what they mean.
    """
    black = Image.new("L", upright.size, 255)  # stored inverted, as all four are: no black
    stored = (*ImageChops.invert(upright).convert("YCbCr").split(), black)
    inks = Image.merge("CMYK", [ImageChops.invert(band) for band in stored])
    data = encoded(inks, "JPEG", quality=95)
    transform = data.index(b"Adobe") + 11
    return data[:transform] + b"\x02" + data[transform + 1 :]


def many_scans(image: Image.Image, count: int) -> bytes:
    """A progressive JPEG whose last scan is there `count` times more."""
    data = encoded(image, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * count + data[-2:]


# --- WebP ----------------------------------------------------------------------------------------


def webp_chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_with(data: bytes, *chunks: bytes) -> bytes:
    """Put chunks behind the others and correct the length of the whole."""
    extra = b"".join(chunks)
    return data[:4] + struct.pack("<I", len(data) - 8 + len(extra)) + data[8:] + extra


def webp_header(width: int, height: int) -> bytes:
    """A lossy WebP that claims a size, at most 16,383 a side, and holds hardly a pixel."""
    data = encoded(gradient(), "WEBP", lossless=False)
    start = data.index(b"\x9d\x01\x2a") + 3
    return data[:start] + struct.pack("<HH", width, height) + data[start + 4 :]
