from base64 import b64decode
from io import BytesIO

import numpy as np
from PIL import Image

from catalog_ai.services.map import MapView
from catalog_ai.services.map_sample import Sample, Wanted
from pages._ui import map_picture, map_views
from pages._ui.map_views import figure, groups, sample_line
from pages._ui.viewmodels import COLOURS, NO_LABEL, OTHER_COLOUR, WRONG_COLOURS
from tests.pages.test_viewmodels import NOW

EVERYTHING = Wanted()


def view(labels: list[int], names: tuple[str, ...], suspects: tuple[int, ...] = ()) -> MapView:
    """A map of products on a diagonal; product ids begin at a hundred."""
    count = len(labels)
    line = np.arange(count, dtype=np.float32)
    wrong = np.array(suspects, np.int64)
    return MapView(
        *(np.arange(100, 100 + count), line, -line, np.array(labels, np.int32), names),
        suspects=wrong,
        others=np.setdiff1d(np.arange(count), wrong),
        created_at=NOW,
        not_drawn=0,
        version="v",
    )


def drawn_of(rows: list[int], suspects: int = 0) -> Sample:
    return Sample(np.array(rows, np.int64), suspects, len(rows), suspects, 1, 1)


def test_no_colour_on_the_map_stands_for_two_labels() -> None:
    names = tuple(f"label {number}" for number in range(len(COLOURS) + 3))
    coloured = groups(np.arange(len(names), dtype=np.int32), names)
    named = [colour for colour in coloured.colours if colour != OTHER_COLOUR]
    assert len(named) == len(set(named)) == len(COLOURS)


def test_the_largest_group_comes_first_and_nothing_has_a_name() -> None:
    codes = np.array([2, 0, 2, 1, 2, 0], np.int32)
    coloured = groups(codes, ("", "hat", "dress", "shoes"))
    assert coloured.names == ("dress", NO_LABEL, "hat")
    assert [coloured.names[code] for code in coloured.codes] == [
        *("dress", NO_LABEL, "dress", "hat", "dress", NO_LABEL)
    ]


def test_a_thousand_labels_are_not_a_thousand_lines_of_legend() -> None:
    names = tuple(f"label {number:04}" for number in range(1_000))
    coloured = groups(np.arange(1_000, dtype=np.int32), names)
    assert len(coloured.names) == map_views.NAMED + 1
    assert coloured.names[-1] == "970 others"
    assert np.bincount(coloured.codes)[-1] == 970


def test_what_looks_wrong_has_its_colours() -> None:
    coloured = map_views.by_doubt(view([0, 0, 0], ("hat",), suspects=(1,)))
    assert dict(zip(coloured.names, coloured.colours, strict=True)) == {
        "Looks right": WRONG_COLOURS["Looks right"],
        "Looks wrong": WRONG_COLOURS["Looks wrong"],
    }
    assert [coloured.names[code] for code in coloured.codes] == [
        *("Looks right", "Looks wrong", "Looks right")
    ]


def test_points_carry_ids_and_the_legend_counts_all_not_the_sample() -> None:
    shown = view([0, 0, 0, 1, 1, 2], ("dress", "hat", "shoes"), suspects=(2,))
    coloured = groups(shown.labels, shown.names)
    sizes = np.bincount(coloured.codes)
    made = figure(shown, coloured, sizes, drawn_of([4, 0, 2], suspects=1), ["E", "A", "C"])
    names = {trace.name: trace.legendgroup for trace in made.data}
    listed = [trace.name for trace in made.data if trace.showlegend]
    assert listed == ["dress (3)", "hat (2)", "shoes (1)"]
    assert [list(trace.customdata) for trace in made.data] == [[100], [104], [], [102]]
    assert [list(trace.text) for trace in made.data] == [["A"], ["E"], [], ["C"]]
    assert [trace.marker.line.width > 0 for trace in made.data] == [False, False, False, True]
    ring = made.data[3]
    assert not ring.showlegend, "or Plotly draws the ring in the legend"
    assert ring.legendgroup == names["dress (3)"], "and it goes when its group is taken away"
    assert list(made.data[2].x) == [None], "or the legend would leave the group out"
    assert not made.layout.images
    only_hats = figure(shown, coloured, np.array([0, 2, 0]), drawn_of([3, 4]), ["D", "E"])
    assert [trace.name for trace in only_hats.data] == ["hat (2)"]
    assert only_hats.data[0].marker.color == made.data[1].marker.color, "a colour stays a label's"


