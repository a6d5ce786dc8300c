"""The decoder: one upright sRGB picture for every way to store it, `PhotoError` for all else."""

import os
import struct
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from catalog_ai.errors import PhotoError
from catalog_ai.images import (
    MAX_PIXELS,
    MAX_SIDE,
    MAX_SQUARE,
    decode,
    decode_photo,
    read_photo,
    resize_square,
    small_jpeg,
)
from catalog_ai.integrity import MAX_GAP, MAX_PARTS, survey
from catalog_ai.metadata import without_metadata
from tests.corpus.making import (
    PNG_SIGNATURE,
    SECRET,
    after_ihdr,
    after_soi,
    before_iend,
    chunk,
    encoded,
    exif,
    gradient,
    many_scans,
    noise,
    png_header,
    segment,
    srgb_profile,
    swapped_profile,
    tags_with_gps,
    turned,
    webp_chunk,
    webp_with,
)
from tests.helpers import photo_bytes

FORMATS = ("JPEG", "PNG", "WEBP")


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
    image = turned(orientation, upright)
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
    profile = srgb_profile()
    plain = decode(encoded(gradient(), kind))
    tagged = decode(encoded(gradient(), kind, icc_profile=profile))
    assert np.abs(plain.astype(int) - tagged).max() <= 2


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
    kept = decode_photo(data).stored_copy()
    with Image.open(BytesIO(kept.data)) as image:
        assert getattr(image, "n_frames", 1) == 1
    assert np.abs(decode(kept.data).astype(int) - (255, 0, 0)).max() <= 4


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 1}])
def test_progressive_and_restarting_jpegs_survive(options: dict[str, Any]) -> None:
    data = encoded(noise(), "JPEG", quality=90, **options)
    kept = decode_photo(data).stored_copy()
    assert (decode(kept.data) == decode(data)).all()
    if "restart_marker_blocks" in options:
        assert b"\xff\xd0" in kept.data


# --- decode: a large JPEG comes out reduced ------------------------------------------------------


