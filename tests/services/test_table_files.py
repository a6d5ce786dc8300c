"""Cells and values of files, whatever was delivered."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catalog_ai.services import table_files
from catalog_ai.services.cells import FLAG, NUMBER, TEXT, TIME, TREE, WHOLE
from catalog_ai.services.table_files import table_file

COLUMNS = {"text": TEXT, "number": NUMBER, "flag": FLAG, "tree": TREE}
ROW = ('a "b", c\r\nd', -0.5, True, '{"é": "-1"}')
SAYS = {"text": 'a "b", c\r\nd', "number": -0.5, "flag": True, "tree": {"é": "-1"}}
MISSING = (None,) * len(COLUMNS)
NOTHING = dict.fromkeys(COLUMNS)

EVERY = {
    "text": TEXT,
    "more": TEXT,
    "100 %": NUMBER,
    "n": WHOLE,
    "yes": FLAG,
    "at": TIME,
    "t": TREE,
}
PASSED_OVER = r"[\s\x00-\x1f\u200b-\u200f\u2060\ufeff]"
SIGN = r"[=+\-@＝＋－＠]"
AT_START = re.compile(rf"(?={PASSED_OVER}*{SIGN}|[\t\r\n])")
FURTHER_IN = re.compile(rf"(?<=[;\r\n])(?=(?:(?![\r\n]){PASSED_OVER})*{SIGN})")

texts = (
    st.none()
    | st.text("=+-@＝;\r\n\t\v \u200b\ufeff\u3000\x1fa1,'\"éß\x00\u2028", max_size=6)
    | st.text()
)
trees = st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3))
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
cells = st.tuples(
    *(texts, texts, st.none() | st.floats(-10, 10), st.none() | st.integers(0, 2**40)),
    *(st.none() | st.booleans(), st.none() | moments, trees.map(json.dumps)),
)


def test_cells_of_a_spreadsheet() -> None:
    data = table_file("x", COLUMNS, [ROW, MISSING], "csv").data.decode("utf-8-sig")
    assert data == (
        'text,number,flag,tree\r\n"a ""b"", c\r\nd",-0.5,yes,"{""é"": ""-1""}"\r\n,,,\r\n'
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("", ""),
        ("x=1-1", "x=1-1"),
        ("a; b", "a; b"),
        ("a\nb", "a\nb"),
        ("\tx", "'\tx"),
        ("\u200b=1", "'\u200b=1"),
        ("a;\u3000＠x", "a;'\u3000＠x"),
        ("a\n=1\n-2", "a\n'=1\n'-2"),
        ("'=1", "'=1"),
    ],
)
def test_only_what_could_run_gets_an_apostrophe(text: str, cell: str) -> None:
    data = table_file("x", {"text": TEXT}, [(text,)], "csv").data.decode("utf-8-sig")
    inner = data.removeprefix("text\r\n").removesuffix("\r\n").strip('"')
    assert inner == cell


def test_json_is_a_row_on_each_line() -> None:
    file = table_file("x", COLUMNS, [ROW, MISSING], "json")
    lines = file.data.decode().splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines[1:-1]] == [SAYS, NOTHING]
    assert json.loads(file.data) == [SAYS, NOTHING]
    assert json.loads(table_file("x", COLUMNS, [], "json").data) == []


@pytest.mark.parametrize(
    ("format", "mime"),
    [
        ("csv", "text/csv"),
        ("json", "application/json"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
def test_the_name_carries_the_content(format: str, mime: str) -> None:
    one, same, other = (table_file("x", COLUMNS, rows, format) for rows in ([ROW], [ROW], []))
    assert one == same
    assert one.file_name != other.file_name
    assert (one.file_name, one.rows) == (f"x-{one.sha256[:12]}.{format}", 1)
    assert one.mime == mime


def plain_cell(value: Any, holds: str) -> Any:
    """Return a cell as somebody would write it who has all day."""
    if value is None:
        return ""
    if holds == FLAG:
        return "yes" if value else "no"
    if holds == TIME:
        return value.isoformat()
    if holds == NUMBER:
        return round(value, 4)
    if holds == TREE:
        value = json.dumps(json.loads(value), ensure_ascii=False, sort_keys=True)
    if holds in {TEXT, TREE}:
        value = FURTHER_IN.sub("'", value)
        return f"'{value}" if AT_START.match(value) else value
    return value


def plain_csv(columns: dict[str, str], rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([plain_cell(*one) for one in zip(row, columns.values(), strict=True)])
    return text.getvalue().encode("utf-8-sig")


def plain_value(value: Any, holds: str) -> Any:
    if value is None:
        return None
    read = {NUMBER: lambda: round(value, 4), TREE: lambda: json.loads(value)}
    return read[holds]() if holds in read else value


def plain_json(columns: dict[str, str], rows: list[tuple[Any, ...]]) -> bytes:
    lines = []
    for row in rows:
        pairs = zip(row, columns.values(), strict=True)
        values = dict(zip(columns, [plain_value(*one) for one in pairs], strict=True))
        lines.append(json.dumps(values, ensure_ascii=False, default=datetime.isoformat))
    return ("[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n").encode()


@settings(deadline=None)
@given(st.lists(cells, max_size=8))
@example([("a\r-1", "b", None, None, None, None, "{}")])
@example([("b;＝1", "b", None, None, None, None, "{}")])
@example([(";=1", "a\r\n-1", -0.0, 0, False, datetime(2026, 1, 1, tzinfo=UTC), "{}")])
@example(
    [("a", "ordinary", None, None, None, None, "{}"), ("b", "\u3000=1", 1e-9, 7, True, None, "{}")]
)
def test_whole_columns_are_byte_for_byte_what_the_plain_loop_writes(
    rows: list[tuple[Any, ...]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_files, "_AT_ONCE", 3)
        assert table_file("x", EVERY, rows, "csv").data == plain_csv(EVERY, rows)
        assert table_file("x", EVERY, rows, "json").data == plain_json(EVERY, rows)
        read = pq.read_table(io.BytesIO(table_file("x", EVERY, rows, "parquet").data))
    types = [pa.string(), pa.string(), pa.float64(), pa.int64(), pa.bool_()]
    assert read.schema.types == [*types, pa.timestamp("us", tz="UTC"), pa.string()]
    for found, row in zip(read.to_pylist(), rows, strict=True):
        *values, tree = (plain_value(*one) for one in zip(row, EVERY.values(), strict=True))
        assert list(found.values())[:-1] == values
        assert json.loads(found["t"]) == tree


def test_a_row_with_too_few_values_is_no_row() -> None:
    for format in table_files.FORMATS:
        with pytest.raises(ValueError, match="zip"):
            table_file("x", COLUMNS, [ROW[:3]], format)


def test_moments_of_elsewhere_keep_their_moment() -> None:
    there = datetime(2026, 3, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    (row,) = pq.read_table(
        io.BytesIO(table_file("x", {"at": TIME}, [(there,)], "parquet").data)
    ).to_pylist()
    assert row["at"] == there
