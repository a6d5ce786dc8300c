"""Damaged, hostile and merely odd manifests: other rows go on, and nothing but SourceError."""

import csv
import io
import json
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog_ai.data.delivery import csv_rows
from catalog_ai.data.sources import Source, read_source
from catalog_ai.errors import SourceError, UsageError
from tests.corpus.manifests import BadManifest, bad_manifests, parquet

EXAMPLES = 200  # of random files `make reliability` tries ten times as many
CORPUS = bad_manifests()


def delivered(folder: Path, name: str, data: bytes, *photos: str) -> Source:
    """Return what `folder` delivers with this manifest and these photos."""
    for photo in photos or ("a.jpg", "b.jpg"):
        (folder / photo).write_bytes(b"not looked at")
    (folder / name).write_bytes(data)
    return read_source(folder)


def written(rows: list[dict[str, Any]], name: str) -> bytes:
    """Return `rows` as a manifest of the format that `name` ends in."""
    if name.endswith(".parquet"):
        return parquet({key: [row.get(key) for row in rows] for key in rows[0]})
    if name.endswith(".json"):
        return json.dumps(rows, ensure_ascii=False).encode()
    if name.endswith((".jsonl", ".ndjson")):
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


FORMATS = (
    *("manifest.csv", "manifest.json", "manifest.jsonl", "manifest.ndjson", "manifest.parquet"),
)


# --- the corpus ----------------------------------------------------------------------------------


def test_the_corpus_is_large_and_its_names_differ() -> None:
    assert len({bad.name for bad in CORPUS}) == len(CORPUS) >= 30


@pytest.mark.parametrize("bad", CORPUS, ids=lambda bad: bad.name)
def test_a_bad_manifest_gets_its_verdict(tmp_path: Path, bad: BadManifest) -> None:
    bad.write(tmp_path)
    if bad.refused:
        with pytest.raises(SourceError) as caught:
            read_source(tmp_path)
        assert bad.refused in str(caught.value)
        assert bad.file in str(caught.value)
        return
    source = read_source(tmp_path)
    assert [item.sku for item in source.items] == bad.skus.split()
    found = [(problem.code, problem.image) for problem in source.problems]
    assert [code for code, _ in found] == [code for code, _ in bad.problems]
    for (_, image), (_, begins) in zip(found, bad.problems, strict=True):
        assert image == begins or image.startswith((f"{begins},", begins + ".", begins + ":"))
    assert source.missing == ()


def test_an_open_quote_says_which_lines_are_left_out(tmp_path: Path) -> None:
    text = b'image,title\na.jpg,"x\nand more\nb.jpg,y\nb.jpg,"z"z\n'
    source = delivered(tmp_path, "manifest.csv", text)
    assert [item.sku for item in source.items] == ["b"]
    assert [problem.image for problem in source.problems] == ["line 2", "line 5"]
    assert "lines 2 to 3 are left out" in source.problems[0].reason


def test_rows_of_json_are_found_by_line_and_place(tmp_path: Path) -> None:
    text = b'[\n  {"image": "a.jpg"},\n  7,\n  {"image": "b.jpg"}, 8\n]'
    source = delivered(tmp_path, "manifest.json", text)
    assert [problem.image for problem in source.problems] == ["line 3, row 2", "line 4, row 4"]