def flat_jpeg(size: tuple[int, int]) -> bytes:
    return encoded(Image.new("L", size, 90), "JPEG")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((4000, 3000), (1000, 750)),
        ((3000, 4000), (750, 1000)),
        ((6400, 4800), (800, 600)),
        ((1600, 1200), (800, 600)),
        ((1601, 801), (801, 401)),
        ((1599, 1599), (1599, 1599)),
        ((1600, 760), (1600, 760)),
        ((8000, 800), (4000, 400)),
        ((400, 533), (400, 533)),
    ],
)
def test_a_large_jpeg_is_reduced_to_what_later_uses_need(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    height, width = decode(flat_jpeg(size)).shape[:2]
    assert (width, height) == expected
    assert max(width, height) >= min(MAX_SIDE, max(size))
    assert min(width, height) >= min(MAX_SQUARE, min(size))


@pytest.mark.parametrize("size", [(2400, 1800), (1801, 2703), (3300, 2501)])
def test_a_reduced_jpeg_looks_like_the_whole_one(size: tuple[int, int]) -> None:
    texture = noise(60, 60).resize(size, Image.Resampling.BICUBIC)
    data = encoded(Image.blend(gradient(*size), texture, 0.5), "JPEG", quality=90)
    with Image.open(BytesIO(data)) as image:
        whole = np.asarray(image)
    pixels = decode(data)
    assert pixels.size < whole.size / 3
    difference = resize_square(pixels, 224).astype(int) - resize_square(whole, 224)
    assert np.abs(difference).mean() <= 2
    kept = decode_photo(data).stored_copy()
    with Image.open(BytesIO(kept.data)) as image:
        assert max(image.size) == MAX_SIDE


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


def test_a_file_of_very_many_parts_is_damaged() -> None:
    png, jpeg = encoded(gradient()), encoded(gradient(), "JPEG")
    text, comment = chunk(b"tEXt", b"a\0b"), segment(0xFE, b"")
    few, many = MAX_PARTS // 2, MAX_PARTS * 2
    assert survey(after_ihdr(png, text * few)).whole
    assert survey(after_soi(jpeg, comment * few)).whole
    for data in (after_ihdr(png, text * many), after_soi(jpeg, comment * many)):
        assert survey(data).heavy
        assert code_of(data) == "damaged"


@pytest.mark.parametrize("filling", [b"\0", b"\xff", b"\x55"])
def test_a_jpeg_with_much_between_its_segments_is_damaged(filling: bytes) -> None:
    """Pillow would go through it byte by byte."""
    jpeg = encoded(gradient(), "JPEG")
    few, many = (jpeg[:20] + filling * size + jpeg[20:] for size in (MAX_GAP // 2, MAX_GAP * 2))
    assert survey(few).whole
    assert decode(few).shape == (32, 48, 3)
    assert survey(many).heavy
    assert survey(jpeg[:20] + filling * MAX_GAP * 2).heavy
    assert code_of(many) == "damaged"


def test_scans_are_weighed_by_the_size_of_the_photo() -> None:
    small = many_scans(gradient(), 500)
    assert survey(small).scans > 500
    assert decode(small).shape == (32, 48, 3)
    with pytest.raises(PhotoError, match="scans") as caught:
        decode(many_scans(Image.new("RGB", (1_600, 1_600)), 1_200))
    assert caught.value.code == "damaged"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_whole_with_its_last_byte_and_whatever_follows(kind: str) -> None:
    data = encoded(noise(), kind)
    assert survey(data).kind == survey(data[:-1]).kind == kind
    assert survey(data).whole
    assert survey(data + SECRET).whole
    assert not survey(data[:-1]).whole


def test_markers_inside_other_segments_are_no_scans_and_no_end() -> None:
    preview = segment(0xE1, encoded(gradient(), "JPEG"))
    data = after_soi(encoded(gradient(), "JPEG"), preview * 200)
    assert survey(data).scans == 1
    assert not survey(data[:-2]).whole
    assert code_of(data[:-2]) == "damaged"


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
    kept = decode_photo(data).stored_copy()
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


def read_code(path: Path, below: Path | None = None) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, below)
    return caught.value.code


@pytest.mark.parametrize("name", ["a\0b.jpg", "a" * 300 + ".jpg", "\ud800.jpg"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path, name: str) -> None:
    assert read_code(tmp_path / name) == "unreadable"
    assert read_code(tmp_path / name / "a.jpg", tmp_path) == "unreadable"


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shorten(path: Path) -> None:
    os.truncate(path, 100)


def write_again(path: Path) -> None:
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def replace(path: Path) -> None:
    """Rename another file over it, with the same size and time."""
    other = path.with_suffix(".part")
    other.write_bytes(path.read_bytes())
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.rename(path)


def move_away(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))


CHANGES = [grow, shorten, write_again, replace, move_away]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("folder", ["", "deep/deeper"])
def test_a_photo_that_changes_while_it_is_read_is_left_for_the_next_run(
    change: Callable[[Path], None],
    when: str,
    folder: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / folder / "a.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(photo_bytes())
    asked: list[int] = []
    real = os.fdopen

    class Changing:
        """A file that another program changes just before or after its bytes are read."""

        def __init__(self, handle: int, mode: str) -> None:
            self.file = real(handle, mode)

        def __enter__(self) -> "Changing":
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

        def read(self, size: int) -> bytes:
            asked.append(size)
            if when == "before":
                change(path)
            data: bytes = self.file.read(size)
            if when == "after":
                change(path)
            return data

    monkeypatch.setattr("catalog_ai.images.os.fdopen", Changing)
    assert read_code(path, tmp_path) == "still_copying"
    assert asked == [len(photo_bytes()) + 1]  # however much it grows, no more is read


def test_a_photo_being_written_is_never_taken(tmp_path: Path) -> None:
    path, stop = tmp_path / "a.jpg", threading.Event()
    path.touch()
    os.truncate(path, 20_000_000)

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"more")

    writer = threading.Thread(target=append)
    writer.start()
    codes, deadline = set(), time.monotonic() + 10
    try:
        while "still_copying" not in codes and time.monotonic() < deadline:
            try:
                read_photo(path)
            except PhotoError as error:
                codes.add(error.code)
    finally:
        stop.set()
        writer.join()
    assert codes == {"still_copying"}
    assert len(read_photo(path)) == path.stat().st_size  # finished a moment ago: taken at once


def test_a_photo_deep_in_the_delivered_folder_is_read(tmp_path: Path) -> None:
    path = tmp_path / "real" / "2026" / "hats" / "a.jpg"
    path.parent.mkdir(parents=True)
    path.write_bytes(photo_bytes())
    assert read_photo(path, tmp_path / "real") == photo_bytes()
    (tmp_path / "delivered").symlink_to(tmp_path / "real")  # the folder itself is trusted
    below = tmp_path / "delivered"
    assert read_photo(below / "2026" / "hats" / "a.jpg", below) == photo_bytes()


def test_a_photo_directly_in_the_folder_costs_one_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(photo_bytes())
    opened, real = [], os.open
    monkeypatch.setattr(
        "catalog_ai.images.os.open",
        lambda *args, **options: opened.append(args[0]) or real(*args, **options),
    )
    read_photo(tmp_path / "a.jpg", tmp_path)
    assert opened == [tmp_path / "a.jpg"]


def test_no_way_leads_out_of_the_delivered_folder(tmp_path: Path) -> None:
    feed, outside = tmp_path / "feed", tmp_path / "outside"
    for folder in (feed / "hats", outside / "inner"):
        folder.mkdir(parents=True)
    for path in (feed / "a.jpg", feed / "hats" / "a.jpg", outside / "a.jpg"):
        path.write_bytes(photo_bytes())
    (outside / "inner" / "a.jpg").write_bytes(photo_bytes())
    (feed / "link").symlink_to(outside)
    (feed / "hats" / "link").symlink_to(outside)
    (feed / "inside").symlink_to(feed / "hats")
    (feed / "link.jpg").symlink_to(outside / "a.jpg")
    (feed / "hats" / "link.jpg").symlink_to(feed / "a.jpg")
    before = len(list(Path("/proc/self/fd").iterdir()))
    codes = {
        name: read_code(feed / name, feed)
        for name in (
            *("link/a.jpg", "hats/link/a.jpg", "link/inner/a.jpg", "inside/a.jpg"),
            *("../outside/a.jpg", "hats/../a.jpg", "hats/../../outside/a.jpg"),
            *(str(outside / "a.jpg"), "link.jpg", "hats/link.jpg"),
            *("a.jpg/a.jpg", "nowhere/a.jpg", "", "hats"),
        )
    }
    assert codes == {
        "link/a.jpg": "unsafe_path",
        "hats/link/a.jpg": "unsafe_path",
        "link/inner/a.jpg": "unsafe_path",
        "inside/a.jpg": "unsafe_path",
        "../outside/a.jpg": "unsafe_path",
        "hats/../a.jpg": "unsafe_path",
        "hats/../../outside/a.jpg": "unsafe_path",
        str(outside / "a.jpg"): "unsafe_path",
        "link.jpg": "not_a_file",
        "hats/link.jpg": "not_a_file",
        "a.jpg/a.jpg": "unreadable",
        "nowhere/a.jpg": "unreadable",
        "": "not_a_file",
        "hats": "not_a_file",
    }
    with pytest.raises(PhotoError, match="links are not followed"):
        read_photo(feed / "link" / "a.jpg", feed)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --- what a photo gives: its copy, its thumbnail, its square --------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_a_photo_that_fits_keeps_its_pixels_and_format(kind: str) -> None:
    data = encoded(noise(), kind)
    kept = decode_photo(data).stored_copy()
    assert kept.suffix == {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[kind]
    assert (decode(kept.data) == decode(data)).all()
    with Image.open(BytesIO(kept.data)) as image:
        assert image.format == kind


def talkative(kind: str) -> bytes:
    """A photo with everything in it that must not be kept."""
    options: dict[str, Any] = {"exif": tags_with_gps(), "xmp": b"<x:xmpmeta>" + SECRET}
    if kind == "PNG":
        options.pop("xmp")
    data = encoded(noise(), kind, **options)
    if kind == "JPEG":
        comment = segment(0xFE, b"comment " + SECRET)
        data = after_soi(data, comment, segment(0xED, b"Photoshop 3.0\0" + SECRET))
        jfif = data.index(b"JFIF\0")
        end = jfif - 2 + struct.unpack(">H", data[jfif - 2 : jfif])[0]
        data = data[:end] + segment(0xE0, b"JFXX\0\x10" + SECRET) + data[end:]
    if kind == "PNG":
        itxt = b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta>" + SECRET
        data = before_iend(data, chunk(b"iTXt", itxt), chunk(b"tEXt", b"Comment\0" + SECRET))
    if kind == "WEBP":
        data = webp_with(data, webp_chunk(b"NOTE", SECRET))
    return data + SECRET


@pytest.mark.parametrize("kind", FORMATS)
def test_places_comments_previews_and_trailing_bytes_are_cut_out(kind: str) -> None:
    data = talkative(kind)
    assert data.count(SECRET) >= 4
    pixels = decode(data)
    kept = decode_photo(data).stored_copy().data
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
    kept = decode_photo(data).stored_copy().data
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
    kept = decode_photo(data).stored_copy()
    assert kept.suffix == ".jpg"
    with Image.open(BytesIO(kept.data)) as image:
        assert image.size == expected
        assert not image.getexif()
    shrunk = np.asarray(gradient(*expected)).astype(int)
    assert np.abs(decode(kept.data) - shrunk).mean() < 4


def test_a_turned_photo_is_kept_upright() -> None:
    data = encoded(gradient(), "JPEG", exif=exif(6), quality=95)
    pixels = decode(data)
    kept = decode_photo(data).stored_copy()
    assert pixels.shape == (48, 32, 3)
    again = decode(kept.data)
    assert again.shape == pixels.shape
    assert np.abs(again.astype(int) - pixels).mean() < 4


def test_a_png_is_not_decoded_again_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    data, loads = encoded(noise()), []
    load = PngImageFile.load

    def counted(image: PngImageFile) -> Any:
        loads.append(image.tile != [])
        return load(image)

    monkeypatch.setattr(PngImageFile, "load", counted)
    assert decode_photo(data).stored_copy().data == data
    assert sum(loads) == 1


def test_a_photo_with_a_profile_is_kept_in_srgb() -> None:
    image = Image.new("RGB", (20, 20), (255, 0, 0))
    data = encoded(image, icc_profile=swapped_profile())
    kept = decode_photo(data).stored_copy().data
    assert np.abs(decode(kept).astype(int) - (0, 255, 0)).max() <= 6


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((640, 480), (320, 240)),
        ((300, 1200), (100, 400)),
        ((401, 300), (201, 150)),
        ((100, 50), (100, 50)),
    ],
)
def test_a_thumbnail_contains_the_whole_picture(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    photo = decode_photo(encoded(gradient(*size)))
    with Image.open(BytesIO(photo.thumbnail())) as image:
        assert image.format == "JPEG"
        assert image.size == expected
        small = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(small - np.asarray(gradient(*expected))).mean() < 5


def test_a_photo_gives_the_square_that_its_pixels_give() -> None:
    photo = decode_photo(encoded(noise()))
    assert (photo.square(16) == resize_square(photo.pixels, 16)).all()


def test_a_square_is_squeezed_not_cropped() -> None:
    square = resize_square(np.asarray(gradient(90, 60)), 16)
    assert square.shape == (16, 16, 3)
    assert square.dtype == np.uint8
    assert (np.diff(square[8, :, 0].astype(int)) > 0).all()
    assert square[0, 0, 0] < 16
    assert square[0, -1, 0] > 239


def test_a_small_jpeg_holds_nothing_but_pixels() -> None:
    data = encoded(noise(), "JPEG", exif=tags_with_gps(), comment=SECRET, xmp=SECRET)
    with Image.open(BytesIO(data)) as image:
        image.info |= {"icc_profile": SECRET, "dpi": (300, 300)}
        small = small_jpeg(image)
        assert image.info["comment"] == SECRET  # the caller's image is as it was
    assert SECRET not in small
    assert small == without_metadata(small, "JPEG")
    assert small_jpeg(Image.fromarray(decode(data))) == small
