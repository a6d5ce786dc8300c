"""Files that are no photo, or no whole one, and files made to exhaust whoever decodes them."""

import random
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image

from catalog_ai.images import FORMATS, MAX_BYTES
from tests.corpus.making import (
    GREY,
    PNG_SIGNATURE,
    after_ihdr,
    after_soi,
    before_iend,
    black_png,
    chunk,
    encoded,
    gradient,
    ihdr,
    many_scans,
    noise,
    packed_zeros,
    png,
    png_header,
    segment,
    tags_with_gps,
    webp_header,
    with_bad_checksum,
    with_frame,
)
from tests.corpus.specimen import Specimen

_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_PHOTO = gradient(64, 48)


def refused() -> Iterator[Specimen]:
    """Yield every file that `decode` must refuse."""
    yield from _disguises()
    yield from _broken_off()
    yield from _corrupt()
    yield from _bombs()
    yield from _shapes()


def _disguises() -> Iterator[Specimen]:
    for kind in ("GIF", "BMP", "TIFF", "AVIF", "ICO", "PPM", "JPEG2000"):
        yield Specimen(f"{kind.lower()}.jpg", encoded(_PHOTO, kind), "not_a_photo")
    frames = [noise(24, 24), _PHOTO.resize((24, 24))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield Specimen("animated_gif.jpg", data, "not_a_photo")
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("photo.jpg", encoded(_PHOTO, "JPEG"))
    contents = {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"></svg>',
        "pdf": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n",
        "html": b"<!DOCTYPE html><title>404 Not Found</title><h1>Not Found</h1>",
        "zip": archive.getvalue(),
        "exe": b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + bytes(64) + b"PE\0\0",
        "elf": b"\x7fELF\x02\x01\x01" + bytes(64),
        "psd": b"8BPS\0\x01" + bytes(6) + b"\0\x03\0\0\0\x30\0\0\0\x40\0\x08\0\x03",
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
        "text": "see the folder of last week\r\n".encode("utf-16"),
        "wave": b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
        "git_pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "one_byte": b"\xff",
        "only_soi": b"\xff\xd8",
        "only_signature": PNG_SIGNATURE,
        "zeros": bytes(5_000),
        "jpeg_of_12_bits": with_frame(encoded(_PHOTO, "JPEG"), precision=12),
    }
    for name, content in contents.items():
        yield Specimen(f"{name}.jpg", content, "not_a_photo")


def _broken_off() -> Iterator[Specimen]:
    yield Specimen("empty.jpg", b"", "empty")
    for kind, suffix in _SUFFIXES.items():
        data = encoded(noise(64, 48), kind)
        for share in (0.1, 0.5, 0.9, 0.99):
            part = data[: int(len(data) * share)]
            yield Specimen(f"cut_to_{share:.0%}.{suffix}", part, "damaged")
        yield Specimen(f"last_byte_missing.{suffix}", data[:-1], "damaged")
    for kind in FORMATS[:2]:  # a lossy WebP may well end in zeros
        data = encoded(noise(300, 200), kind, exif=tags_with_gps())
        half = len(data) // 2
        name = f"second_half_zeros.{_SUFFIXES[kind]}"
        yield Specimen(name, data[:half] + bytes(len(data) - half), "damaged")
    large = encoded(gradient(2_400, 1_600), "JPEG")
    yield Specimen("large_cut_in_half.jpg", large[: len(large) // 2], "damaged")
    turns = encoded(_PHOTO, "JPEG", progressive=True)
    yield Specimen("progressive_cut.jpg", turns[: turns.rindex(b"\xff\xda")], "damaged")
    yield Specimen("without_end.jpg", encoded(_PHOTO, "JPEG")[:-2], "damaged")
    yield Specimen("without_end.png", encoded(_PHOTO)[:-12], "damaged")
    yield Specimen("without_pixels.png", png(ihdr(64, 48)), "damaged")


def _corrupt() -> Iterator[Specimen]:
    photo = encoded(_PHOTO)
    comment = chunk(b"tEXt", b"Comment\0hello")
    yield Specimen("bad_checksum_of_pixels.png", with_bad_checksum(photo, b"IDAT"), "damaged")
    for name, data in {
        "header": with_bad_checksum(photo, b"IHDR"),
        "text": with_bad_checksum(after_ihdr(photo, comment), b"tEXt"),
        "text_behind_pixels": with_bad_checksum(before_iend(photo, comment), b"tEXt"),
    }.items():
        yield Specimen(f"bad_checksum_of_{name}.png", data, "damaged")
    packed = zlib.compress(b"\0" * (1 + 64 * 3) * 48)
    flipped = packed[:20] + bytes([packed[20] ^ 0x10]) + packed[21:]
    yield Specimen("bit_flipped.png", png(ihdr(64, 48), chunk(b"IDAT", flipped)), "damaged")
    yield Specimen("no_deflate.png", png(ihdr(64, 48), chunk(b"IDAT", b"\xff" * 99)), "damaged")
    claim = (100 << 20).to_bytes(4, "big") + b"tEXtComment\0"
    end_of_header = photo.index(b"IDAT") - 4
    data = photo[:end_of_header] + claim + photo[end_of_header:]
    yield Specimen("comment_claims_100_mb.png", data, "damaged")
    jpeg = encoded(_PHOTO, "JPEG")
    yield Specimen(
        "comment_claims_too_much.jpg", jpeg[:2] + b"\xff\xfe\xff\xff" + jpeg[2:], "damaged"
    )
    webp = encoded(_PHOTO, "WEBP")
    yield Specimen("claims_4_gb.webp", webp[:4] + b"\xfe\xff\xff\xff" + webp[8:], "damaged")


def _bombs() -> Iterator[Specimen]:
    jpeg = encoded(_PHOTO, "JPEG")
    for name, data in {
        "claims_60000.png": png_header(60_000, 60_000),
        "claims_2_billion.png": png_header(2**31 - 1, 2**31 - 1),
        "black_20000.png": black_png(20_000, 20_000),
        "claims_65000.jpg": with_frame(jpeg, width=65_000, height=65_000),
        "claims_16383.webp": webp_header(16_383, 16_383),
        "claims_9000.webp": webp_header(9_000, 9_000),
    }.items():
        yield Specimen(name, data, "too_many_pixels")
    packed = packed_zeros(64 << 20)
    photo = encoded(_PHOTO)
    text, profile = chunk(b"zTXt", b"Comment\0\0" + packed), chunk(b"iCCP", b"ICC\0\0" + packed)
    itxt = chunk(b"iTXt", b"Comment\0\1\0\0\0" + packed)
    for name, data in {
        "text_of_64_mb.png": after_ihdr(photo, text),
        "text_of_64_mb_behind_pixels.png": before_iend(photo, text),
        "unicode_text_of_64_mb.png": after_ihdr(photo, itxt),
        "profile_of_64_mb.png": after_ihdr(photo, profile),
        "a_hundred_thousand_chunks.png": after_ihdr(photo, chunk(b"tEXt", b"a\0b") * 100_000),
        "a_hundred_thousand_comments.jpg": after_soi(jpeg, segment(0xFE, b"") * 100_000),
        "a_hundred_thousand_comments_behind_pixels.jpg": jpeg[:-2]
        + segment(0xFE, b"") * 100_000
        + jpeg[-2:],
        "millions_of_fill_bytes.jpg": jpeg[:20] + b"\xff" * (3 << 20) + jpeg[20:],
        "zeros_in_the_header.jpg": jpeg[:20] + bytes(2 << 20),
        "ten_thousand_scans.jpg": many_scans(Image.new("RGB", (2_000, 2_000)), 10_000),
        "grey_16_bits_of_half_its_rows.png": png(
            ihdr(8_900, 8_900, 16, GREY), chunk(b"IDAT", zlib.compress(bytes(1 << 20)))
        ),
    }.items():
        yield Specimen(name, data, "damaged")
    yield Specimen("one_byte_too_many.jpg", bytes(MAX_BYTES + 1), "too_large")


def _shapes() -> Iterator[Specimen]:
    sizes = {
        "too_small": [(1, 1), (15, 15), (15, 40), (40, 15), (1, 60_000)],
        "too_narrow": [(16, 161), (161, 16), (1_010, 100), (100, 1_010)],
    }
    for code, shapes in sizes.items():
        for width, height in shapes:
            data = encoded(Image.new("RGB", (width, height)))
            yield Specimen(f"{width}x{height}.png", data, code)


def garbage(size: int) -> bytes:
    """Return bytes without any meaning, the same every time."""
    return random.Random(7).randbytes(size)
