"""What lies in a delivery besides photos: everything is named, and nothing is opened."""

import inspect
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catalog_ai.data.delivery import walk
from catalog_ai.data.sources import Source, read_source
from catalog_ai.errors import SourceError

ATTACKS = [
    *("../secret.jpg", "images/../../secret.jpg", "../../etc/passwd", "a.jpg/../../secret.jpg"),
    *("/etc/passwd", "//server/share/a.jpg", "file:///etc/passwd", "FILE://localhost/etc/passwd"),
    *("http://example.org/a.jpg", "https://example.org/a.jpg;b.jpg", "ftp://example.org/a.jpg"),
    *("data:image/png;base64,AAAA", "C:\\secret.jpg", "C:/secret.jpg", "\\\\server\\share\\a.jpg"),
    *("..\\secret.jpg", "images\\a.jpg", "~/secret.jpg", "~root/.ssh/id_rsa", "%2e%2e/secret.jpg"),
    *("%2Fetc%2Fpasswd", "images/%2e%2e/%2E%2E/secret.jpg", "http%3A//example.org/a.jpg"),
    *("linked/secret.jpg", "images/linked/secret.jpg", "linked/./deep/secret.jpg", "pipe.jpg"),
]

_opened: list[str] | None = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    is_opening = event in {"open", "os.scandir", "os.listdir", "socket.connect"}
    if _opened is not None and is_opening and not isinstance(arguments[0], int):
        _opened.append(str(arguments[0]))  # a number is a file that is open already


