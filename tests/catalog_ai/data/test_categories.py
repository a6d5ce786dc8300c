"""The feed's words for categories become ours, and what is left is counted."""

import os
from pathlib import Path

import pytest

from catalog_ai.data.sources import CategoryMap, read_categories, read_source, unmapped_labels
from catalog_ai.errors import UsageError

LINES = """# what the feed calls them

Polo = t-shirt
  POLO   shirt=T-Shirt
Not sure = ?
a = b = hat
"""


def mapping(folder: Path, text: str | bytes, name: str = "categories.txt") -> CategoryMap:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_categories(path)


def test_lines_map_the_feeds_words_to_ours(tmp_path: Path) -> None:
    found = mapping(tmp_path, LINES)
    assert found.targets == {
        "polo": "t-shirt",
        "polo shirt": "T-Shirt",
        "not sure": None,
        "a = b": "hat",
    }
    assert found.of(" POLO  Shirt ") == "T-Shirt"
    assert found.of("not SURE") is None
    assert found.of("Dress") == "Dress"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_with_two_columns_says_the_same(tmp_path: Path, delimiter: str) -> None:
    rows = [("# ours", "theirs"), ("Polo", "t-shirt"), ('"a, b; c"', "hat"), ("Not sure", "?")]
    text = "\n".join(delimiter.join(row) for row in rows)
    found = mapping(tmp_path, text, "categories.csv")
    assert found.targets == {"polo": "t-shirt", "a, b; c": "hat", "not sure": None}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_mapping_file_may_come_from_windows(tmp_path: Path, encoding: str) -> None:
    found = mapping(tmp_path, "Hüte = hat\r\n\r\nPolo=t-shirt\r\n".encode(encoding))
    assert found.targets == {"hüte": "hat", "polo": "t-shirt"}


@pytest.mark.parametrize(
    "line", ["Polo", "Polo =", "= t-shirt", "=", "Polo = dress", "Pol\udcff=x"]
)
def test_a_line_that_says_nothing_is_named(tmp_path: Path, line: str) -> None:
    text = f"# x\npolo = t-shirt\n{line}\n".encode("utf-8", "surrogateescape")
    with pytest.raises(UsageError, match=r"categories\.txt, line 3"):
        mapping(tmp_path, text)


@pytest.mark.parametrize("line", ["Polo", "Polo,t-shirt,x", '"Polo,t-shirt', ",hat"])
def test_a_row_that_says_nothing_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(UsageError, match=r"categories\.csv, line 2"):
        mapping(tmp_path, f"a,b\n{line}\n", "categories.csv")


def test_the_same_said_twice_is_no_error(tmp_path: Path) -> None:
    assert mapping(tmp_path, "Polo = hat\npolo = hat\n").targets == {"polo": "hat"}


def test_a_mapping_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "none", "."):
        with pytest.raises(UsageError):
            read_categories(tmp_path / name)


def test_a_mapping_file_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "really.txt").write_text("Polo = hat")
    (tmp_path / "link.txt").symlink_to(tmp_path / "really.txt")
    assert read_categories(tmp_path / "link.txt").targets == {"polo": "hat"}


@pytest.mark.parametrize("layout", ["folders", "manifest"])
def test_a_delivery_gets_our_words(tmp_path: Path, layout: str) -> None:
    words = {"a": "Polo", "b": "Not sure", "c": "Dress", "d": "?"}
    for sku, word in words.items():
        folder = tmp_path / (word if layout == "folders" else "images")
        folder.mkdir(exist_ok=True)
        (folder / f"{sku}.jpg").touch()
    if layout == "manifest":
        rows = "".join(f"{sku},{word}\n" for sku, word in words.items())
        (tmp_path / "manifest.csv").write_text("sku,label\n" + rows)
    categories = CategoryMap({"polo": "t-shirt", "not sure": None})
    source = read_source(tmp_path, categories=categories)
    assert {item.sku: item.label for item in source.items} == {
        **{"a": "t-shirt", "b": None},
        **{"c": "Dress", "d": None},
    }
    assert {item.sku: item.label for item in read_source(tmp_path).items} == {
        **words,
        "d": None,
    }


def test_labels_that_are_no_category_are_counted(tmp_path: Path) -> None:
    words = ["Hat", "hat ", "Polo", "polo", "Polo", "Cape", "Boots", "Not sure", "", "?"]
    rows = "".join(f"{number},a.jpg,{word}\n" for number, word in enumerate(words))
    (tmp_path / "a.jpg").touch()
    (tmp_path / "manifest.csv").write_text("sku,image,label\n" + rows)
    left = unmapped_labels(read_source(tmp_path), ["HAT", "dress"])
    assert list(left.items()) == [("Polo", 3), ("Boots", 1), ("Cape", 1), ("Not sure", 1)]
    mapped = read_source(tmp_path, categories=CategoryMap({"polo": "dress", "not sure": None}))
    assert unmapped_labels(mapped, ["hat", "dress"]) == {"Boots": 1, "Cape": 1}


def test_the_label_of_a_row_is_looked_up_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "manifest.csv").write_text("sku,image,label\nA,a.jpg,Polo\n")
    asked: list[str | None] = []
    of = CategoryMap.of

    def noting(self: CategoryMap, label: str | None) -> str | None:
        asked.append(label)
        return of(self, label)

    monkeypatch.setattr(CategoryMap, "of", noting)
    (item,) = read_source(tmp_path, categories=CategoryMap({"polo": "t-shirt"})).items
    assert (item.label, asked) == ("t-shirt", ["Polo"])
