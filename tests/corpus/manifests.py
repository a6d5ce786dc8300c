"""Bad manifests, each with the verdict it must get.

`python -m tests.corpus.manifests FOLDER` writes each into a folder of its own, beside the photos
that its rows name, to try a command on.
"""

import codecs
import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PHOTOS = ("a.jpg", "b.jpg", "c.jpg", "images/d.jpg")
_HEADER = "sku,image,title\n"
_A, _B, _C = "A,a.jpg,Ann\n", "B,b.jpg,Bea\n", "C,c.jpg,Cat\n"
_DEEP = 100_000


@dataclass(frozen=True)
class BadManifest:
    """One file and its verdict: refused with this word, or read with these SKUs and problems.

    A problem is (code, what its image or its reason begins with). `size` > 0 makes the file that
    long, with a hole at its end.
    """

    name: str
    data: bytes
    skus: str = ""  # the products that go in, separated by spaces
    problems: tuple[tuple[str, str], ...] = ()
    refused: str = ""
    file: str = "manifest.csv"
    size: int = 0

    def write(self, folder: Path) -> Path:
        """Write the manifest and the photos that rows name, and return the folder."""
        for photo in PHOTOS:
            path = folder / photo
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"not looked at")
        with (folder / self.file).open("wb") as file:
            file.write(self.data)
            file.truncate(max(self.size, len(self.data)))
        return folder


def bad_manifests() -> list[BadManifest]:
    """Return all of them."""
    return [*_refused_csv(), *_damaged_csv(), *_encodings(), *_json(), *_json_lines(), *_parquet()]


