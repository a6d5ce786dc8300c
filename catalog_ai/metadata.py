"""Cut metadata out of JPEG, PNG and WebP files without encoding their pixels again.

What stays is what a decoder needs; EXIF (with GPS), XMP, comments, colour profiles, previews and
whatever lies behind the image go. Layouts: ITU-T T.81 annex B, the PNG specification (third
edition) chapter 5, and Google's "WebP Container Specification".
"""

from collections.abc import Iterator

_SOI, _EOI, _SOS, _COM = 0xD8, 0xD9, 0xDA, 0xFE
_STANDALONE = {0x01, *range(0xD0, 0xD8)}
_APP0, _APP14, _APP15 = 0xE0, 0xEE, 0xEF
_PNG_SIGNATURE = 8
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"sBIT"}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"ALPH"}


def without_metadata(data: bytes, kind: str) -> bytes:
    """Return a whole, decodable file of `kind` (JPEG, PNG or WEBP) without its metadata."""
    if kind == "JPEG":
        return b"\xff\xd8" + b"".join(_jpeg_segments(data))
    if kind == "PNG":
        return data[:_PNG_SIGNATURE] + b"".join(_png_chunks(data))
    return _webp(data)


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    """Yield the segments that decoding needs, with their scans, up to the end of the image.

    APP0 (JFIF) and APP14 (Adobe) stay: without them decoders guess the colour space.
    """
    position = 2
    while position + 2 <= len(data):
        if data[position] != 0xFF or data[position + 1] == 0xFF:
            position += 1  # fill bytes between segments
            continue
        marker = data[position + 1]
        if marker == _EOI:
            break
        if marker in _STANDALONE:
            position += 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _SOS:
            end = _end_of_scan(data, end)
        if _is_needed(marker, data[position + 4 : position + 9]):
            yield data[position:end]
        position = end
    yield b"\xff\xd9"


def _is_needed(marker: int, name: bytes) -> bool:
    if marker == _APP0:
        return name == b"JFIF\0"  # the other APP0, JFXX, carries a preview
    return marker == _APP14 or not (_APP0 < marker <= _APP15 or marker == _COM)


def _end_of_scan(data: bytes, start: int) -> int:
    """Return where the entropy-coded data from `start` on ends: at the next true marker."""
    position = start
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            return len(data)
        following = data[position + 1]
        if following != 0x00 and following != 0xFF and not 0xD0 <= following <= 0xD7:
            return position
        position += 1 if following == 0xFF else 2


def _png_chunks(data: bytes) -> Iterator[bytes]:
    position = _PNG_SIGNATURE
    while position + 12 <= len(data):
        name = data[position + 4 : position + 8]
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        if name in _PNG_KEPT:
            yield data[position:end]
        if name == b"IEND":
            return
        position = end


def _webp(data: bytes) -> bytes:
    """Return the image chunk alone: a still photo without alpha needs no extended header."""
    position, kept = 12, b""
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while position + 8 <= end:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        stop = position + 8 + size + size % 2
        if data[position : position + 4] in _WEBP_KEPT:
            kept += data[position:stop]
        position = stop
    return b"RIFF" + (4 + len(kept)).to_bytes(4, "little") + b"WEBP" + kept
