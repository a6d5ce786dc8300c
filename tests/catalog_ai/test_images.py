"""The decoder: one upright sRGB picture for every way to store it, `PhotoError` for all else."""

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from catalog_ai.errors import PhotoError
from catalog_ai.images import (
    MAX_PIXELS,
    decode,
    read_photo,
    resize_square,
    stored_copy,
    thumbnail,
)
from catalog_ai.metadata import without_metadata
from tests.helpers import photo_bytes

FORMATS = ("JPEG", "PNG", "WEBP")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SECRET = b"51.5007N"  # stands for what must never be kept


def gradient(width: int = 48, height: int = 32) -> Image.Image:
    """A picture without any symmetry: red grows to the right, green downwards, one blue corner."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)[None, :]
    pixels[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    pixels[: height // 4, : width // 4, 2] = 200
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    if kind == "WEBP":
        options = {"lossless": True} | options
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def noise(width: int = 40, height: int = 40) -> Image.Image:
    values = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds hardly a pixel."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def before_iend(data: bytes, *chunks: bytes) -> bytes:
    end = data.rindex(b"IEND") - 4
    return data[:end] + b"".join(chunks) + data[end:]


def after_soi(data: bytes, marker: int, payload: bytes) -> bytes:
    segment = b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload
    return data[:2] + segment + data[2:]


def code_of(data: bytes) -> str:
    with pytest.raises(PhotoError) as caught:
        decode(data)
    assert caught.value.reason == str(caught.value)
    return caught.value.code


# --- decode: the same pixels whatever the file ---------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_decodes_to_the_same_upright_pixels(
    orientation: int, kind: str
) -> None:
    upright = np.asarray(gradient())
    # What a camera stores so that a viewer, following the EXIF standard, shows `upright`: the
    # standard says where the stored row 0 and column 0 belong on the upright picture.
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
    image = Image.fromarray(np.ascontiguousarray(stored))
    options: dict[str, Any] = {"exif": exif(orientation)}
    if kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    pixels = decode(encoded(image, kind, **options))
    assert pixels.shape == upright.shape
    assert pixels.dtype == np.uint8
    error = np.abs(pixels.astype(int) - upright).mean()
    assert error <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_an_orientation_that_does_not_exist_changes_nothing(orientation: int) -> None:
    data = encoded(gradient(), exif=exif(orientation))
    assert (decode(data) == np.asarray(gradient())).all()


def test_16_bits_are_scaled_not_clipped() -> None:
    values = np.linspace(0, 65_535, 64 * 64).reshape(64, 64).astype(np.uint16)
    pixels = decode(encoded(Image.fromarray(values)))
    expected = values / 65_535 * 255
    assert np.abs(pixels - expected[..., None]).mean() <= 1
    assert (pixels[..., 0] == pixels[..., 1]).all()
    assert pixels.min() == 0
    assert pixels.max() == 255


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_lies_over_white(kind: str) -> None:
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, :10, 3] = 0
    rgba[:, 10:20, 3] = 255
    rgba[:, 20:, 3] = 128
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    pixels = decode(encoded(Image.fromarray(rgba), kind, **options))
    assert (pixels[:, :10] == 255).all()
    assert (pixels[:, 10:20] == (200, 0, 0)).all()
    half = np.array([200, 0, 0]) * 128 / 255 + 255 * 127 / 255
    assert np.abs(pixels[:, 20:] - half).max() <= 1


def test_a_transparent_colour_of_a_palette_lies_over_white() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 0, 20, 10))
    pixels = decode(encoded(image, transparency=0))
    assert (pixels[:10] == (200, 100, 50)).all()
    assert (pixels[10:] == 255).all()


def test_a_palette_without_transparency_keeps_its_colours() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    assert (decode(encoded(image)) == (10, 20, 30)).all()


@pytest.mark.parametrize("kind", FORMATS)
def test_grey_becomes_three_equal_channels(kind: str) -> None:
    pixels = decode(encoded(Image.new("L", (30, 20), 77), kind))
    assert pixels.shape == (20, 30, 3)
    assert np.abs(pixels.astype(int) - 77).max() <= 1


@pytest.mark.parametrize("kind", FORMATS)
def test_an_srgb_profile_changes_nothing(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decode(encoded(gradient(), kind))
    tagged = decode(encoded(gradient(), kind, icc_profile=profile))
    assert np.abs(plain.astype(int) - tagged).max() <= 2


def swapped_profile() -> bytes:
    """sRGB with the red and green primaries exchanged: what it calls red is our green."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    for entry in range(132, 132 + 12 * count, 12):
        name = bytes(profile[entry : entry + 4])
        if name in (b"rXYZ", b"gXYZ"):
            profile[entry : entry + 4] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(profile)