def test_names_on_the_map_are_never_markup() -> None:
    shown = view([0], ("<a href='http://b'>x</a>",))
    coloured = groups(shown.labels, shown.names)
    made = figure(shown, coloured, np.array([1]), drawn_of([0]), ["<b>S</b>"])
    trace = made.data[0]
    assert "<" not in f"{trace.name}{trace.meta}{trace.text[0]}"


def test_the_picture_lies_where_the_points_lie() -> None:
    shown = view([0, 1], ("dress", "hat"))
    coloured = groups(shown.labels, shown.names)
    address = map_views.shade(shown, coloured)
    made = figure(shown, coloured, np.array([1, 1]), drawn_of([0]), ["A"], address)
    placed = made.layout.images[0]
    assert (placed.x, placed.x + placed.sizex) == tuple(made.layout.xaxis.range)
    assert (placed.y - placed.sizey, placed.y) == tuple(made.layout.yaxis.range)
    picture = Image.open(BytesIO(b64decode(address.partition(",")[2])))
    for row in (0, 1):
        column = int((shown.x[row] - placed.x) / placed.sizex * picture.width)
        line = int((placed.y - shown.y[row]) / placed.sizey * picture.height)
        red, green, blue, strength = picture.getpixel((column, line))
        assert f"#{red:02x}{green:02x}{blue:02x}" == COLOURS[row]
        assert strength > 0
    assert picture.getpixel((picture.width - 1, 0))[3] == 0


def test_every_product_is_in_the_shading() -> None:
    """The obvious twin: each point counted into its cell, one after the other."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 4_000)).astype(np.float32)
    tones = rng.integers(0, 2, 4_000).astype(np.int32)
    within = map_picture.bounds(x, y)
    png = map_picture.shading(x, y, tones, ("#ff0000", "#0000ff"), within)
    pixels = np.asarray(Image.open(BytesIO(png)))
    rows, columns = pixels.shape[:2]
    assert max(rows, columns) == map_picture.SIDE
    width, height = within.right - within.left, within.top - within.bottom
    expected = np.zeros((rows, columns, 2), int)
    for left, up, tone in zip(x, y, tones, strict=True):
        row, column = (within.top - up) / height * rows, (left - within.left) / width * columns
        expected[int(row), int(column), tone] += 1
    total = expected.sum(axis=2)
    assert ((pixels[..., 3] > 0) == (total > 0)).all()
    red = (255 * expected[..., 0] / np.maximum(total, 1)).astype(int)
    assert (pixels[..., 0] == red).all()
    assert len(set(pixels[total == 1][:, 3])) == 1
    assert pixels[total == 1][0, 3] < pixels[total == total.max()][0, 3], "a crowd shows more"


def test_a_map_of_one_product_has_a_picture_too() -> None:
    shown = view([0], ("hat",))
    assert map_views.shade(shown, groups(shown.labels, shown.names)).startswith("data:image/png")


def said(wanted: Wanted = EVERYTHING, **changes: int) -> str:
    known = {"suspects": 300, "products": 50_000, "wrong": 300, "number": 1, "count": 5} | changes
    rows = np.arange(min(10_000, known["products"]))
    return sample_line(Sample(rows, **known), wanted, shaded=True)


def test_the_line_says_what_can_be_clicked() -> None:
    all_of_it = " The shading shows all."
    assert said() == (
        "10,000 of 50,000 products can be clicked: everything that looks wrong, "
        f"and a sample of the others.{all_of_it}"
    )
    assert said(suspects=5_000, wrong=9_000) == (
        "10,000 of 50,000 products can be clicked: the 5,000 most suspicious of 9,000, "
        f"and a sample of the others.{all_of_it}"
    )
    assert said(Wanted("hat"), suspects=0, wrong=0) == (
        f"10,000 of 50,000 products in hat can be clicked: a fair sample.{all_of_it}"
    )
    assert said(number=3) == (
        f"10,000 of 50,000 products can be clicked, sample 3 of 5.{all_of_it}"
    )
    assert said(Wanted("", True), products=12_000, suspects=10_000, wrong=12_000, count=2) == (
        "10,000 of 12,000 products that look wrong in no label can be clicked: the most "
        f"suspicious.{all_of_it}"
    )
    assert said(Wanted("hat"), products=70, count=1) == (
        f"All 70 products in hat can be clicked.{all_of_it}"
    )
    assert said(Wanted(None, True), products=0, count=1) == "There are no products that look wrong."
    assert sample_line(drawn_of([1, 2]), Wanted(), shaded=False) == ""
