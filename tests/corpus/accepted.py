"""Unusual files that are whole photos: what each of them must look like."""

import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.corpus.making import (
    GREY,
    GREY_ALPHA,
    RGB,
    RGBA,
    SECRET,
    after_ihdr,
    after_soi,
    before_iend,
    chunk,
    encoded,
    exif,
    gradient,
    icc_segments,
    in_small_chunks,
    linear_grey_profile,
    noise,
    png_of,
    segment,
    srgb_profile,
    swapped_profile,
    tags_with_gps,
    turned,
    webp_chunk,
    webp_with,
    ycck,
)
from tests.corpus.refused import garbage
from tests.corpus.specimen import Specimen, ok

_PHOTO = gradient(64, 48)
_PIXELS = np.asarray(_PHOTO)
_LOSSY = 4.0  # levels: what a JPEG of good quality may be off
_XMP = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "' + SECRET + b'">'
    b'<!ENTITY b SYSTEM "file:///etc/passwd"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="99999999999999999999">&c;</x:xmpmeta'
)


def accepted() -> Iterator[Specimen]:
    """Yield every file that `decode` must accept."""
    yield from _names_and_shapes()
    yield from _with_more_in_it()
    yield from _turned()
    yield from _ways_to_store_a_jpeg()
    yield from _ways_to_store_a_png()
    yield from _transparent()
    yield from _of_several_frames()
    yield from _with_profiles()


def _jpeg(image: Image.Image = _PHOTO, **options: object) -> bytes:
    return encoded(image, "JPEG", **({"quality": 95, "subsampling": 0} | options))


def _names_and_shapes() -> Iterator[Specimen]:
    yield ok("a_png.jpg", encoded(_PHOTO), _PHOTO)
    yield ok("a_webp.png", encoded(_PHOTO, "WEBP"), _PHOTO)
    yield ok("a_jpeg.webp", _jpeg(), _PHOTO, _LOSSY)
    for width, height in ((16, 16), (16, 160), (160, 16), (1_000, 100)):
        yield ok(f"{width}x{height}.png", encoded(gradient(width, height)), gradient(width, height))
    yield ok("as_many_pixels_as_may_be.jpg", _jpeg(Image.new("L", (8_900, 8_900), 77)))
    yield ok("large_strip.jpg", _jpeg(gradient(8_000, 800)), gradient(4_000, 400), _LOSSY)


def _with_more_in_it() -> Iterator[Specimen]:
    jpeg, png, webp = _jpeg(), encoded(_PHOTO), encoded(_PHOTO, "WEBP")
    rest = garbage(50_000) + SECRET
    yield ok("garbage_behind.jpg", jpeg + rest, _PHOTO, _LOSSY)
    yield ok("garbage_behind.png", png + rest, _PHOTO)
    yield ok("garbage_behind.webp", webp + rest, _PHOTO)
    yield ok("a_second_photo_behind.jpg", jpeg + _jpeg(noise()) * 3, _PHOTO, _LOSSY)
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + _XMP
    yield ok("hostile_xmp.jpg", after_soi(jpeg, segment(0xE1, xmp)), _PHOTO, _LOSSY)
    itxt = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + _XMP)
    yield ok("hostile_xmp.png", after_ihdr(png, itxt), _PHOTO)
    yield ok("hostile_xmp.webp", webp_with(webp, webp_chunk(b"XMP ", _XMP)), _PHOTO)
    texts = b"".join(chunk(b"tEXt", b"key%d\0" % number + SECRET) for number in range(10_000))
    yield ok("ten_thousand_texts.png", after_ihdr(png, texts), _PHOTO)
    yield ok("ten_thousand_texts_behind.png", before_iend(png, texts), _PHOTO)
    comments = segment(0xFE, SECRET * 100) * 1_000
    yield ok("a_thousand_comments.jpg", after_soi(jpeg, comments), _PHOTO, _LOSSY)
    yield ok(
        "photoshop.jpg", after_soi(jpeg, segment(0xED, b"Photoshop 3.0\x008BIM")), _PHOTO, _LOSSY
    )
    for name, tags in _damaged_tags().items():
        data = after_soi(jpeg, segment(0xE1, b"Exif\0\0" + tags))
        yield ok(f"exif_{name}.jpg", data, _PHOTO, _LOSSY)
        yield ok(f"exif_{name}.png", before_iend(png, chunk(b"eXIf", tags)), _PHOTO)


