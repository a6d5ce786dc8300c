"""The commands: exit codes, files, and errors as one sentence."""

import io
import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog_ai import (
    backup,
    cli,
    config,
    doctor,
    evaluate,
    export,
    ingest,
    run,
    shipped,
    train,
    worker,
)
from catalog_ai.services import starting
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.locking import only_one
from catalog_ai.services.photos import write_whole
from catalog_ai.services.reporting import IngestReport
from catalog_ai.services.training import register
from tests.helpers import Seeded, fake_model, write_photo


@pytest.fixture(autouse=True)
def _home(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))


def refused(main: Callable[[list[str] | None], int], arguments: list[str]) -> int:
    """Return the exit code, of argparse as well."""
    try:
        return cli.run(main, arguments)
    except SystemExit as error:
        return int(str(error.code))


def test_an_error_is_one_sentence_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(ingest.main, ["/no/such/folder"]) == 65
    shown = capsys.readouterr().err.strip()
    assert shown.startswith("error: ")
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize(
    ("main", "arguments", "code"),
    [
        (ingest.main, [], 2),
        (ingest.main, ["--nonsense", "x"], 2),
        (ingest.main, ["PHOTOS", "--categories", "/no/such/file"], 2),
        (train.main, ["--recipe", "huge", "--data", "PHOTOS"], 2),
        (train.main, [], 65),
        (train.main, ["--data", "PHOTOS", "--classes", "coat,scarf"], 65),
        (export.main, ["queue", "--out", "x.csv"], 65),
        (export.main, ["everything", "--out", "x.csv"], 2),
        (train.main, ["--recipe", "small", "--data", "PHOTOS", "--backbone", "x"], 2),
        (evaluate.main, [], 2),
        (evaluate.main, ["--data", "PHOTOS", "--model", "huge"], 2),
        (evaluate.main, ["--data", "PHOTOS", "--report", "page.pdf"], 2),
        (evaluate.main, ["--data", "/no/such/folder", "--model", "small"], 65),
        (export.main, ["model"], 2),
        (export.main, ["queue"], 2),
        (export.main, ["model", "--onnx", "x.onnx", "--model", "huge"], 2),
        (worker.main, ["--database", "sqlite:////dev/null/x.db"], 74),
    ],
)
def test_exit_codes(
    main: Callable[[list[str] | None], int], arguments: list[str], code: int, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    for label in ("hat", "shoes"):
        write_photo(photos / label / f"{label}.jpg")
    given = [str(photos) if word == "PHOTOS" else word for word in arguments]
    assert refused(main, given) == code


def test_ingest_reports_and_a_second_one_is_told_to_wait(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    write_photo(tmp_path / "in" / "hat" / "a.jpg")
    report = tmp_path / "report.json"
    arguments = [str(tmp_path / "in"), "--report", str(report), "--model", "one"]
    assert cli.run(ingest.main, arguments) == 0
    assert "1 new" in capsys.readouterr().out
    assert json.loads(report.read_text())["added"] == 1
    with only_one(catalogue.settings.locks / "ingest.lock", "busy"):
        assert cli.run(ingest.main, arguments) == 75


def test_a_mistyped_sku_or_column_is_told_what_to_write(
    catalogue: Catalogue, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    write_photo(tmp_path / "in" / "hat" / "a.jpg")
    assert cli.run(ingest.main, [str(tmp_path / "in"), "--only", "A-1"]) == 0
    assert "nothing in this delivery is called A-1: give a SKU" in capsys.readouterr().out
    assert cli.run(ingest.main, [str(tmp_path / "in"), "--only", "a"]) == 0
    assert "is called" not in capsys.readouterr().out
    (tmp_path / "in" / "manifest.csv").write_text("Artikel,Bild\nA-1,hat/a.jpg\n")
    assert cli.run(ingest.main, [str(tmp_path / "in")]) == 65
    assert "as in --columns sku=article,image=photo" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()

    def writing(arguments: list[str] | None) -> int:
        write_whole(tmp_path / "folder", b"a report")
        return 0

    assert cli.run(writing) == 74
    assert capsys.readouterr().err == f"error: {tmp_path}/folder: Is a directory\n"


def test_a_delivery_that_follows_retire_missing_is_asked_for_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert refused(ingest.main, ["--retire-missing", "/srv/feed"]) == 2
    assert "'/srv/feed' is neither few nor any: if it is the delivery" in capsys.readouterr().err


def test_the_summary_counts_in_words() -> None:
    one = IngestReport(1, "m", missing=["a"], unlisted=["b"], unknown_labels={"Hose": 2}, retired=1)
    assert ingest.summary(one).splitlines()[:-1] == [
        "1 photo that a row names did not come: a",
        "1 photo that no row mentions: b",
        "1 unknown category: Hose (2)",
        "1 no longer delivered: hidden",
    ]
    trial = IngestReport(0, "m", missing=[*"abcd"], retired=2)
    assert ingest.summary(trial).splitlines()[1:-1] == [
        "4 photos that rows name did not come: a, b, c, …",
        "2 no longer delivered: would be hidden",
    ]


class Screen(io.StringIO):
    """What a terminal would show."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def a_minute_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "LOG_SECONDS", 0.0)


@pytest.mark.usefixtures("a_minute_is_over")
def test_a_good_night_writes_its_minutes_to_the_log_and_nothing_that_cron_would_mail(
    catalogue: Catalogue, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    register(catalogue, fake_model(catalogue.settings.models, "one"), activate=True)
    write_photo(tmp_path / "in" / "hat" / "a.jpg")
    assert cli.run(ingest.main, [str(tmp_path / "in")]) == 0
    said = capfd.readouterr()
    minute, *_ = said.out.splitlines()
    assert re.fullmatch(r"\d{4}-\S+ Ingest: 100%, 1 of 1 products, \S+ a second", minute)
    assert said.err == ""
    assert cli.run(worker.main, []) == 0
    said = capfd.readouterr()
    assert re.search(r"^\d{4}-\S+ .+: \d+%, ", said.out, re.MULTILINE)
    assert said.err == ""


@pytest.mark.usefixtures("a_minute_is_over")
def test_a_terminal_gets_a_bar_and_standard_output_no_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with cli.progress_bar("Copy") as tell:
        tell(0.5, "half of it")
    assert "Copy" in screen.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("a_minute_is_over")
def test_a_log_that_cannot_be_written_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr("sys.stdout", Full())
    with cli.progress_bar("Copy") as tell:
        tell(0.5, "half of it")


@pytest.mark.usefixtures("a_minute_is_over")
def test_files_of_data_hold_no_minutes(
    seeded: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Data goes to files, and no command that prints what another program may read has a bar."""
    photos = labelled(tmp_path / "photos", ("hat",))
    files = {name: tmp_path / f"{name}.json" for name in ("report", "figures")}
    arguments = [str(photos), "--dry-run", "--report", str(files["report"])]
    assert cli.run(ingest.main, arguments) == 0
    arguments = ["--data", str(photos), "--model", "small", "--json", str(files["figures"])]
    assert cli.run(evaluate.main, arguments) == 0
    for file in files.values():
        assert json.loads(file.read_text())
    assert "Ingest: 100%" in capsys.readouterr().out
    for module in (export, doctor, backup):
        assert "progress" not in Path(str(module.__file__)).read_text()


def test_training_writes_its_metrics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("hat", "shoes"):
        for number in range(4):
            write_photo(tmp_path / "in" / label / f"{label}-{number}.jpg", size=(60 + number, 80))
    target = tmp_path / "metrics.json"
    arguments = ["--data", str(tmp_path / "in"), "--classes", "hat,shoes", "--epochs", "1"]
    arguments += ["--siamese-epochs", "1", "--version", "v1", "--json", str(target)]
    assert cli.run(train.main, arguments) == 0
    assert "it is the active one" in capsys.readouterr().out
    meta = json.loads(target.read_text())
    assert meta["classes"] == ["hat", "shoes"]
    assert len(meta["history"]["classifier"]) == len(meta["history"]["siamese"]) == 1
    assert cli.run(train.main, [*arguments, "--activate"]) == 65  # the name is taken


def test_export_writes_what_the_page_shows(seeded: Seeded, tmp_path: Path) -> None:
    target = tmp_path / "queue.csv"
    assert cli.run(export.main, ["queue", "--format", "csv", "--out", str(target)]) == 0
    lines = target.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("sku,label,suggestion,score,")
    assert len(lines) == 1 + len(seeded.wrong_ids)


def test_a_file_that_cannot_be_written_is_a_sentence(
    seeded: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    target = tmp_path / "file" / "queue.csv"
    assert cli.run(export.main, ["queue", "--out", str(target)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def labelled(folder: Path, labels: tuple[str, ...] = ("hat", "shoes", "cape")) -> Path:
    for label in labels:
        for number in range(3):
            write_photo(folder / label / f"{label}-{number}.jpg", size=(60 + number, 80))
    return folder


@pytest.fixture
def small_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins of the shipped models."""
    for name in (shipped.DEFAULT, shipped.SMALL):
        fake_model(tmp_path / "weights", name)
    monkeypatch.setattr(shipped, "WEIGHTS", tmp_path / "weights")


@pytest.mark.usefixtures("small_ones")
@pytest.mark.parametrize("model", [None, "small", "FOLDER"])
def test_an_evaluation_prints_and_writes_its_figures(
    model: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, more = labelled(tmp_path / "photos"), labelled(tmp_path / "more", ("hat", "dress"))
    folder = fake_model(tmp_path / "elsewhere", "mine")
    target, page = tmp_path / "figures.json", tmp_path / "page.html"
    arguments = ["--data", str(photos), "--gallery", str(more), "--json", str(target)]
    arguments += ["--report", str(page)]
    if model is not None:
        arguments += ["--model", str(folder) if model == "FOLDER" else model]
    assert cli.run(evaluate.main, arguments) == 0
    shown = capsys.readouterr().out
    assert "categories that the model does not know: cape (3)" in shown
    figures = json.loads(target.read_text())
    wanted = (
        "accuracy, per_class, confusion, top1, top5, map_at_r, same_class_distance, "
        "different_class_distance, reshot_recall_at_1, calibration_error, parameters, mult_adds, "
        "images, seconds, accuracy_all"
    )
    assert set(wanted.split(", ")) <= set(figures)
    assert (figures["images"], figures["unknown_categories"]) == (9, {"cape": 3})
    assert figures["model"] == {None: "default", "small": "small", "FOLDER": "mine"}[model]
    assert page.read_text().count("data:image/jpeg;base64,") > 9


@pytest.mark.usefixtures("small_ones")
def test_a_model_is_written_as_onnx(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "small.onnx"
    assert cli.run(export.main, ["model", "--onnx", str(target), "--model", "small"]) == 0
    assert "small written to" in capsys.readouterr().out
    assert target.stat().st_size > 100_000
    in_the_way = str(target / "x.onnx")
    assert cli.run(export.main, ["model", "--onnx", in_the_way, "--model", "small"]) == 2


def test_a_worker_without_jobs_ends() -> None:
    assert cli.run(worker.main, []) == 0


def test_ctrl_c_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_arguments: list[str] | None) -> int:
        raise KeyboardInterrupt

    assert cli.run(interrupted) == cli.INTERRUPTED
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("port", ["abc", "0", "70000"])
def test_a_port_that_is_none_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", port)
    assert refused(run.main, []) == 2


def test_a_taken_port_is_said_before_anything_is_filled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        assert refused(run.main, []) == 2
    assert "another port" in capsys.readouterr().err


def test_photos_that_are_nowhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "18501")
    monkeypatch.setenv("CATALOG_PHOTOS", "/no/such/folder")
    assert refused(run.main, []) == 2


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_an_open_address_is_warned_of(
    host: str, warned: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PORT", str(probe.getsockname()[1]))
    monkeypatch.setenv("HOST", host)
    monkeypatch.setattr(starting, "fill", lambda *_arguments: None)
    monkeypatch.setattr(run, "_wait", lambda _children: 0)
    monkeypatch.setattr(run.subprocess, "Popen", _NoProcess)
    assert refused(run.main, []) == 0
    assert ("warning" in capsys.readouterr().err) is warned


class _NoProcess:
    """Stands for a child process that does nothing."""

    def __init__(self, *_arguments: object, **_options: object) -> None:
        self.ended = False

    def terminate(self) -> None:
        self.ended = True

    def wait(self, _seconds: float) -> int:
        return 0

    def kill(self) -> None:
        assert self.ended


def test_a_relative_home_is_taken_from_the_projects_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron's folder is another than the shell's."""
    monkeypatch.setenv("CATALOG_HOME", "var/elsewhere")
    monkeypatch.chdir("/")
    chosen = config.settings()
    assert chosen.home == config.PROJECT_ROOT / "var/elsewhere"
    assert chosen.database_url == f"sqlite:///{chosen.home}/catalog.db"
    monkeypatch.setenv("CATALOG_DATABASE_URL", "sqlite:////tmp/other.db")
    assert config.settings().database_url == "sqlite:////tmp/other.db"
    assert config.settings(database_url="sqlite:////x.db").database_url == "sqlite:////x.db"
