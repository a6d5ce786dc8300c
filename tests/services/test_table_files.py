"""Cells and values of files, whatever was delivered."""

import json

import pytest

from catalog_ai.services.table_files import FLAG, NUMBER, TEXT, TREE, table_file

COLUMNS = {"text": TEXT, "number": NUMBER, "flag": FLAG, "tree": TREE}
ROW = {"text": 'a "b", c\r\nd', "number": -0.5, "flag": True, "tree": {"é": "-1"}}
NOTHING = dict.fromkeys(COLUMNS)


def test_cells_of_a_spreadsheet() -> None:
    data = table_file("x", COLUMNS, [ROW, NOTHING], "csv").data.decode("utf-8-sig")
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
    data = table_file("x", {"text": TEXT}, [{"text": text}], "csv").data.decode("utf-8-sig")
    inner = data.removeprefix("text\r\n").removesuffix("\r\n").strip('"')
    assert inner == cell


def test_json_is_a_row_on_each_line() -> None:
    file = table_file("x", COLUMNS, [ROW, NOTHING], "json")
    lines = file.data.decode().splitlines()
    assert [json.loads(line.rstrip(",")) for line in lines[1:-1]] == [ROW, NOTHING]
    assert json.loads(file.data) == [ROW, NOTHING]
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
