import csv
import io
import json
import os
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select, update

from catalog_ai import cli
from catalog_ai import export as command
from catalog_ai.errors import NoModelError, UsageError
from catalog_ai.services import exporting, review, table_files, training
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import decide, undo
from catalog_ai.services.exporting import FORMATS, KINDS, ExportFile, export
from db import pieces
from db.engine import read, write
from db.queries import listings
from db.queries.wanted import Filter, Sort
from db.schema import Decision, Export, LabelScore, Product
from tests.helpers import Seeded, seed_catalogue

# What a feed may deliver, and the cell that it becomes.
PAYLOADS = {
    "=1+1": "'=1+1",
    "+1+1": "'+1+1",
    "-1+1": "'-1+1",
    "@SUM(A1:A9)": "'@SUM(A1:A9)",
    "\t=1+1": "'\t=1+1",
    "\r=1+1": "'\r'=1+1",
    "\n=1+1": "'\n'=1+1",
    " \u00a0=1+1": "' \u00a0=1+1",
    "\ufeff=1+1": "'\ufeff=1+1",
    "＝1＋1": "'＝1＋1",
    "shirt;=1+1": "shirt;'=1+1",
    "two lines\r\n @A1": "two lines\r\n' @A1",
    '=HYPERLINK("https://evil.example","click")': '\'=HYPERLINK("https://evil.example","click")',
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
RUNS = re.compile(r"(^|[;\r\n])[\s\ufeff]*[=+\-@＝＋－＠]|^[\t\r\n]")


def table(file: ExportFile) -> list[dict[str, str]]:
    text = file.data.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def values(file: ExportFile) -> list[dict[str, Any]]:
    """Return the rows of a file in any format, as another program would read them."""
    if file.file_name.endswith(".csv"):
        return table(file)
    if file.file_name.endswith(".json"):
        return json.loads(file.data)
    return pq.read_table(io.BytesIO(file.data)).to_pylist()


def settle(catalogue: Catalogue, product_id: int, action: str, note: str = "") -> int:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    return decide(
        catalogue,
        product_id,
        action,
        reviewer="Ana",
        request_key=f"{action}-{product_id}-{item.version}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
        note=note,
    ).decision_id


def change(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id == product_id).values(**columns))


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_starts_with_the_same_columns(
    catalogue: Catalogue, seeded: Seeded, kind: str
) -> None:
    file = export(catalogue, kind)
    first = b"path,label,sku," if kind == "training" else b"sku,label,suggestion,score,"
    assert file.data.startswith(BYTE_ORDER_MARK + first)
    assert file.rows == len(table(file)) > 0


def test_the_queue_is_what_the_page_shows(catalogue: Catalogue, seeded: Seeded) -> None:
    items = review.review_queue(catalogue, per_page=50).items
    rows = table(export(catalogue, "queue"))
    assert [row["sku"] for row in rows] == [item.sku for item in items]
    for row, item in zip(rows, items, strict=True):
        assert (row["label"], row["suggestion"]) == (item.label, item.suggestion)
        assert float(row["score"]) == pytest.approx(item.score, abs=1e-4)
        assert float(row["confidence"]) == pytest.approx(item.confidence, abs=1e-4)
        assert row["evidence"] == item.evidence
        assert row["review_state"] == "open"
        assert row["image_sha256"] == item.image_sha256