def _damaged_tags() -> dict[str, bytes]:
    whole = tags_with_gps().tobytes()[6:]
    orientation = b"MM\0*\0\0\0\x08\0\x01\x01\x12"
    return {
        "empty": b"",
        "header_alone": b"II*\0",
        "cut": whole[: len(whole) // 2],
        "of_noise": garbage(500),
        "far_away": b"II*\0\xff\xff\xff\x7f",
        "that_loops": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
        "orientation_in_words": orientation + b"\0\x02\0\0\0\x04six\0\0\0\0\0",
        "orientation_by_zero": orientation
        + b"\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\0\0\0\0\x06\0\0\0\0",
        "orientation_9": orientation + b"\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0",
        "orientation_many_times": orientation + b"\0\x03\x7f\xff\xff\xff\0\x06\0\0\0\0\0\0",
    }


def _turned() -> Iterator[Specimen]:
    for orientation in range(1, 9):
        stored = turned(orientation, _PIXELS)
        data = _jpeg(stored, exif=tags_with_gps(orientation))
        yield ok(f"orientation_{orientation}.jpg", data, _PHOTO, _LOSSY)
    large = turned(6, np.asarray(gradient(2_400, 1_800)))
    data = _jpeg(large, exif=tags_with_gps(6))
    yield ok("orientation_6_large.jpg", data, gradient(1_200, 900), _LOSSY)
    yield ok("orientation_8.png", encoded(turned(8, _PIXELS), exif=exif(8)), _PHOTO)
    data = before_iend(encoded(turned(3, _PIXELS)), chunk(b"eXIf", exif(3).tobytes()[6:]))
    yield ok("orientation_3_behind_pixels.png", data, _PHOTO)
    written = f"\nexif\n  99\n{exif(6).tobytes().hex()}\n".encode()
    text = chunk(b"tEXt", b"Raw profile type exif\0" + written)
    yield ok("orientation_6_as_text.png", after_ihdr(encoded(turned(6, _PIXELS)), text), _PHOTO)
    yield ok("orientation_5.webp", encoded(turned(5, _PIXELS), "WEBP", exif=exif(5)), _PHOTO)


def _ways_to_store_a_jpeg() -> Iterator[Specimen]:
    yield ok("progressive.jpg", _jpeg(progressive=True), _PHOTO, _LOSSY)
    yield ok("restart_markers.jpg", _jpeg(restart_marker_blocks=1), _PHOTO, _LOSSY)
    yield ok("stored_as_rgb.jpg", _jpeg(keep_rgb=True), _PHOTO, _LOSSY)
    yield ok("grey.jpg", _jpeg(Image.new("L", (30, 20), 77)), (30, 20, (77, 77, 77)), 1)
    yield ok("fill_bytes.jpg", _jpeg().replace(b"\xff\xda", b"\xff\xff\xff\xda"), _PHOTO, _LOSSY)
    no_tables = _jpeg().replace(b"\xff\xc4", b"\xff\xec")  # the standard's own are meant
    yield ok("without_huffman_tables.jpg", no_tables, _PHOTO, _LOSSY)
    inks = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    yield ok("cmyk.jpg", _jpeg(inks), (20, 20, (255, 0, 0)), _LOSSY)
    yield ok("cmyk_large.jpg", _jpeg(inks.resize((2_000, 1_600))), (1_000, 800, "red"), _LOSSY)
    yield ok("ycck.jpg", ycck(_PHOTO), _PHOTO, _LOSSY)


def _ways_to_store_a_png() -> Iterator[Specimen]:
    grey = np.linspace(0, 65_535, 64 * 48).reshape(48, 64).astype(np.uint16)
    expected = np.repeat(np.round(grey / 257).astype(np.uint8)[..., None], 3, axis=2)
    deep = _PIXELS.astype(np.uint16) * 257
    yield ok("grey_16_bits.png", png_of(grey, GREY), expected, 1)
    yield ok("grey_16_bits_interlaced.png", png_of(grey, GREY, interlaced=True), expected, 1)
    yield ok("rgb_16_bits.png", png_of(deep, RGB), _PHOTO, 1)
    yield ok("interlaced.png", png_of(_PIXELS, RGB, interlaced=True), _PHOTO)
    yield ok("in_chunks_of_three_bytes.png", in_small_chunks(encoded(_PHOTO), 3), _PHOTO)
    bits = Image.new("1", (40, 20), 0)
    bits.paste(1, (0, 0, 20, 20))
    yield ok("one_bit.png", encoded(bits), bits.convert("RGB"))
    palette = _PHOTO.quantize(16)
    yield ok("palette.png", encoded(palette, bits=4), palette.convert("RGB"))


def _transparent() -> Iterator[Specimen]:
    over_white = Image.new("RGB", (30, 20), "white")
    over_white.paste((200, 0, 0), (10, 0, 30, 20))
    rgba = np.zeros((20, 30, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:, 10:, 3] = 255
    image = Image.fromarray(rgba)
    yield ok("rgba.png", encoded(image), over_white)
    yield ok("rgba.webp", encoded(image, "WEBP", exact=True), over_white)
    yield ok("rgba_16_bits.png", png_of(rgba.astype(np.uint16) * 257, RGBA), over_white)
    yield ok("rgba_with_profile.png", encoded(image, icc_profile=swapped_profile()), _green(), 2)
    palette = Image.new("P", (30, 20), 1)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    palette.paste(0, (0, 0, 10, 20))
    yield ok("palette_with_a_transparent_colour.png", encoded(palette, transparency=0), over_white)
    data = encoded(palette, transparency=b"\x00\xff")
    yield ok("palette_with_alpha.png", data, over_white)
    red = Image.new("RGB", (30, 20), (200, 0, 0))
    red.paste((1, 2, 3), (0, 0, 10, 20))
    yield ok("rgb_with_a_transparent_colour.png", encoded(red, transparency=(1, 2, 3)), over_white)
    grey_over_white = Image.new("RGB", (30, 20), "white")
    grey_over_white.paste((90, 90, 90), (10, 0, 30, 20))
    grey = np.dstack([np.full((20, 30), 90, np.uint8), rgba[..., 3]])
    yield ok("grey_alpha.png", png_of(grey, GREY_ALPHA), grey_over_white)
    deep = np.where(rgba[..., 3] > 0, 90 * 257, 5).astype(np.uint16)
    data = png_of(deep, GREY, chunk(b"tRNS", b"\0\x05"))
    yield ok("grey_16_bits_with_a_transparent_level.png", data, grey_over_white)


def _green() -> Image.Image:
    """What `swapped_profile` makes of the red of `_transparent`."""
    image = Image.new("RGB", (30, 20), "white")
    image.paste((0, 200, 0), (10, 0, 30, 20))
    return image


def _of_several_frames() -> Iterator[Specimen]:
    frames = [Image.new("RGB", (24, 24), color) for color in ("#ff0000", "#00ff00", "#0000ff")]
    options = {"save_all": True, "append_images": frames[1:], "duration": 50}
    for kind in ("PNG", "WEBP"):
        data = encoded(frames[0], kind, **options)
        yield ok(f"animated.{kind.lower()}", data, frames[0])
    data = encoded(_PHOTO, "MPO", save_all=True, append_images=[noise()], quality=95)
    yield ok("two_views.jpg", data, _PHOTO, _LOSSY)


def _with_profiles() -> Iterator[Specimen]:
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    green = (20, 20, (0, 255, 0))
    yield ok("profile.jpg", _jpeg(icc_profile=srgb_profile()), _PHOTO, _LOSSY)
    yield ok("profile_applied.png", encoded(red, icc_profile=swapped_profile()), green, 2)
    large = _jpeg(red.resize((2_000, 1_600)), icc_profile=swapped_profile())
    yield ok("profile_applied_large.jpg", large, (1_000, 800, (0, 255, 0)), _LOSSY)
    for name, profile in {
        "damaged": b"no profile at all " + SECRET,
        "cut": srgb_profile()[:200],
        "of_10_mb": srgb_profile() + garbage(10_000_000),
    }.items():
        data = after_soi(_jpeg(), *icc_segments(profile))
        yield ok(f"profile_{name}.jpg", data, _PHOTO, _LOSSY)
    grey = Image.new("L", (20, 20), 90)
    light = (20, 20, (160, 160, 160))
    yield ok("grey_profile.png", encoded(grey, icc_profile=linear_grey_profile()), light, 1)
    data = encoded(grey.convert("LA"), icc_profile=linear_grey_profile())
    yield ok("grey_alpha_with_profile.png", data, light, 1)
    data = png_of(np.full((20, 20), 90 * 257, np.uint16), GREY, _iccp(linear_grey_profile()))
    yield ok("grey_16_bits_with_profile.png", data, light, 1)
    data = encoded(grey, icc_profile=srgb_profile())
    yield ok("profile_for_other_colours.png", data, (20, 20, (90, 90, 90)))


def _iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"ICC\0\0" + zlib.compress(profile))
