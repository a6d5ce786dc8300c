"""The file of changes: every change once, whoever asks, and the same bytes whenever it is made."""

import csv
import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Barrier

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, insert, select, update

from catalog_ai import cli
from catalog_ai import export as command
from catalog_ai.errors import NothingToExportError, UsageError
from catalog_ai.services import change_rows, changes, deciding, exporting, review
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.changes import again, made_files, make, waiting
from catalog_ai.services.table_files import ExportFile
from db import pieces
from db.engine import read, write
from db.queries.changes import Step
from db.schema import Batch, Decision, Export, Product
from tests.helpers import Seeded

KEYS = count()


@pytest.fixture
def ids(catalogue: Catalogue, seeded: Seeded) -> tuple[int, ...]:
    """Products that look wrong; what the seed decided itself is told already."""
    with write(catalogue.engine) as session:
        session.execute(
            insert(Export).values(
                **{"kind": "changes", "format": "csv", "file_name": "x", "rows": 1, "sha256": "x"},
                **{"last_decision_id": seeded.decision_id, "created_at": datetime.now(UTC)},
                **{"created_by": "the seed"},
            )
        )
    return seeded.wrong_ids


def decide(
    catalogue: Catalogue,
    product_id: int,
    action: str,
    label: str | None = None,
    *,
    by: str = "Ana",
    note: str = "",
) -> int:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    return deciding.decide(
        catalogue,
        product_id,
        action,
        label=label,
        reviewer=by,
        request_key=f"key-{next(KEYS)}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
        note=note,
    ).decision_id


def undo(catalogue: Catalogue, decision_id: int, by: str = "Ben") -> int:
    key = f"key-{next(KEYS)}"
    return deciding.undo(catalogue, decision_id, reviewer=by, request_key=key).decision_id


def deliver(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    """Do what an ingest does to a product whose feed says something new."""
    with write(catalogue.engine) as session:
        values = {"version": Product.version + 1, **columns}
        session.execute(update(Product).where(Product.id == product_id).values(**values))


def table(file: ExportFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.data.decode("utf-8-sig"), newline="")))


def told(catalogue: Catalogue) -> list[tuple[str, str, str]]:
    """Return (old, new, what) of each row of the next change file; none where there is no file."""
    try:
        return [(row["old"], row["new"], row["what"]) for row in table(make(catalogue))]
    except NothingToExportError:
        return []


def label_of(catalogue: Catalogue, product_id: int) -> str:
    item = review.product_item(catalogue, product_id)
    assert item is not None and item.label is not None
    return item.label


def others(catalogue: Catalogue, product_id: int) -> list[str]:
    """Return categories that the product does not carry."""
    own = label_of(catalogue, product_id)
    return [name for name in review.categories(catalogue) if name != own]