@pytest.mark.parametrize("line", ['a",b,"c\nx,y,z\n', 'A,a.jpg,"x\nB,b.jpg,y\n', '"\n'])
def test_open_quotes_in_every_line_cost_no_more_than_reading_twice(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were each of them looked for up to the end of the file, this would take minutes."""
    monkeypatch.setattr(csv_rows, "_LEEWAY", 1_000)
    text = "sku,image,title\nA,a.jpg,x\n" + line * 30_000
    start = process_time()
    source = delivered(tmp_path, "manifest.csv", text.encode())
    assert process_time() - start < 10
    assert source.items[0].sku == "A"
    assert source.problems


@pytest.mark.parametrize("part", ['{"a":\n', '{"a":[1},{\n', "[\n", '{"a":1}\n{\n'])
def test_damage_all_over_a_json_list_ends(tmp_path: Path, part: str) -> None:
    text = '[{"image": "a.jpg"},\n' + part * 100_000
    start = process_time()
    source = delivered(tmp_path, "manifest.json", text.encode())
    assert process_time() - start < 10
    assert [item.sku for item in source.items] == ["a"]
    assert {problem.code for problem in source.problems} == {"bad_row"}
    assert source.problems[-1].reason.endswith("the rest is left out")


def test_a_null_byte_in_a_list_is_shown_as_an_escape(tmp_path: Path) -> None:
    source = delivered(tmp_path, "manifest.json", b'[{"image": ["gone\\u0000.jpg", "a.jpg"]}]')
    assert source.missing == ("gone\\x00.jpg",)


def test_a_hundred_thousand_rows_take_seconds(tmp_path: Path) -> None:
    rows = "".join(f"{number},a.jpg,Title {number},hat,9.99\n" for number in range(100_000))
    start = process_time()
    source = delivered(tmp_path, "manifest.csv", f"sku,image,title,label,price\n{rows}".encode())
    assert process_time() - start < 10
    assert len(source.items) == 100_000


# --- values --------------------------------------------------------------------------------------

WORDS = [
    "NA",
    "null",
    "None",
    "nan",
    "007",
    "1e5",
    "TRUE",
    "=1+1",
    "<b>x</b>",
    "\u202eשלום",
    "👩‍👧",
]


@pytest.mark.parametrize("name", FORMATS)
def test_every_value_stays_the_text_that_it_is(tmp_path: Path, name: str) -> None:
    rows = [
        {"sku": word, "image": "a.jpg", "title": word, "label": word, "Brand": word}
        for word in WORDS
    ]
    source = delivered(tmp_path, name, written(rows, name))
    assert [item.sku for item in source.items] == WORDS
    assert [item.title for item in source.items] == WORDS
    assert [item.label for item in source.items] == WORDS
    assert [item.attributes for item in source.items] == [{"brand": word} for word in WORDS]


TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)


@given(st.sampled_from(FORMATS), TEXT, TEXT)
@example("manifest.csv", 'a"b\r\n"",;', "\r")
@example("manifest.json", "[]", '{"a": 1}')
@settings(max_examples=EXAMPLES, deadline=None)
def test_arbitrary_text_goes_round(name: str, title: str, other: str) -> None:
    rows = [
        {"sku": "A", "image": "a.jpg", "title": title, "Other": other, "price": "1"},
        {"sku": "B", "image": "b.jpg", "title": "next", "Other": "next", "price": "2"},
    ]
    with tempfile.TemporaryDirectory() as folder:
        source = delivered(Path(folder), name, written(rows, name))
    first, second = source.items
    assert first.title == title.strip()
    assert first.attributes.get("other", "") == other.strip()
    assert (second.sku, second.title) == ("B", "next")
    assert source.problems == ()


def test_numbers_of_json_keep_their_digits(tmp_path: Path) -> None:
    text = (
        '[{"sku": 1001, "image": "a.jpg", "price": 19.90, "stock": 18446744073709551616, "new": '
        'true, "old": null, "weight": NaN, "size": Infinity, "far": 1e400, '
        '"many": '
        + "7" * 5_000
        + ', "sizes": [36, 38.50, null], "care": {"wash": 30, "how": "é"}}]'
    )
    (item,) = delivered(tmp_path, "manifest.json", text.encode()).items
    assert item.sku == "1001"
    assert item.attributes == {
        "price": "19.90",
        "stock": "18446744073709551616",
        "new": "true",
        "far": "1e400",
        "many": "7" * 5_000,
        "sizes": "[36,38.50,null]",
        "care": '{"wash":30,"how":"é"}',
    }


def test_values_of_parquet_become_plain_text(tmp_path: Path) -> None:
    import datetime
    import decimal

    import pyarrow as pa

    columns = {
        "id": [1001.0, None],  # what pandas makes of whole numbers with a gap
        "image": ["a.jpg", "b.jpg"],
        "price": pa.array([19.9, float("nan")], pa.float32()),
        "exact": [decimal.Decimal("1.50"), None],
        "large": pa.array([2**64 - 1, None], pa.uint64()),
        "new": [True, None],
        "day": [datetime.date(2024, 2, 29), None],
        "word": pa.array(["red", "red"]).dictionary_encode(),
        "sizes": [[36, 38], []],
        "care": [{"wash": 30.0, "how": "é"}, None],
        "raw": [b"text", b"\xff\xfe"],
    }
    source = delivered(tmp_path, "manifest.parquet", parquet(columns))
    (item,) = source.items
    assert item.sku == "1001"
    assert item.attributes == {
        "price": "19.9",
        "exact": "1.50",
        "large": "18446744073709551615",
        "new": "true",
        "day": "2024-02-29",
        "word": "red",
        "sizes": "[36,38]",
        "care": '{"wash":30,"how":"é"}',
        "raw": "text",
    }
    assert [(p.image, p.code) for p in source.problems] == [("row 2", "bad_row")]


def test_one_text_of_parquet_that_is_no_utf_8_costs_its_row_alone(tmp_path: Path) -> None:
    import pyarrow as pa

    raw = pa.array([b"Ann", b"\xff\xfe", b"Cat"])
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    columns = {"sku": ["A", "B", "C"], "image": ["a.jpg"] * 3, "title": texts}
    source = delivered(tmp_path, "manifest.parquet", parquet(columns))
    assert [(item.sku, item.title) for item in source.items] == [("A", "Ann"), ("C", "Cat")]
    assert [(p.image, p.code) for p in source.problems] == [("row 2", "bad_row")]


# --- columns and formats -------------------------------------------------------------------------


def test_columns_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    text = "id,Artikel,Foto,Foto_2,Größe,Preis\nx,A,a.jpg,b.jpg,M,9\n"
    (tmp_path / "manifest.csv").write_text(text)
    columns = {"sku": "artikel", "image": "FOTO", "label": "Gro\u0308ße", "price": "Preis"}
    (item,) = read_source(tmp_path, columns=columns).items
    assert (item.sku, item.image, item.label) == ("A", "a.jpg", "M")
    assert list(item.more) == ["b.jpg"]
    assert item.attributes == {"id": "x", "price": "9"}


@pytest.mark.parametrize("name", FORMATS)
def test_a_named_column_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(written([{"sku": "A", "image": "a.jpg"}], name))
    with pytest.raises(SourceError, match=r"no column 'foto'.*it has sku, image"):
        read_source(tmp_path, columns={"image": "Foto"})


def test_a_field_that_we_do_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'colour' is no field"):
        read_source(tmp_path, columns={"colour": "Farbe"})


def test_columns_beside_the_one_that_is_used_become_attributes(tmp_path: Path) -> None:
    text = b"sku,id,image,file,title,name,label,category\nA,7,a.jpg,old.tif,T,N,hat,x\n"
    (item,) = delivered(tmp_path, "manifest.csv", text).items
    assert (item.sku, item.image, item.title, item.label) == ("A", "a.jpg", "T", "hat")
    assert item.attributes == {"id": "7", "file": "old.tif", "name": "N", "category": "x"}


def test_a_list_in_an_object_is_the_manifest(tmp_path: Path) -> None:
    text = b'{"shop": {"x": [1]}, "count": 1, "products": [{"image": "a.jpg"}], "next": null}'
    source = delivered(tmp_path, "manifest.json", text)
    assert [item.sku for item in source.items] == ["a"]
    assert source.problems == ()


def test_a_damaged_list_in_an_object_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    text = b'{"count": 2, "products": [{"image": "a.jpg"}, {"image": }, {"image": "b.jpg"}]}'
    source = delivered(tmp_path, "manifest.json", text)
    assert [item.sku for item in source.items] == ["a", "b"]
    assert [problem.image for problem in source.problems] == ["line 1, row 2"]


def test_several_manifests_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('[{"image": "b.jpg"}]')
    with pytest.raises(SourceError, match=r"manifest\.csv, manifest\.json"):
        delivered(tmp_path, "manifest.csv", b"image\na.jpg\n")
    source = read_source(tmp_path / "manifest.json")
    assert source.root == tmp_path.resolve()
    assert [item.sku for item in source.items] == ["b"]
    assert [(p.image, p.code) for p in source.problems] == [("manifest.csv", "format_not_allowed")]


@pytest.mark.parametrize("name", ["styles.csv", "Products.JSON", "feed.ndjson", "MANIFEST.CSV"])
def test_a_manifest_by_another_name_is_found(tmp_path: Path, name: str) -> None:
    data = written([{"sku": "A", "image": "a.jpg"}], name.lower())
    source = delivered(tmp_path, name, data)
    assert source.kind == "manifest"
    assert [item.sku for item in source.items] == ["A"]
    assert source.problems == ()


def test_the_file_called_manifest_comes_before_others(tmp_path: Path) -> None:
    (tmp_path / "categories.csv").write_text("Polo,t-shirt\n")
    source = delivered(tmp_path, "manifest.csv", b"image\na.jpg\n")
    assert [item.sku for item in source.items] == ["a"]
    assert [problem.image for problem in source.problems] == ["categories.csv"]


# --- random bytes --------------------------------------------------------------------------------


def was_read(name: str, data: bytes) -> bool:
    """Return whether the file was read, else it was refused in words; nothing else may happen."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = delivered(Path(folder), name, data)
        except SourceError as error:
            assert name in str(error)
            return False
    assert {item.image for item in source.items} <= {"a.jpg", "b.jpg"}
    for text in (*source.missing, *(problem.image for problem in source.problems)):
        text.encode()
    return True


PIECES = st.sampled_from(
    [*'{}[]":,\n \\', '"sku"', '"image"', '"a.jpg"', '{"image":"a.jpg"}', "1e999", "NaN", "\ud800"]
)
PARQUET = parquet(
    {"sku": ["A", "B"], "image": [["a.jpg", "b.jpg"], ["b.jpg"]], "price": [1.5, None]}
)
CHANGES = st.lists(st.tuples(st.integers(4, len(PARQUET) - 5), st.binary(min_size=1, max_size=4)))


def json_of(pieces: list[str]) -> bytes:
    return ('[{"image": "b.jpg"},' + "".join(pieces)).encode("utf-8", "surrogatepass")


def damaged(changes: list[tuple[int, bytes]]) -> bytes:
    data = bytearray(PARQUET)
    for place, found in changes:
        data[place : place + len(found)] = found
    return bytes(data)


# What is tried → a file's name and its bytes.
RANDOM = {
    "random bytes": st.tuples(st.sampled_from(FORMATS), st.binary(max_size=300)),
    "pieces of JSON": st.tuples(
        st.sampled_from(["manifest.json", "manifest.jsonl"]),
        st.lists(PIECES, max_size=25).map(json_of),
    ),
    "damaged Parquet": st.tuples(st.just("manifest.parquet"), CHANGES.map(damaged)),
}


@pytest.mark.parametrize("kind", RANDOM)
def test_a_random_file_is_read_or_refused(kind: str) -> None:
    @given(RANDOM[kind])
    @settings(max_examples=EXAMPLES, deadline=None)
    def one(file: tuple[str, bytes]) -> None:
        was_read(*file)

    one()