def test_a_profile_is_applied() -> None:
    data = encoded(Image.new("RGB", (20, 20), (255, 0, 0)), icc_profile=swapped_profile())
    assert np.abs(decode(data).astype(int) - (0, 255, 0)).max() <= 4


def test_a_damaged_profile_is_ignored() -> None:
    data = encoded(gradient(), icc_profile=b"no profile at all")
    assert (decode(data) == np.asarray(gradient())).all()


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(encoded(Image.new("CMYK", (20, 20), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [Image.new("RGB", (24, 24), color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    pixels = decode(data)
    assert (pixels == (255, 0, 0)).all()
    kept = stored_copy(data, pixels)
    with Image.open(BytesIO(kept.data)) as image:
        assert getattr(image, "n_frames", 1) == 1
    assert np.abs(decode(kept.data).astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 1}])
def test_progressive_and_restarting_jpegs_survive(options: dict[str, Any]) -> None:
    data = encoded(noise(), "JPEG", quality=90, **options)
    kept = stored_copy(data, decode(data))
    assert (decode(kept.data) == decode(data)).all()
    if "restart_marker_blocks" in options:
        assert b"\xff\xd0" in kept.data


# --- decode: what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_photo_is_damaged(kind: str, share: float) -> None:
    data = encoded(noise(), kind)
    assert code_of(data[: int(len(data) * share)]) == "damaged"


def test_an_empty_file_is_empty() -> None:
    assert code_of(b"") == "empty"


@pytest.mark.parametrize(
    "data",
    [
        encoded(gradient(), "GIF"),
        encoded(gradient(), "BMP"),
        encoded(gradient(), "TIFF"),
        b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"></svg>',
        b"this is text",
        b"%PDF-1.7",
        b"\xff\xd8",
        PNG_SIGNATURE,
    ],
    ids=["gif", "bmp", "tiff", "svg", "text", "pdf", "two bytes of JPEG", "PNG signature"],
)
def test_other_formats_are_no_photos(data: bytes) -> None:
    assert code_of(data) == "not_a_photo"


@pytest.mark.parametrize(
    ("size", "code"),
    [
        ((15, 40), "too_small"),
        ((40, 15), "too_small"),
        ((16, 161), "too_narrow"),
        ((161, 16), "too_narrow"),
    ],
)
def test_tiny_pictures_and_strips_are_refused(size: tuple[int, int], code: str) -> None:
    assert code_of(photo_bytes(size=size)) == code


@pytest.mark.parametrize("size", [(16, 16), (16, 160), (160, 16)])
def test_the_smallest_and_narrowest_photo_is_accepted(size: tuple[int, int]) -> None:
    assert decode(photo_bytes(size=size)).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("size", [(9_000, 9_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_from_the_header_alone(size: tuple[int, int]) -> None:
    assert size[0] * size[1] > MAX_PIXELS
    assert code_of(png_header(*size)) == "too_many_pixels"


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = photo_bytes()
    monkeypatch.setattr("catalog_ai.images.MAX_BYTES", len(data) - 1)
    assert code_of(data) == "too_large"
    path = tmp_path / "large.jpg"
    path.write_bytes(data)
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    assert caught.value.code == "too_large"
    monkeypatch.setattr("catalog_ai.images.MAX_BYTES", len(data))
    assert read_photo(path) == data


@pytest.mark.parametrize("name", [b"cHRM", b"pHYs", b"gAMA", b"tRNS", b"iTXt", b"eXIf", b"acTL"])
@pytest.mark.parametrize("content", [b"", b"\xff", b"\0" * 5, b"\xff" * 33])
def test_a_damaged_chunk_behind_the_pixels_raises_nothing_but_photo_errors(
    name: bytes, content: bytes
) -> None:
    check_any_bytes(before_iend(encoded(gradient()), chunk(name, content)))


def check_any_bytes(data: bytes) -> None:
    """Whatever the bytes are: a picture, and then one that can be stored, or a `PhotoError`."""
    try:
        pixels = decode(data)
    except PhotoError as error:
        assert error.code
        return
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.dtype == np.uint8
    kept = stored_copy(data, pixels)
    assert decode(kept.data).ndim == 3


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_random_bytes_raise_nothing_but_photo_errors(data: bytes) -> None:
    check_any_bytes(data)


SEEDS = (
    *(photo_bytes(size=(20, 24), format=kind) for kind in FORMATS),
    encoded(gradient(20, 20), "JPEG", exif=exif(6), progressive=True),
    encoded(gradient(20, 20), "PNG", exif=exif(6)),
    encoded(gradient(20, 20).convert("P"), "PNG", transparency=0),
    encoded(gradient(20, 20), "WEBP", exif=exif(6)),
    encoded(gradient(20, 20), "PNG", save_all=True, append_images=[noise(20, 20)]),
    encoded(gradient(20, 20), "MPO", save_all=True, append_images=[noise(20, 20)]),
)


@pytest.mark.filterwarnings("ignore")
@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6
    ),
    keep=st.floats(0.3, 1),
)
@settings(max_examples=200, deadline=None)
def test_damaged_photos_raise_nothing_but_photo_errors(
    seed: bytes, changes: list[tuple[float, int]], keep: float
) -> None:
    data = bytearray(seed)
    for where, value in changes:
        data[int(where * len(data))] = value
    check_any_bytes(bytes(data[: max(1, int(keep * len(data)))]))


# --- read_photo ----------------------------------------------------------------------------------


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(photo_bytes())
    assert read_photo(path) == photo_bytes()


def test_links_pipes_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real.jpg").write_bytes(photo_bytes())
    (tmp_path / "link.jpg").symlink_to(tmp_path / "real.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    codes = {}
    for name in ("link", "dangling", "folder", "empty", "pipe", "missing"):
        with pytest.raises(PhotoError) as caught:
            read_photo(tmp_path / f"{name}.jpg")
        codes[name] = caught.value.code
    assert codes == {
        "link": "not_a_file",
        "dangling": "not_a_file",
        "folder": "not_a_file",
        "empty": "empty",
        "pipe": "not_a_file",
        "missing": "unreadable",
    }


# --- stored_copy, thumbnail, resize_square -------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_that_fits_keeps_its_pixels_and_format(kind: str) -> None:
    data = encoded(noise(), kind)
    kept = stored_copy(data, decode(data))
    assert kept.suffix == {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[kind]
    assert (decode(kept.data) == decode(data)).all()
    with Image.open(BytesIO(kept.data)) as image:
        assert image.format == kind


def tags_with_gps() -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = 1
    tags[0x010E] = SECRET.decode()  # ImageDescription
    tags.get_ifd(0x8825)[1] = "N"
    tags.get_ifd(0x8825)[29] = SECRET.decode()
    return tags


def talkative(kind: str) -> bytes:
    """A photo with everything in it that must not be kept."""
    options: dict[str, Any] = {"exif": tags_with_gps(), "xmp": b"<x:xmpmeta>" + SECRET}
    if kind == "PNG":
        options.pop("xmp")
    data = encoded(noise(), kind, **options)
    if kind == "JPEG":
        data = after_soi(data, 0xFE, b"comment " + SECRET)
        data = after_soi(data, 0xED, b"Photoshop 3.0\0" + SECRET)
        jfif = data.index(b"JFIF\0")
        end = jfif - 2 + struct.unpack(">H", data[jfif - 2 : jfif])[0]
        preview = b"JFXX\0\x10" + SECRET
        segment = b"\xff\xe0" + struct.pack(">H", len(preview) + 2) + preview
        data = data[:end] + segment + data[end:]
    if kind == "PNG":
        itxt = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>" + SECRET
        data = before_iend(data, chunk(b"iTXt", itxt), chunk(b"tEXt", b"Comment\0" + SECRET))
    if kind == "WEBP":
        extra = b"NOTE" + struct.pack("<I", len(SECRET)) + SECRET
        data = data[:4] + struct.pack("<I", len(data) - 8 + len(extra)) + data[8:] + extra
    return data + SECRET


@pytest.mark.parametrize("kind", FORMATS)
def test_places_comments_previews_and_trailing_bytes_are_cut_out(kind: str) -> None:
    data = talkative(kind)
    assert data.count(SECRET) >= 4
    pixels = decode(data)
    kept = stored_copy(data, pixels).data
    assert SECRET not in kept
    for name in (b"Exif", b"EXIF", b"eXIf", b"xmpmeta", b"JFXX", b"Photoshop", b"tEXt"):
        assert name not in kept
    assert (decode(kept) == pixels).all()
    with Image.open(BytesIO(kept)) as image:
        assert not image.getexif()
        assert image.format == kind  # the pixels were not encoded again


@pytest.mark.parametrize("kind", FORMATS)
def test_cutting_twice_changes_nothing(kind: str) -> None:
    once = without_metadata(talkative(kind), kind)
    assert without_metadata(once, kind) == once


def test_the_jfif_and_adobe_markers_stay() -> None:
    """They say how the colours are stored: without Adobe's a decoder would take RGB for YCbCr."""
    data = encoded(noise(), "JPEG", quality=90, keep_rgb=True)
    kept = stored_copy(data, decode(data)).data
    assert b"Adobe" in kept
    assert (decode(kept) == decode(data)).all()
    assert b"JFIF" in without_metadata(encoded(noise(), "JPEG"), "JPEG")


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("size", "expected"), [((1200, 900), (800, 600)), ((500, 1000), (400, 800))]
)
def test_a_larger_photo_shrinks_to_800_pixels(
    kind: str, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    data = encoded(gradient(*size), kind, exif=tags_with_gps())
    kept = stored_copy(data, decode(data))
    assert kept.suffix == ".jpg"
    with Image.open(BytesIO(kept.data)) as image:
        assert image.size == expected
        assert not image.getexif()
    shrunk = np.asarray(gradient(*expected)).astype(int)
    assert np.abs(decode(kept.data) - shrunk).mean() < 4


def test_a_turned_photo_is_kept_upright() -> None:
    data = encoded(gradient(), "JPEG", exif=exif(6), quality=95)
    pixels = decode(data)
    kept = stored_copy(data, pixels)
    assert pixels.shape == (48, 32, 3)
    again = decode(kept.data)
    assert again.shape == pixels.shape
    assert np.abs(again.astype(int) - pixels).mean() < 4


def test_a_photo_with_a_profile_is_kept_in_srgb() -> None:
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    data = encoded(image, icc_profile=swapped_profile())
    kept = stored_copy(data, decode(data)).data
    assert np.abs(decode(kept).astype(int) - (0, 255, 0)).max() <= 6


@pytest.mark.parametrize(
    ("size", "expected"),
    [((640, 480), (320, 240)), ((300, 1200), (80, 320)), ((100, 50), (100, 50))],
)
def test_a_thumbnail_contains_the_whole_picture(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    pixels = np.asarray(gradient(*size))
    with Image.open(BytesIO(thumbnail(pixels))) as image:
        assert image.format == "JPEG"
        assert image.size == expected
        small = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(small - np.asarray(gradient(*expected))).mean() < 5


def test_a_square_is_squeezed_not_cropped() -> None:
    square = resize_square(np.asarray(gradient(90, 60)), 16)
    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert (np.diff(square[8, :, 0].astype(int)) > 0).all()
    assert square[0, 0, 0] < 16
    assert square[0, -1, 0] > 239