def test_a_row_says_what_changed_by_whom_when_and_why(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    before = label_of(catalogue, ids[0])
    first, second, *_ = others(catalogue, ids[0])
    decide(catalogue, ids[0], "relabel", first, by="Ben")
    made = decide(catalogue, ids[0], "relabel", second, note="sleeves")
    decide(catalogue, ids[0], "keep", by="Cem")
    (row,) = table(make(catalogue))
    when = row.pop("when")
    assert row == {
        **{"sku": review.product_item(catalogue, ids[0]).sku, "old": before, "new": second},
        **{"what": "label", "who": "Ana", "why": "sleeves", "decision_id": str(made)},
    }
    assert when.endswith("+00:00")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds() < 300


def test_only_what_changed_is_told_and_each_change_once(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    decide(catalogue, ids[0], "keep")
    decide(catalogue, ids[1], "second_look")
    assert told(catalogue) == []
    decide(catalogue, ids[2], "accept")
    assert len(told(catalogue)) == 1
    assert told(catalogue) == []
    decide(catalogue, ids[3], "accept")
    decide(catalogue, ids[2], "keep")
    assert len(told(catalogue)) == 1


def test_decided_and_undone_in_between_is_no_row_and_an_undo_later_is_one(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    before, other = label_of(catalogue, ids[0]), others(catalogue, ids[0])[0]
    undo(catalogue, decide(catalogue, ids[0], "relabel", other))
    undo(catalogue, decide(catalogue, ids[1], "not_product"))
    assert told(catalogue) == []
    made = decide(catalogue, ids[0], "relabel", other)
    refused = decide(catalogue, ids[1], "not_product")
    label = label_of(catalogue, ids[1])
    assert told(catalogue) == [
        (before, other, "label"),
        (label, label, "not a product photo"),
    ]
    undone = undo(catalogue, made)
    undo(catalogue, refused)
    rows = table(make(catalogue))
    assert [(row["old"], row["new"], row["what"]) for row in rows] == [
        (other, before, "label"),
        (label, label, "product photo again"),
    ]
    assert (rows[0]["who"], rows[0]["why"]) == ("Ben", "undone")
    assert rows[0]["decision_id"] == str(undone)


def test_an_undo_leaves_the_decision_before_it_as_the_reason(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    first, second, *_ = others(catalogue, ids[0])
    made = decide(catalogue, ids[0], "relabel", first)
    undo(catalogue, decide(catalogue, ids[0], "relabel", second, by="Cem"))
    (row,) = table(make(catalogue))
    assert (row["new"], row["who"], row["decision_id"]) == (first, "Ana", str(made))


def test_a_label_and_a_photo_that_changed_are_one_row(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    before, other = label_of(catalogue, ids[0]), others(catalogue, ids[0])[0]
    decide(catalogue, ids[0], "not_product")
    assert told(catalogue) == [(before, before, "not a product photo")]
    decide(catalogue, ids[0], "second_look")
    assert told(catalogue) == []
    decide(catalogue, ids[0], "relabel", other)
    assert told(catalogue) == [(before, other, "label, product photo again")]


def test_a_new_photo_is_asked_about_anew(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    for target in ids[:3]:
        decide(catalogue, target, "not_product")
    assert len(told(catalogue)) == 3
    for target in ids[:3]:
        deliver(catalogue, target, image_sha256=f"new {target}", review_state="second_look")
    decide(catalogue, ids[0], "not_product")
    decide(catalogue, ids[1], "keep")
    undo(catalogue, decide(catalogue, ids[2], "keep"))
    assert [what for _, _, what in told(catalogue)] == [
        "not a product photo",
        "product photo again",
    ]


def test_what_the_feed_said_itself_is_known_outside(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    own = label_of(catalogue, ids[0])
    first, second, third, *_ = others(catalogue, ids[0])
    decide(catalogue, ids[0], "relabel", first)
    deliver(
        *(catalogue, ids[0]),
        **{"label_given": second, "label_current": second, "review_state": "second_look"},
    )
    decide(catalogue, ids[0], "keep")
    assert told(catalogue) == [], "the feed says it already"
    decide(catalogue, ids[0], "relabel", third)
    assert told(catalogue) == [(second, third, "label")]
    deliver(catalogue, ids[0], label_given=third)  # imported outside, and delivered again
    decide(catalogue, ids[0], "relabel", own)
    assert told(catalogue) == [(third, own, "label")]


def test_the_feed_agreeing_before_the_file_was_made_is_no_change(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    first, second, *_ = others(catalogue, ids[0])
    decide(catalogue, ids[0], "relabel", first)
    deliver(catalogue, ids[0], label_given=first)
    decide(catalogue, ids[0], "relabel", second)
    assert told(catalogue) == [(first, second, "label")]


def test_the_words_of_a_batch_are_the_reason_of_its_rows(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    first = decide(catalogue, ids[0], "accept")
    second = decide(catalogue, ids[1], "accept", note="own words")
    with write(catalogue.engine) as session:
        batch = Batch(
            **{"kind": "bulk", "words": "2 products: Top → T-shirt", "products": 2},
            **{"reviewer": "Ana", "request_key": "batch", "made_at": datetime.now(UTC)},
        )
        session.add(batch)
        session.flush()
        # The log refuses every change, so the same decisions are told once more.
        for product_id, decision_id in ((ids[2], first), (ids[3], second)):
            names = [column.name for column in Decision.__table__.columns if column.name != "id"]
            row = session.get(Decision, decision_id)
            values = {name: getattr(row, name) for name in names}
            values |= {"product_id": product_id, "batch_id": batch.id}
            session.add(Decision(**values | {"request_key": f"copy-{decision_id}"}))
    whys = [row["why"] for row in table(make(catalogue))]
    assert whys == [
        *("suggestion accepted", "own words", "2 products: Top → T-shirt", "own words"),
    ]


@pytest.mark.parametrize("format", exporting.FORMATS)
def test_a_file_is_the_same_whenever_it_is_made_again(
    catalogue: Catalogue, ids: tuple[int, ...], format: str
) -> None:
    decide(catalogue, ids[0], "accept")
    decide(catalogue, ids[1], "not_product")
    first = make(catalogue, format, created_by="Ana")
    undo(catalogue, decide(catalogue, ids[2], "accept"))
    decide(catalogue, ids[0], "relabel", others(catalogue, ids[0])[0])
    make(catalogue, "csv", created_by="Ben")
    assert again(catalogue, first.number) == first
    newest, oldest, _ = made_files(catalogue)
    assert (newest.made_by, newest.rows) == ("Ben", 1)
    assert (oldest.number, oldest.file_name, oldest.rows, oldest.made_by) == (
        *(first.number, first.file_name, 2, "Ana"),
    )
    assert first.sha256[:12] in first.file_name and first.file_name.endswith(format)


def test_other_programs_get_values_as_they_are(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    deliver(catalogue, ids[0], sku="=1+1")
    made = decide(catalogue, ids[0], "accept", note="@note")
    file = make(catalogue, "json")
    (row,) = json.loads(file.data)
    assert (row["sku"], row["why"], row["decision_id"]) == ("=1+1", "@note", made)
    second = decide(catalogue, ids[0], "relabel", others(catalogue, ids[0])[0])
    (row,) = pq.read_table(io.BytesIO(make(catalogue, "parquet").data)).to_pylist()
    assert (row["sku"], row["decision_id"]) == ("=1+1", second)
    assert row["when"].tzinfo is not None
    decide(catalogue, ids[0], "relabel", others(catalogue, ids[0])[0], by="+Ana", note="\n=1")
    (cells,) = table(make(catalogue))
    assert (cells["sku"], cells["who"], cells["why"]) == ("'=1+1", "'+Ana", "'=1")


def test_a_file_that_cannot_be_the_same_says_so(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    decide(catalogue, ids[0], "accept")
    made = make(catalogue)
    assert again(catalogue, made.number).warning == ""
    deliver(catalogue, ids[0], sku="renamed by hand")
    file = again(catalogue, made.number)
    assert "is not byte for byte the file of" in file.warning
    assert table(file)[0]["sku"] == "renamed by hand"


def test_a_number_that_no_change_file_has_is_refused(
    catalogue: Catalogue, seeded: Seeded, ids: tuple[int, ...]
) -> None:
    exporting.export(catalogue, "products")
    (seeds,) = made_files(catalogue)
    with pytest.raises(UsageError, match=f"no change file number 99: choose from {seeds.number}$"):
        again(catalogue, 99)
    with pytest.raises(UsageError, match="no change file number 2"):
        again(catalogue, 2)


def test_nothing_new_is_said_and_not_recorded(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).values(review_state="open"))
    decide(catalogue, seeded.wrong_ids[0], "keep")
    make(catalogue)  # what the seed decided
    before = revision(catalogue, "exports")
    with pytest.raises(NothingToExportError, match=r"^nothing has changed since change file 1 of "):
        make(catalogue)
    assert revision(catalogue, "exports") == before
    assert len(made_files(catalogue)) == 1


def test_an_empty_catalogue_has_nothing_to_hand_out(catalogue: Catalogue) -> None:
    with pytest.raises(NothingToExportError, match="nobody has changed anything yet"):
        make(catalogue)
    with pytest.raises(UsageError, match="none was made yet"):
        again(catalogue, 1)
    assert waiting(catalogue) == changes.Waiting(0, None)


def test_looking_at_what_waits_records_nothing(
    catalogue: Catalogue, ids: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(catalogue, ids[0], "accept")
    decide(catalogue, ids[1], "accept")
    decide(catalogue, ids[2], "keep")
    assert waiting(catalogue).rows == 2
    assert waiting(catalogue).since == made_files(catalogue)[0].made_at
    assert len(made_files(catalogue)) == 1
    monkeypatch.setattr(changes, "MANY", 2)
    assert waiting(catalogue).rows is None
    assert make(catalogue).rows == 2
    assert waiting(catalogue).rows == 0


def test_another_format_is_refused(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    decide(catalogue, ids[0], "accept")
    with pytest.raises(UsageError, match="no format 'xlsx'"):
        make(catalogue, "xlsx")


def test_what_cannot_be_kept_is_not_recorded(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    decide(catalogue, ids[0], "accept")

    def full(_file: ExportFile) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        make(catalogue, keep=full)
    kept: list[ExportFile] = []
    assert make(catalogue, keep=kept.append).data == kept[0].data


def test_a_decision_made_meanwhile_is_in_the_next_file(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    decide(catalogue, ids[0], "accept")
    first = make(catalogue, keep=lambda _file: _accept(catalogue, ids[1]))
    second = make(catalogue)
    assert [len(table(file)) for file in (first, second)] == [1, 1]
    assert {row["sku"] for file in (first, second) for row in table(file)} == {
        review.product_item(catalogue, target).sku for target in ids[:2]
    }


def _accept(catalogue: Catalogue, product_id: int) -> None:
    decide(catalogue, product_id, "accept")


def test_two_who_press_at_once_share_the_changes(
    catalogue: Catalogue, ids: tuple[int, ...]
) -> None:
    """Both have looked before either records: one gets the file, the other what is left."""
    decide(catalogue, ids[0], "accept")
    gate, looked = Barrier(2), []

    def both(_file: ExportFile) -> None:
        looked.append(1)
        if len(looked) <= 2:
            gate.wait(timeout=20)

    def press(_: int) -> int:
        try:
            return make(catalogue, keep=both).rows
        except NothingToExportError:
            return 0

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(press, range(2))) == [0, 1]
    assert len(looked) == 2
    assert len(made_files(catalogue)) == 2


def test_a_crowd_gets_every_change_exactly_once(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    def decide_many(_: int) -> None:
        for target in ids:
            decide(catalogue, target, "accept")

    def make_many(_: int) -> list[ExportFile]:
        files = []
        for _ in range(8):
            try:
                files.append(make(catalogue))
            except NothingToExportError:
                continue
        return files

    with ThreadPoolExecutor(4) as pool:
        deciders = pool.submit(decide_many, 0)
        made = [file for files in pool.map(make_many, range(3)) for file in files]
        deciders.result()
    with suppress(NothingToExportError):
        made.append(make(catalogue))
    skus = [row["sku"] for file in made for row in table(file)]
    assert len(skus) == len(set(skus)) == len(ids)
    with read(catalogue.engine) as session:
        windows = session.execute(
            select(Export.after_decision_id, Export.last_decision_id).order_by(Export.id)
        ).all()
    ends = [end for _, end in windows]
    assert [after for after, _ in windows[1:]] == ends[:-1]


def test_more_rows_than_one_question_takes(
    catalogue: Catalogue, ids: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in ids:
        decide(catalogue, target, "accept")
    with read(catalogue.engine) as session:
        last = session.scalar(select(func.max(Decision.id)))
        whole = list(change_rows.rows(session, 0, last))
        monkeypatch.setattr(pieces, "AT_ONCE", 2)
        monkeypatch.setattr(change_rows, "_AT_ONCE", 3)
        assert list(change_rows.rows(session, 0, last)) == whole
    numbers = [row[list(change_rows.COLUMNS).index("decision_id")] for row in whole]
    assert numbers == sorted(numbers)


def test_changes_add_up_however_the_log_is_cut(catalogue: Catalogue, ids: tuple[int, ...]) -> None:
    """Whoever imports every file, cut anywhere, ends where one file for all would end."""
    labels = others(catalogue, ids[0])
    steps: list[Callable[[], int]] = [
        lambda: decide(catalogue, ids[0], "relabel", labels[0]),
        lambda: decide(catalogue, ids[0], "not_product"),
        lambda: undo(catalogue, _last(catalogue)),
        lambda: decide(catalogue, ids[0], "second_look"),
        lambda: decide(catalogue, ids[0], "relabel", labels[1]),
        lambda: decide(catalogue, ids[0], "not_product"),
        lambda: decide(catalogue, ids[0], "second_look"),
        lambda: decide(catalogue, ids[0], "keep"),
        lambda: undo(catalogue, _last(catalogue)),
    ]
    start, numbers = label_of(catalogue, ids[0]), [_last(catalogue)]
    numbers += [step() for step in steps]
    with read(catalogue.engine) as session:
        for cut in numbers:
            outside = [start, False]
            for after, up_to in ((numbers[0], cut), (cut, numbers[-1])):
                for values in change_rows.rows(session, after, up_to):
                    row = dict(zip(change_rows.COLUMNS, values, strict=True))
                    assert row["old"] == outside[0]
                    outside[0] = row["new"]
                    if "photo" in row["what"]:
                        outside[1] = "not" in row["what"]
            assert outside == [labels[1], True], "the last undo: it waits, as told before"


def _last(catalogue: Catalogue) -> int:
    with read(catalogue.engine) as session:
        return session.scalar(select(func.max(Decision.id))) or 0


def test_a_label_that_moved_without_a_decision_was_moved_by_the_feed() -> None:
    steps = [
        Step(1, 1, "a", "a", "b", "changed", "x", None),
        Step(2, 1, "a", "c", "b", "changed", "x", None),
    ]
    assert list(change_rows.found_changes([steps], 0)) == [(2, "c", "b", "label")]


def test_a_step_without_a_move_in_its_window_still_names_a_decision() -> None:
    step = Step(7, 1, "a", "a", "b", "kept", "x", 3)
    assert list(change_rows.found_changes([[step]], 0)) == [(7, "a", "b", "label")]


@pytest.fixture
def at_home(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("format", exporting.FORMATS)
def test_the_command_gives_the_file_that_the_page_would(
    catalogue: Catalogue,
    ids: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    format: str,
) -> None:
    decide(catalogue, ids[0], "accept")
    out, once_more = tmp_path / "new" / "changes", tmp_path / "again"
    arguments = ["changes", "--out", str(out), "--format", format, "--by", "the night"]
    assert cli.run(command.main, arguments) == 0
    made = made_files(catalogue)[0]
    assert made.made_by == "the night"
    assert out.read_bytes() == again(catalogue, made.number).data
    assert [path.name for path in out.parent.iterdir()] == ["changes"], "no temporary file"
    said = capsys.readouterr().out
    assert said == f"1 rows written to {out}; it is change file {made.number}\n"
    arguments = ["changes", "--again", str(made.number), "--out", str(once_more)]
    assert cli.run(command.main, arguments) == 0
    assert once_more.read_bytes() == out.read_bytes()
    assert len(made_files(catalogue)) == 2


@pytest.mark.usefixtures("at_home")
def test_the_command_says_that_nothing_changed_and_leaves_the_old_file(
    catalogue: Catalogue, ids: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "changes.csv"
    out.write_text("yesterday's")
    assert cli.run(command.main, ["changes", "--out", str(out)]) == 65
    assert capsys.readouterr().err.startswith("error: nothing has changed since change file 1 of ")
    assert out.read_text() == "yesterday's"


@pytest.mark.usefixtures("at_home")
def test_a_place_that_cannot_be_written_loses_no_change(
    catalogue: Catalogue, ids: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    decide(catalogue, ids[0], "accept")
    (tmp_path / "a file").touch()
    for place in (tmp_path, tmp_path / "a file" / "changes.csv"):
        assert cli.run(command.main, ["changes", "--out", str(place)]) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert waiting(catalogue).rows == 1
    assert len(made_files(catalogue)) == 1


@pytest.mark.usefixtures("at_home")
def test_a_place_that_is_taken_at_the_last_moment_is_told_with_the_way_out(
    catalogue: Catalogue,
    ids: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide(catalogue, ids[0], "accept")
    out = tmp_path / "changes.csv"
    real = changes.make

    def then_a_folder(*args: object, **options: object) -> changes.ChangeFile:
        file = real(*args, **options)
        out.mkdir()
        return file

    monkeypatch.setattr(changes, "make", then_a_folder)
    assert cli.run(command.main, ["changes", "--out", str(out)]) == 2
    number = made_files(catalogue)[0].number
    assert f"export changes --again {number} --out FILE" in capsys.readouterr().err
    assert list(tmp_path.glob(".changes*")) == []


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["products", "--again", "1"], "--again goes with changes"),
        (["changes", "--again", "1", "--format", "json"], "leave --format out"),
        (["changes", "--again", "7"], "no change file number 7: choose from 1"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    ids: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    words: str,
) -> None:
    assert cli.run(command.main, [*arguments, "--out", str(tmp_path / "x")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