@contextmanager
def opened() -> Iterator[list[str]]:
    """Note every file, folder and connection that Python opens, by whatever function."""
    global _opened
    if not getattr(sys, "_notes_what_is_opened", False):
        sys.addaudithook(_note)  # it cannot be taken away again, only be told to do nothing
        sys._notes_what_is_opened = True  # type: ignore[attr-defined]
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def codes(source: Source) -> list[tuple[str, str]]:
    return [(problem.image, problem.code) for problem in source.problems]


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    """A delivery with a photo, a link to a folder outside, a link inside `images/`, and a pipe."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "secret.jpg").touch()
    (outside / "deep" / "secret.jpg").touch()
    (tmp_path / "secret.jpg").touch()
    folder = tmp_path / "feed"
    (folder / "images").mkdir(parents=True)
    (folder / "b.jpg").touch()
    (folder / "images" / "a.jpg").touch()
    (folder / "linked").symlink_to(outside)
    (folder / "images" / "linked").symlink_to(outside)
    os.mkfifo(folder / "pipe.jpg")
    return folder


# --- rows that point elsewhere -------------------------------------------------------------------


@pytest.mark.parametrize("image", ATTACKS)
def test_a_row_that_points_elsewhere_is_a_problem_and_opens_nothing(feed: Path, image: str) -> None:
    (feed / "manifest.csv").write_text(f'image\n"{image}"\nb.jpg\n')
    with opened() as names:
        source = read_source(feed)
    assert [item.sku for item in source.items] == ["b"]
    assert ("unsafe_path", "line 2") in {
        (problem.code, problem.reason.partition(":")[0])
        for problem in source.problems
        if problem.image == image.encode("unicode_escape").decode().replace("\\\\", "\\")
    }
    assert source.missing == ()
    assert set(names) <= {str(feed), f"{feed}/", f"{feed}/images/", str(feed / "manifest.csv")}


def test_a_url_is_told_that_nothing_is_fetched(feed: Path) -> None:
    (feed / "manifest.csv").write_text("image\nhttps://example.org/a.jpg\n")
    assert "nothing is fetched" in read_source(feed).problems[-1].reason


def test_an_attack_among_several_photos_costs_only_itself(feed: Path) -> None:
    (feed / "manifest.csv").write_text("sku,image\nA,../secret.jpg|b.jpg\n")
    source = read_source(feed)
    assert [(item.sku, item.image) for item in source.items] == [("A", "b.jpg")]
    assert ("../secret.jpg", "unsafe_path") in codes(source)


def test_a_delivered_photo_may_have_an_odd_name(feed: Path) -> None:
    names = ["~a.jpg", "x%2e%2ey.jpg", "a\\b.jpg", "c;d.jpg", "e|f.jpg", "g:h.jpg"]
    for name in names:
        (feed / name).touch()
    (feed / "manifest.csv").write_text("image\n" + "\n".join(names))
    source = read_source(feed)
    assert [item.image for item in source.items] == names
    assert all(problem.reason.startswith("line") is False for problem in source.problems)


def test_a_row_that_names_what_is_refused_is_not_missing_besides(feed: Path) -> None:
    (feed / "a.gif").touch()
    (feed / "link.jpg").symlink_to(feed / "b.jpg")
    (feed / "manifest.csv").write_text("sku,image\nA,a.gif\nB,link.jpg\nC,b.jpg\n")
    source = read_source(feed)
    assert [item.sku for item in source.items] == ["C"]
    assert source.missing == ()
    assert source.unusable == ("A", "B")
    assert {("a.gif", "format_not_allowed"), ("link.jpg", "unsafe_path")} <= set(codes(source))


# --- entries -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.gif", "a.svg", "a.txt", "a.HEIC", "a.tiff", "a.pdf", "a", "a.", "a.jpg.bak"]
)
@pytest.mark.parametrize("layout", ["", "manifest.csv"])
def test_another_ending_is_a_problem(tmp_path: Path, name: str, layout: str) -> None:
    (tmp_path / "hat").mkdir()
    (tmp_path / "hat" / "b.jpg").touch()
    (tmp_path / "hat" / name).touch()
    if layout:
        (tmp_path / layout).write_text("image\nhat/b.jpg\n")
    source = read_source(tmp_path)
    assert [item.sku for item in source.items] == ["b"]
    assert codes(source) == [(f"hat/{name}", "format_not_allowed")]
    assert "JPEG (.jpg, .jpeg), PNG (.png) or WebP (.webp)" in source.problems[0].reason


def test_only_dot_files_are_left_out(tmp_path: Path) -> None:
    for name in (".DS_Store", ".hidden.jpg", ".cache/a.jpg", "Thumbs.db", "README.md", "a.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    source = read_source(tmp_path)
    assert [item.image for item in source.items] == ["a.jpg"]
    assert [image for image, _ in codes(source)] == ["README.md", "Thumbs.db"]


def test_links_pipes_and_sockets_are_listed_and_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's name has to be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.jpg")
        with opened() as names:
            source = read_source(tmp_path)
    assert [item.sku for item in source.items] == ["a"]
    assert dict(codes(source)) == {
        **dict.fromkeys(["link", "link.jpg", "nowhere.png"], "unsafe_path"),
        **dict.fromkeys(["pipe", "pipe.jpg", "socket.jpg"], "not_a_file"),
    }
    assert set(names) == {str(tmp_path), f"{tmp_path}/"}


def test_a_folder_called_like_a_photo_is_listed_and_its_photos_are_taken(tmp_path: Path) -> None:
    (tmp_path / "dress.jpg").mkdir()
    (tmp_path / "dress.jpg" / "a.jpg").touch()
    source = read_source(tmp_path)
    assert [(item.image, item.label) for item in source.items] == [("dress.jpg/a.jpg", "dress.jpg")]
    assert codes(source) == [("dress.jpg", "not_an_image")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.jpg", "caf\\udce9.jpg"),
        (b"a\nb.jpg", "a\\nb.jpg"),
        (b"a\x1b[31m.jpg", "a\\x1b[31m.jpg"),
        (b"bad\x07/b.jpg", "bad\\x07/b.jpg"),
        (b"\xff.txt", "\\udcff.txt"),
    ],
)
def test_a_name_that_cannot_be_shown_is_a_problem(tmp_path: Path, name: bytes, shown: str) -> None:
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))  # noqa: PTH118
    path.parent.mkdir(exist_ok=True)
    path.touch()
    (tmp_path / "👩‍👧 \u202eא.jpg").touch()
    source = read_source(tmp_path)
    assert [item.sku for item in source.items] == ["👩‍👧 \u202eא"]
    assert codes(source) == [(shown, "bad_name")]


def test_a_folder_that_cannot_be_listed_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def refusing(path: str) -> object:
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(walk.os, "scandir", refusing)
    source = read_source(tmp_path)
    assert [item.sku for item in source.items] == ["a"]
    assert codes(source) == [("locked", "unreadable")]
    assert "Permission denied" in source.problems[0].reason


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 150)
    deep.mkdir(parents=True)
    (deep / "a.jpg").touch()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert [item.label for item in read_source(tmp_path).items] == ["d"]
    finally:
        sys.setrecursionlimit(before)


def test_the_order_does_not_depend_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b/2.jpg", "b/1.jpg", "a/3.jpg", "z.jpg", "b/c/4.jpg", "b/5.gif", "a/6.gif"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    scandir = os.scandir
    for turned in (False, True):

        @contextmanager
        def in_turn(path: str, turned: bool = turned) -> Iterator[list[os.DirEntry[str]]]:
            with scandir(path) as entries:
                yield sorted(entries, key=lambda entry: entry.name, reverse=turned)

        monkeypatch.setattr(walk.os, "scandir", in_turn)
        source = read_source(tmp_path)
        images = [item.image for item in source.items]
        assert images == ["z.jpg", "a/3.jpg", "b/1.jpg", "b/2.jpg", "b/c/4.jpg"]
        assert [image for image, _ in codes(source)] == ["a/6.gif", "b/5.gif"]


# --- the source itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["link", "pipe"])
@pytest.mark.parametrize("named", [True, False])
def test_a_manifest_that_is_no_plain_file_is_refused_unopened(
    tmp_path: Path, kind: str, named: bool
) -> None:
    (tmp_path / "secret.csv.txt").write_text("image\na.jpg\n")
    manifest = tmp_path / "manifest.csv"
    if kind == "pipe":
        os.mkfifo(manifest)
    else:
        manifest.symlink_to(tmp_path / "secret.csv.txt")
    with opened() as names, pytest.raises(SourceError, match=r"link|plain file"):
        read_source(manifest if named else tmp_path)
    assert set(names) <= {str(tmp_path)}


def test_a_folder_called_manifest_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").mkdir()
    (tmp_path / "manifest.csv" / "a.jpg").touch()
    assert [item.label for item in read_source(tmp_path).items] == ["manifest.csv"]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_manifest_that_is_exchanged_while_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "secret.csv.txt").write_text("image\na.jpg\n")
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("image\na.jpg\n")
    really_open = os.open

    def exchanging(path: Path, flags: int) -> int:
        manifest.unlink()
        if kind == "pipe":
            os.mkfifo(manifest)
        else:
            manifest.symlink_to(tmp_path / "secret.csv.txt")
        return really_open(path, flags)

    monkeypatch.setattr("catalog_ai.data.delivery.files.os.open", exchanging)
    with pytest.raises(SourceError, match=r"no plain file|cannot be opened"):
        read_source(manifest)
    assert not manifest.is_file() or manifest.is_symlink()