PARTS = {
    "wrong": (Filter(), Sort("newest")),
    "one category": (Filter(category="hat"), Sort("score")),
    "a pair": (Filter(category="hat", suggestion="dress", at_least=0.9), Sort("random")),
    "what pays": (Filter("all", category="hat"), Sort("value", "price")),
    "decided": (Filter("decided", reviewer="Ana"), Sort("score")),
    "second looks": (Filter("second_look"), Sort("score", reviewer="Ana")),
    "searched": (Filter("all", search="ab-00"), Sort("score")),
    "unknown": (Filter("unknown"), Sort("score")),
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_desk_is_what_the_desk_shows(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """The same products, order and words, also where it takes several reads."""
    monkeypatch.setattr(pieces, "AT_ONCE", 2)
    for product_id in seeded.wrong_ids[3:]:
        settle(catalogue, product_id, "keep")
    settle(catalogue, seeded.wrong_ids[2], "second_look")
    wanted, sort = PARTS[part]
    items = review.review_queue(catalogue, wanted, sort, per_page=50).items
    rows = table(export(catalogue, "queue", wanted=wanted, sort=sort))
    assert [row["sku"] for row in rows] == [item.sku for item in items]
    assert [row["evidence"] for row in rows] == [item.evidence for item in items]
    assert 0 < len(rows) < len(seeded.product_ids)


def test_an_empty_queue_is_a_header(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(LabelScore).values(looks_wrong=False))
    file = export(catalogue, "queue")
    assert (file.rows, file.data.count(b"\r\n")) == (0, 1)


def test_before_the_worker_has_looked_it_says_what_to_run(catalogue: Catalogue) -> None:
    with pytest.raises(NoModelError, match=r"run python -m catalog_ai\.worker first"):
        export(catalogue, "queue")
    assert {export(catalogue, kind).rows for kind in KINDS if kind != "queue"} == {0}


def test_decisions_say_who_what_when_and_whether_it_stands(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    before = review.review_queue(catalogue).items[0]
    made = settle(catalogue, before.product_id, "accept", "sleeves")
    taken_back = settle(catalogue, seeded.wrong_ids[1], "keep")
    undo(catalogue, taken_back, reviewer="Ben", request_key="undo")
    last, kept, accepted, _ = table(export(catalogue, "decisions"))
    assert accepted["decision_id"] == str(made)
    assert (accepted["sku"], accepted["action"], accepted["reviewer"]) == (
        before.sku,
        "accept",
        "Ana",
    )
    assert (accepted["label_before"], accepted["label"]) == (before.label, before.suggestion)
    assert (accepted["note"], accepted["undone"]) == ("sleeves", "no")
    assert accepted["image_sha256"] == before.image_sha256
    assert accepted["decided_at"].endswith("+00:00")
    assert (kept["action"], kept["undone"]) == ("keep", "yes")
    assert (last["action"], last["reviewer"]) == ("undo", "Ben")


def test_products_carry_everything_that_was_delivered(catalogue: Catalogue, seeded: Seeded) -> None:
    change(catalogue, 1, title='A "long", red\ndress – été', attributes={"b": "é", "a": "=1"})
    rows = table(export(catalogue, "products"))
    assert len(rows) == len(seeded.product_ids)
    assert rows[0]["title"] == 'A "long", red\ndress – été'
    assert rows[0]["attributes"] == '{"a": "=1", "b": "é"}'
    assert json.loads(rows[1]["attributes"])["season"] == "summer"
    unknown = rows[seeded.unknown_ids[0] - 1]
    assert (unknown["label"], unknown["score"], unknown["review_state"]) == ("Polo", "", "open")


@pytest.mark.parametrize("kind", KINDS)
def test_no_spreadsheet_runs_what_the_feed_delivered(catalogue: Catalogue, kind: str) -> None:
    seeded = seed_catalogue(catalogue, n=40, flagged=len(PAYLOADS))
    for target, payload in zip(seeded.wrong_ids, PAYLOADS, strict=True):
        words = dict.fromkeys(("sku", "title", "label_given", "image_path"), payload)
        change(catalogue, target, **words)
        settle(catalogue, target, "second_look", note=payload)
        change(catalogue, target, review_state="open")
    rows = table(export(catalogue, kind))
    for payload, harmless in PAYLOADS.items():
        (row,) = (row for row in rows if row["sku"] == harmless)
        assert payload not in row.values()
        if kind != "training":
            assert list(row.values()).count(harmless) >= 2
    assert not any(RUNS.search(cell) for row in rows for cell in row.values())


@pytest.mark.parametrize("format", ["json", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_programs_get_every_value_as_it_is(
    catalogue: Catalogue, seeded: Seeded, kind: str, format: str
) -> None:
    change(catalogue, seeded.wrong_ids[0], sku="=1+1", attributes={"b": "-1", "a": 2})
    settle(catalogue, seeded.wrong_ids[0], "second_look")
    change(catalogue, seeded.wrong_ids[0], review_state="open")
    file, lines = export(catalogue, kind, format), table(export(catalogue, kind))
    rows = values(file)
    assert file.rows == len(rows) == len(lines) > 0
    assert file.file_name.endswith(f".{format}")
    assert list(rows[0]) == list(lines[0])
    (row,) = (row for row in rows if row["sku"] == "=1+1")
    if kind == "products":
        attributes = {"a": 2, "b": "-1"}
        assert row["attributes"] in (attributes, json.dumps(attributes))
        assert {type(row["score"]) for row in rows} == {float, type(None)}
    if kind == "decisions":
        assert (row["undone"], type(row["decision_id"])) == (False, int)
        moment = row["decided_at"]
        parsed = datetime.fromisoformat(moment) if format == "json" else moment
        assert abs(datetime.now(UTC) - parsed) < timedelta(minutes=5)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_file_still_has_its_columns(catalogue: Catalogue, format: str) -> None:
    file = export(catalogue, "products", format)
    assert (file.rows, values(file)) == (0, [])


def test_many_rows_come_in_pages_without_loss(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        made = settle(catalogue, seeded.wrong_ids[0], "keep")
        undo(catalogue, made, reviewer="Ben", request_key=f"undo-{number}")
    whole = {kind: export(catalogue, kind) for kind in KINDS}
    monkeypatch.setattr(listings, "_AT_ONCE", 5)
    monkeypatch.setattr(table_files, "_AT_ONCE", 5)
    assert {kind: export(catalogue, kind) for kind in KINDS} == whole
    for kind in KINDS:
        file = export(catalogue, kind, "parquet")
        assert len(values(file)) == whole[kind].rows > 5


def test_a_training_folder_holds_what_a_model_would_learn_from(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    kept, refused, waiting = seeded.wrong_ids[:3]
    settle(catalogue, kept, "keep")
    settle(catalogue, refused, "not_product")
    settle(catalogue, waiting, "second_look")
    change(catalogue, seeded.wrong_ids[3], label_current=None)
    rows = table(export(catalogue, "training"))
    learnt = {item.sku: item for item in training.own_photos(catalogue).items}
    no_label = {"Not sure", None}
    wanted = {sku for sku, item in learnt.items() if item.label not in no_label}
    assert {row["sku"] for row in rows} == wanted
    assert len({row["path"] for row in rows}) == len(rows)
    item = review.product_item(catalogue, kept)
    (row,) = (row for row in rows if row["sku"] == item.sku)
    assert (row["label"], row["image_sha256"]) == (item.label, item.image_sha256)
    assert row["path"] == f"{item.label}/{item.sku}.jpg"
    assert catalogue.settings.home / row["stored_image"] == item.image
    assert [row["sku"] for row in rows if row["confirmed"] == "yes"] == [item.sku]


def test_numbers_stay_numbers(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(LabelScore).values(agreement=0.0, score=0.123456))
    row = table(export(catalogue, "queue"))[0]
    assert (row["score"], row["agreement"]) == ("0.1235", "0.0")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_content_has_the_same_name(
    catalogue: Catalogue, seeded: Seeded, kind: str
) -> None:
    """Streamlit serves a file by its name: another content needs another one."""
    first = export(catalogue, kind)
    assert export(catalogue, kind) == first
    assert sha256(first.data).hexdigest()[:12] in first.file_name
    assert first.file_name.startswith(f"{kind}-")
    assert first.file_name.endswith(".csv")
    settle(catalogue, seeded.wrong_ids[0], "accept")
    assert export(catalogue, kind).file_name != first.file_name


def test_what_was_handed_out_is_on_record(catalogue: Catalogue, seeded: Seeded) -> None:
    last = settle(catalogue, seeded.wrong_ids[0], "keep")
    file = export(catalogue, "decisions", created_by="Ana")
    settle(catalogue, seeded.wrong_ids[1], "keep")
    with read(catalogue.engine) as session:
        (record,) = session.scalars(select(Export))
    assert (record.kind, record.format, record.created_by) == ("decisions", "csv", "Ana")
    assert (record.file_name, record.rows) == (file.file_name, file.rows)
    assert record.sha256 == sha256(file.data).hexdigest()
    assert record.last_decision_id == last


def test_a_decision_made_while_exporting_is_not_on_record_as_handed_out(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exporting.table_file

    def meanwhile(*args: Any) -> ExportFile:
        settle(catalogue, seeded.wrong_ids[0], "keep")
        return real(*args)

    monkeypatch.setattr(exporting, "table_file", meanwhile)
    file = export(catalogue, "decisions")
    with read(catalogue.engine) as session:
        recorded = session.scalars(select(Export.last_decision_id)).one()
        assert recorded < max(session.scalars(select(Decision.id)))
    assert [row["decision_id"] for row in table(file)] == [str(recorded)]


@pytest.mark.parametrize(
    ("kind", "format", "words"),
    [
        ("looks", "csv", "no export 'looks': choose from queue, decisions, products"),
        ("queue", "xlsx", "no format 'xlsx': choose from csv, parquet, json"),
    ],
)
def test_another_kind_or_format_is_refused(
    catalogue: Catalogue, kind: str, format: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export(catalogue, kind, format)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"wanted": Filter(queue="odds")}, "no queue 'odds'"),
        ({"sort": Sort("luck")}, "no order 'luck'"),
    ],
)
def test_a_queue_or_an_order_that_there_is_not_is_refused(
    catalogue: Catalogue, asked: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export(catalogue, "queue", **asked)


@pytest.fixture
def at_home(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("kind", KINDS)
def test_the_command_writes_what_the_page_offers(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "new folder" / "file.csv"
    assert cli.run(command.main, [kind, "--format", "csv", "--out", str(out)]) == 0
    file = export(catalogue, kind)
    assert out.read_bytes() == file.data
    assert capsys.readouterr().out == f"{file.rows} rows written to {out}\n"
    assert [path.name for path in out.parent.iterdir()] == ["file.csv"], "no temporary file"


@pytest.mark.usefixtures("at_home")
def test_the_command_says_what_is_missing_and_leaves_the_old_file(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "queue.csv"
    out.write_text("yesterday's")
    assert cli.run(command.main, ["queue", "--out", str(out)]) == 65
    error = capsys.readouterr().err
    assert error.startswith("error: nobody has looked for wrong labels yet: run python -m")
    assert out.read_text() == "yesterday's"


@pytest.mark.usefixtures("at_home")
def test_a_place_that_cannot_be_written_is_said_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "a file"
    file.touch()
    assert cli.run(command.main, ["products", "--out", str(file / "products.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("name", "flags", "format"),
    [
        ("list.parquet", [], "parquet"),
        ("list.JSON", [], "json"),
        ("list.txt", [], "csv"),
        ("list", [], "csv"),
        ("list.json", ["--format", "csv"], "csv"),
    ],
)
def test_the_command_goes_by_the_files_ending(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path, name: str, flags: list[str], format: str
) -> None:
    out = tmp_path / name
    assert cli.run(command.main, ["products", "--out", str(out), *flags]) == 0
    assert out.read_bytes() == export(catalogue, "products", format).data


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("out", ["-", "/dev/stdout", "a pipe"])
def test_what_is_no_file_is_not_replaced_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("a pipe")
    assert cli.run(command.main, ["products", "--out", out]) == 2
    assert f"{out} is no place for a file: name one with --out" in capsys.readouterr().err
    assert Path("a pipe").is_fifo()
    assert not Path("-").exists()


def test_the_command_takes_another_database(
    catalogue: Catalogue, seeded: Seeded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(tmp_path / "another home"))
    out = tmp_path / "products.csv"
    url = catalogue.settings.database_url
    assert cli.run(command.main, ["products", "--out", str(out), "--database", url]) == 0
    assert out.read_bytes() == export(catalogue, "products").data
