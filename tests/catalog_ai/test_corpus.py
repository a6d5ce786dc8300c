"""Every file of the corpus gets its verdict, quickly and in little memory."""

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from PIL import Image

from catalog_ai.config import PROJECT_ROOT
from catalog_ai.errors import PhotoError
from catalog_ai.images import MAX_SIDE, THUMBNAIL_SIDE, Pixels, decode, decode_photo
from catalog_ai.integrity import survey
from tests.corpus.making import SECRET
from tests.corpus.photos import Specimen, corpus, write_corpus

SECONDS = 4  # unguarded, the file of ten thousand scans takes half a minute
MEGABYTES = 900
GOOD = [specimen for specimen in corpus() if specimen.verdict == "ok"]
# As in an ingest, where a warning of Pillow's changes no verdict.
pytestmark = pytest.mark.filterwarnings("ignore")


def verdict_of(data: bytes) -> str:
    try:
        decode(data)
    except PhotoError as error:
        return error.code
    return "ok"


def error_between(pixels: Pixels, picture: Pixels) -> float:
    """Return the mean difference from the picture, reduced to the size of `pixels`."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(picture)
    assert abs(width / height - image.width / image.height) < 0.02 * width / height + 1 / height
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    return float(np.abs(pixels.astype(int) - np.asarray(small)).mean())


def test_the_corpus_is_large_and_has_both_kinds() -> None:
    names = [specimen.name for specimen in corpus()]
    assert len(set(names)) == len(names) >= 60
    assert len(GOOD) >= 60
    assert {specimen.verdict for specimen in corpus()} == {
        *("ok", "empty", "too_large", "not_a_photo", "damaged"),
        *("too_small", "too_narrow", "too_many_pixels"),
    }


@pytest.mark.parametrize("specimen", corpus(), ids=str)
def test_every_file_gets_its_verdict_in_time(specimen: Specimen) -> None:
    start = perf_counter()
    assert verdict_of(specimen.data) == specimen.verdict
    assert perf_counter() - start < SECONDS


@pytest.mark.parametrize("specimen", [s for s in GOOD if s.picture is not None], ids=str)
def test_a_good_file_looks_as_it_should(specimen: Specimen) -> None:
    assert specimen.picture is not None
    pixels = decode(specimen.data)
    assert pixels.shape == specimen.picture.shape
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - specimen.picture).mean() <= specimen.tolerance


@pytest.mark.parametrize("specimen", GOOD, ids=str)
def test_what_is_kept_of_a_good_file_is_upright_and_says_nothing(specimen: Specimen) -> None:
    photo = decode_photo(specimen.data)
    copy, small = photo.stored_copy().data, photo.thumbnail()
    for kept, side in ((copy, MAX_SIDE), (small, THUMBNAIL_SIDE)):
        assert SECRET not in kept
        assert survey(kept).whole
        with Image.open(BytesIO(kept)) as image:
            assert max(image.size) <= side
            assert getattr(image, "n_frames", 1) == 1
            assert not image.getexif()
            told = {str(name).lower() for name in image.info}
            assert not told & {"exif", "xmp", "icc_profile", "comment", "photoshop", "mp"}
        again = decode(kept)
        if specimen.picture is not None:
            assert error_between(again, specimen.picture) <= specimen.tolerance + 6


def test_no_file_takes_absurd_memory() -> None:
    """The largest photo allowed, as eight-bit grey, is 80 MB; the corpus itself is 90 MB."""
    program = (
        "from pathlib import Path\n"
        "from tests.corpus.photos import corpus\n"
        "from tests.catalog_ai.test_corpus import verdict_of\n"
        "for specimen in corpus(): verdict_of(specimen.data)\n"
        # Not ru_maxrss: that begins with what the process held that started this one.
        "status = Path('/proc/self/status').read_text().split('VmHWM:')[1]\n"
        "print(int(status.split()[0]) // 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert int(done.stdout) < MEGABYTES


def test_the_corpus_can_be_delivered(tmp_path: Path) -> None:
    written = write_corpus(tmp_path / "feed")
    assert len(written) == len(corpus())
    for specimen in corpus():
        path = tmp_path / "feed" / specimen.name
        assert path.stat().st_size == len(specimen.data)
        assert written[path] == specimen.verdict