def parquet(columns: Mapping[str, list[Any]]) -> bytes:
    """Return a Parquet file with these columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), target)
    return target.getvalue()


def _csv(name: str, text: str, skus: str = "", *problems: tuple[str, str]) -> BadManifest:
    return BadManifest(name, text.encode("utf-8", "surrogateescape"), skus, problems)


def _bad(*lines: int) -> tuple[tuple[str, str], ...]:
    return tuple(("bad_row", f"line {line}") for line in lines)


def _refused_csv() -> list[BadManifest]:
    cases = {
        "an empty file": ("", "empty"),
        "blank lines only": ("\n \n\n", "empty"),
        "a header only": (_HEADER, "no rows"),
        "a header and blank rows": (_HEADER + ",,\n\n", "no rows"),
        "no column of ours": ("colour,size\nred,1\n", "'image' or 'sku' is needed"),
        "a doubled column": ("sku,image,Title, title\nA,a.jpg,x,y\n", "'title' twice"),
        "a doubled photo column": ("sku,image,IMAGE\nA,a.jpg,b.jpg\n", "'image' twice"),
        "an open quote in the header": ('sku,"image\nA,a.jpg\n', "header"),
        "null bytes in the header": ("s\0ku,image\nA,a.jpg\n", "UTF-8"),
        "a header in Windows-1252": ("sku,image,Gr\udcf6\udcdfe\nA,a.jpg,1\n", "UTF-8"),
        "UTF-16 without a mark": ("s\0k\0u\0,\0i\0d\0\n\0", "UTF-8"),
        "random bytes": ("\udcff\udcd8\udcff\0\x10JFIF", "UTF-8"),
        "a line without end": ("x" * (16 * 1024 * 1024 + 1), "UTF-8"),
    }
    found = [
        BadManifest(name, text.encode("utf-8", "surrogateescape"), refused=word)
        for name, (text, word) in cases.items()
    ]
    large = BadManifest(
        "more than 1 GB", _HEADER.encode(), refused="larger than 1 GB", size=1024**3 + 1
    )
    return [*found, large]


def _damaged_csv() -> list[BadManifest]:
    large = "x" * 140_000
    return [
        _csv("a row too short", _HEADER + "A,a.jpg\n" + _B, "B", *_bad(2)),
        _csv("a row too long", _HEADER + "A,a.jpg,x,y\n" + _B, "B", *_bad(2)),
        _csv("text behind a quote", _HEADER + '"A"x,a.jpg,x\n' + _B, "B", *_bad(2)),
        _csv("an open quote", _HEADER + 'A,a.jpg,"Ann\n' + _B + _C, "B C", *_bad(2)),
        _csv(
            "an open quote before quoted rows",
            _HEADER + 'A,a.jpg,"Ann\n"B","b.jpg","Bea"\n"C","c.jpg","Cat"\n',
            *("B C", *_bad(2)),
        ),
        _csv("an open quote in the last line", _HEADER + _A + 'B,b.jpg,"B', "A", *_bad(3)),
        _csv(
            "an open quote, a broken line, whole rows",
            _HEADER + 'A,a.jpg,"Ann\nnothing\n' + _B + _C,
            *("B C", *_bad(2)),
        ),
        _csv(
            "a quote over two lines with too few columns",
            _HEADER + '"A,a.jpg\nx"\n' + _B,
            *("B", *_bad(2)),
        ),
        _csv("two open quotes", _HEADER + 'A,"a.jpg,x\n' + _B + 'C,"c.jpg,x\n', "B", *_bad(2, 4)),
        _csv("a row behind one over two lines", _HEADER + 'A,a.jpg,"x\ny"\nB\n', "A", *_bad(4)),
        _csv("a null byte", _HEADER + "A,a.jpg,A\0nn\n" + _B, "B", *_bad(2)),
        _csv("a row in Windows-1252", _HEADER + "A,a.jpg,Caf\udce9\n" + _B, "B", *_bad(2)),
        _csv("a field too large", _HEADER + f"A,a.jpg,{large}\n" + _B, "B", *_bad(2)),
        _csv("a quoted field too large", _HEADER + f'A,a.jpg,"{large}"\n' + _B, "B", *_bad(2)),
        _csv("a row of nothing but a title", _HEADER + ",,Ann\n" + _B, "B", *_bad(2)),
        _csv("a SKU too long", _HEADER + f"{'A' * 256},a.jpg,x\n" + _B, "B", ("bad_sku", "a.jpg")),
        _csv(
            "a control character in a SKU", _HEADER + "A\x07,a.jpg,x\n" + _B, "B", ("bad_sku", "a")
        ),
        _csv(
            "a SKU twice", _HEADER + _A + "A,b.jpg,Bea\n", "A", ("duplicate_sku", "line 3: b.jpg")
        ),
        _csv(
            "a label too long",
            f"sku,image,label\nA,a.jpg,{'x' * 256}\nA,b.jpg\nB,b.jpg,{'y' * 255}\n",
            "B",
            ("bad_label", "a.jpg"),
            *_bad(3),
        ),
        _csv("a row twice", _HEADER + _A + _A, "A", ("duplicate_sku", "line 3: a.jpg")),
        _csv("nameless columns", "sku,image,,\nA,a.jpg,x,y\n", "A"),
        _csv("semicolons", "sku;image;title, long\nA;a.jpg;x, y\n", "A"),
        _csv("tabs", "sku\timage\nA\ta.jpg\nB\tb.jpg\tx\n", "A", *_bad(3)),
        _csv("formulas and HTML", _HEADER + "=1+1,a.jpg,<b>@SUM(A1)</b>\n", "=1+1"),
        _csv("right-to-left text and emoji", _HEADER + "A,a.jpg,\u202eשלום 👩‍👩‍👧\n", "A"),
        _csv("words that pandas takes for nothing", _HEADER + "NA,a.jpg,null\n", "NA"),
    ]


def _encodings() -> list[BadManifest]:
    text = _HEADER + "Ä,a.jpg,Ann\nB,b.jpg\n"
    marks = {
        "UTF-8 with a mark": text.encode("utf-8-sig"),
        "UTF-16 little-endian": codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        "UTF-16 big-endian": codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        "UTF-32": text.encode("utf-32"),
    }
    found = [BadManifest(name, data, "Ä", _bad(3)) for name, data in marks.items()]
    halved = codecs.BOM_UTF16_LE + (_HEADER + _A + _B).encode("utf-16-le")[:-1]
    return [*found, BadManifest("UTF-16 cut in the middle", halved, "A", _bad(3))]


def _json() -> list[BadManifest]:
    a, b = '{"sku": "A", "image": "a.jpg"}', '{"sku": "B", "image": "b.jpg"}'
    deep, less = (
        '{"sku": "A", "image": "a.jpg", "x": ' + "[" * depth + "]" * depth + "}"
        for depth in (_DEEP, 600)  # the latter can be read, but not written again
    )
    twice = '{"sku": "A", "sku": "X", "image": "a.jpg"}'
    read = {
        "a damaged object": (f'[{{"sku": "A", "image": }},\n{b}]', "B", _bad(1)),
        "a damaged object on the same line": (f'[{{"sku": }},{b}]', "B", _bad(1)),
        "a list that is cut off": (f'[{a},\n{b},\n{{"sku": "C", "im', "A B", _bad(3)),
        "a list without its end": (f"[{a},\n{b}", "A", _bad(2)),
        "objects without a comma": (f"[{a}\n{b}\n]", "B", _bad(1)),
        "a key twice": (f"[{twice},\n{b}]", "B", _bad(1)),
        "a column in two spellings": (f'[{{"SKU": "A", "sku": "A"}},\n{b}]', "B", _bad(1)),
        "nested too deep": (f"[{deep},\n{b}]", "B", _bad(1)),
        "nested almost too deep": (f"[{less},\n{b}]", "B", _bad(1)),
        "numbers and text in the list": (f'[7,\n"x",\n{b}]', "B", _bad(1, 2)),
        "half a character": (f'[{{"sku": "A\\ud800", "image": "a.jpg"}},\n{b}]', "B", _bad(1)),
        "an escaped null byte": (f'[{{"sku": "A\\u0000", "image": "a.jpg"}},\n{b}]', "B", _bad(1)),
        "something behind the list": (f"[{a}]\n[{b}]", "A", _bad(1)),
        "an object with neither": (f'[{{"title": "x"}},\n{b}]', "B", _bad(1)),
        "not-a-number": ('[{"sku": "A", "image": "a.jpg", "price": NaN}]', "A", ()),
        "endless digits": ('[{"sku": ' + "9" * 300 + ', "image": "a.jpg"}]', "", ()),
    }
    found = [
        BadManifest(f"JSON: {name}", text.encode(), skus, problems, file="manifest.json")
        for name, (text, skus, problems) in read.items()
        if name != "endless digits"
    ]
    digits = BadManifest(
        *("JSON: endless digits", read["endless digits"][0].encode(), ""),
        *((("bad_sku", "a.jpg"),), "", "manifest.json"),
    )
    refused = {
        "nothing": ("", "no JSON list"),
        "a number": ("17", "no JSON list"),
        "an object without a list": ('{"a": 1}', "0 lists"),
        "an object with two lists": (f'{{"x": [{a}], "y": [{b}]}}', "'x', 'y'"),
        "an empty list": ("[]", "no rows"),
        "only numbers": ("[1, 2]", "none"),
        "no column of ours": ('[{"colour": "red"}]', "'image' or 'sku' is needed"),
    }
    return [
        *found,
        digits,
        *(
            BadManifest(f"JSON: {name}", text.encode(), refused=word, file="manifest.json")
            for name, (text, word) in refused.items()
        ),
    ]


def _json_lines() -> list[BadManifest]:
    lines = [
        json.dumps({"sku": "A", "image": "a.jpg"}),
        '{"sku": "B", "image": ',
        "[1, 2]",
        "",
        json.dumps({"sku": "C", "image": "c.jpg"}) + " {}",
        "[" * _DEEP,
        '{"id": 18446744073709551616, "image": "b.jpg"}',
    ]
    data = "\n".join(lines).encode() + b'\n{"sku": "\xff", "image": "c.jpg"}'
    skus = "A 18446744073709551616"
    return [
        BadManifest("JSON Lines: damaged", data, skus, _bad(2, 3, 5, 6, 8), file="manifest.jsonl"),
        BadManifest("JSON Lines: blank", b"\n\n", refused="no rows", file="manifest.ndjson"),
    ]


def _parquet() -> list[BadManifest]:
    whole = parquet({"sku": ["A", "B"], "image": ["a.jpg", "b.jpg"]})
    doubled = parquet({"sku": ["A"], "image": ["a.jpg"], "Image": ["b.jpg"]})
    numbers = parquet({"id": [1.0, None], "image": ["a.jpg", "../b.jpg"]})
    cases: list[tuple[str, bytes, str]] = [
        ("cut off", whole[:-20], "no whole Parquet file"),
        ("cut at its head", whole[:50], "no whole Parquet file"),
        ("nothing", b"", "no whole Parquet file"),
        ("text", b"sku,image\nA,a.jpg\n", "no whole Parquet file"),
        ("no rows", parquet({"sku": [], "image": []}), "no rows"),
        ("a doubled column", doubled, "'image' twice"),
        ("no column of ours", parquet({"colour": ["red"]}), "'image' or 'sku' is needed"),
    ]
    refused = [
        BadManifest(f"Parquet: {name}", data, refused=word, file="manifest.parquet")
        for name, data, word in cases
    ]
    unsafe = (("unsafe_path", "../b.jpg"),)
    return [
        *refused,
        BadManifest(
            "Parquet: a path that leads out", numbers, "1", unsafe, file="manifest.parquet"
        ),
    ]


if __name__ == "__main__":
    for number, bad in enumerate(bad_manifests(), 1):
        target = Path(sys.argv[1]) / f"{number:02}"
        target.mkdir(parents=True)
        bad.write(target)
        print(f"{target}: {bad.name}: {bad.refused or bad.problems or 'read whole'}")
