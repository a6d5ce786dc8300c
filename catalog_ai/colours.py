"""Whatever a photo's pixels are stored as: eight bits of sRGB for red, green and blue."""

from functools import cache
from io import BytesIO

from PIL import Image, ImageCms

_WITHOUT_ALPHA = {"LA": "L", "RGBA": "RGB"}
_WITH_PROFILES = {"RGB", "L", "CMYK"}
_WHITE = 255


def to_srgb(image: Image.Image) -> Image.Image:
    """Return a loaded image as RGB: its colour profile applied, what is transparent white."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    elif "transparency" in image.info:
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if "A" in image.getbands() else None
    rgb = _from_profile(image, profile) if profile else _as_rgb(image)
    if alpha is None:
        return rgb
    opaque = Image.new("RGB", rgb.size, "white")
    opaque.paste(rgb, mask=alpha)
    return opaque


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")  # `convert` always copies


def _from_16_bit(image: Image.Image) -> Image.Image:
    """Scale 16 bits to 8: Pillow's own `convert` clips and turns the photo white."""
    levels = list(_levels())
    transparent = image.info.get("transparency")
    if isinstance(transparent, int) and 0 <= transparent < len(levels):
        levels[transparent] = _WHITE
    return image.convert("I").point(levels, "L")


@cache
def _levels() -> tuple[int, ...]:
    return tuple((value * 255 + 32_767) // 65_535 for value in range(65_536))


def _from_profile(image: Image.Image, profile: bytes) -> Image.Image:
    image = image.convert(_WITHOUT_ALPHA.get(image.mode, image.mode))
    if image.mode not in _WITH_PROFILES:
        image = image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return _as_rgb(image)  # a damaged profile: the numbers as they stand
    return converted if converted is not None else _as_rgb(image)
