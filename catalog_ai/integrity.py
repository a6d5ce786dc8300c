"""What a decoder does not notice: a missing end, a wrong checksum, a file made to keep it busy.

Only the layout is read, no pixel. Layouts: ITU-T T.81 annex B, the PNG specification (third
edition) chapter 5, and Google's "WebP Container Specification".
"""

import re
import zlib
from dataclasses import dataclass

MAX_PARTS = 20_000
MAX_GAP = 65_536
_EOI, _SOS = 0xD9, 0xDA
# Bytes after 0xFF that begin no segment: stuffing, TEM, restarts, SOI and fill bytes.
_SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Survey:
    """The layout of a file: its `kind`, "" for no photo, and whether its end is there (`whole`).

    `heavy` files would keep Pillow busy for seconds before the first pixel: more than `MAX_PARTS`
    segments or chunks, or `MAX_GAP` bytes between two. `scans` counts how often a JPEG goes
    through its picture.
    """

    kind: str
    whole: bool = False
    heavy: bool = False
    scans: int = 1


def survey(data: bytes) -> Survey:
    """Walk through the segments or chunks of a JPEG, PNG or WebP file up to the image's end."""
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(_PNG_SIGNATURE) and data[12:16] == b"IHDR":
        return _png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        # Zeros at its end say nothing: a lossy white lower half is stored as just that.
        return Survey("WEBP", whole=8 + int.from_bytes(data[4:8], "little") <= len(data))
    return Survey("")


def _jpeg(data: bytes) -> Survey:
    """Without its end a JPEG may still decode: zeros are valid codes for grey."""
    position = parts = scans = 0
    while found := _SEGMENT.search(data, position):
        parts += 1
        if parts > MAX_PARTS or (not scans and found.start() - position > MAX_GAP):
            return Survey("JPEG", heavy=True)
        marker, position = data[found.end() - 1], found.end()
        if marker == _EOI:
            return Survey("JPEG", whole=True, scans=scans)
        scans += marker == _SOS
        position += int.from_bytes(data[position : position + 2], "big")
    return Survey("JPEG", heavy=not scans and len(data) - position > MAX_GAP, scans=scans)


def _png(data: bytes) -> Survey:
    """Pillow does not compare the checksums of the pixels' chunks."""
    position, parts, view = len(_PNG_SIGNATURE), 0, memoryview(data)
    while position + 12 <= len(data):
        parts += 1
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        checksum = int.from_bytes(data[end : end + 4], "big")
        if parts > MAX_PARTS:
            return Survey("PNG", heavy=True)
        if end + 4 > len(data) or zlib.crc32(view[position + 4 : end]) != checksum:
            break
        if data[position + 4 : position + 8] == b"IEND":
            return Survey("PNG", whole=True)
        position = end + 4
    return Survey("PNG")
