"""The commands `doctor` and `backup`: what they print, and their exit codes."""

import json
import re
import shlex
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog_ai import backup, cli, doctor
from catalog_ai.config import PROJECT_ROOT
from catalog_ai.services import checking
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.checking import NOTE, OK, PROBLEM, Finding
from catalog_ai.services.locking import only_one
from tests.helpers import Seeded, seed_catalogue

OPERATIONS = (PROJECT_ROOT / "docs/operations.md").read_text()
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def _home(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_HOME", str(catalogue.settings.home))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))


@pytest.fixture
def with_model(catalogue: Catalogue) -> Seeded:
    return seed_catalogue(catalogue, weights=True)


def code(main: Callable[[list[str] | None], int], *arguments: str) -> int:
    """Return the exit code, of argparse as well."""
    try:
        return cli.run(main, list(arguments))
    except SystemExit as error:
        return int(str(error.code))


def test_the_doctor_is_content(
    with_model: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "found.json"
    assert code(doctor.main, "--deep", "--json", str(target)) == 0
    shown = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in shown[:-1])
    assert shown[-1] == f"{len(shown) - 1} checks: 0 problems, 0 notes"
    report = json.loads(target.read_text())
    assert report["problems"] == 0
    assert report["checks"][0]["name"] == "schema"


def test_a_note_is_no_failure_and_a_problem_is_one(
    catalogue: Catalogue, with_model: Seeded, capsys: pytest.CaptureFixture[str]
) -> None:
    next(catalogue.settings.thumbnails.glob("*/*.jpg")).unlink()
    assert code(doctor.main) == 0
    assert "note     thumbnails: 1 of 24" in capsys.readouterr().out
    photo = next(catalogue.settings.images.glob("*/*.jpg"))
    photo.unlink()
    assert code(doctor.main) == 1
    shown = capsys.readouterr().out
    assert "problem  stored photos: 1 of 24" in shown
    assert photo.name in shown
    assert "1 problems, 1 notes" in shown


def test_damaged_photos_are_named_one_by_one(
    catalogue: Catalogue, with_model: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = sorted(catalogue.settings.images.glob("*/*.jpg"))[:7]
    for photo in damaged:
        photo.write_bytes(photo.read_bytes()[:-100])
    target = tmp_path / "found.json"
    assert code(doctor.main) == 0
    assert code(doctor.main, "--deep", "--json", str(target)) == 1
    assert "problem  photos decode: 7 of 24 files in images/ are damaged" in capsys.readouterr().out
    checks = {one["name"]: one for one in json.loads(target.read_text())["checks"]}
    assert [catalogue.settings.home / name for name in checks["photos decode"]["files"]] == damaged
    assert checks["stored photos"]["files"] == []


def test_damaged_photos_are_moved_aside(
    catalogue: Catalogue, with_model: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, gone = sorted(catalogue.settings.images.glob("*/*.jpg"))[:2]
    photo.write_bytes(photo.read_bytes()[:-100])
    gone.unlink()
    target = tmp_path / "found.json"
    assert code(doctor.main, "--repair", "--json", str(target)) == 1
    (said,) = (line for line in capsys.readouterr().out.splitlines() if line[:8] == "repaired")
    moved = f"damaged photos moved to {catalogue.settings.damaged}: 1"
    assert said.startswith(f"repaired: {moved}; brought back from a backup: 0; waiting for")
    assert "to be ingested again: 2 (images/" in said
    assert json.loads(target.read_text())["repaired"] == {"moved": 1, "restored": 0, "waiting": 2}
    assert (catalogue.settings.damaged / photo.parent.name / photo.name).exists()
    assert code(doctor.main, "--from", str(tmp_path)) == 2


def test_a_finding_is_one_line() -> None:
    found = Finding("photos", PROBLEM, "2 are gone", "look for them", ("a.jpg", "b.jpg"))
    assert doctor.line(found) == "problem  photos: 2 are gone (a.jpg, b.jpg); look for them"
    assert doctor.line(Finding("photos", OK, "all there")) == "ok       photos: all there"
    assert doctor.line(Finding("jobs", NOTE, "one waits", "wait")) == (
        "note     jobs: one waits; wait"
    )


@pytest.mark.parametrize(
    ("main", "arguments", "expected"),
    [
        (doctor.main, ["--nonsense"], 2),
        (doctor.main, ["--database", "sqlite:////no/such/catalog.db"], 74),
        (doctor.main, ["--database", "nonsense"], 74),
        (backup.main, [], 2),
        (backup.main, ["destroy"], 2),
        (backup.main, ["restore"], 2),
        (backup.main, ["create", "tonight"], 2),
        (backup.main, ["create", "--keep", "0"], 2),
        (backup.main, ["create", "--keep", "all"], 2),
        (backup.main, ["create", "--to", "/dev/null/folder"], 74),
        (backup.main, ["create", "--database", "sqlite:////no/such/catalog.db"], 74),
        (backup.main, ["create", "--database", "postgresql://db/catalog"], 2),
        (backup.main, ["restore", "latest"], 2),
    ],
)
def test_exit_codes(
    main: Callable[[list[str] | None], int],
    arguments: list[str],
    expected: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code(main, *arguments) == expected
    assert "Traceback" not in capsys.readouterr().err


def test_a_backup_is_made_listed_and_restored(
    seeded: Seeded, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = tmp_path / "disk", tmp_path / "list.json"
    assert code(backup.main, "create", "--to", str(folder), "--photos") == 0
    shown = capsys.readouterr().out
    assert "24 products, 1 decisions" in shown
    assert "24 linked" in shown
    assert "lost together with the disk" in shown
    assert code(backup.main, "list", "--from", str(folder), "--json", str(target)) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "when", "(UTC)", "MB", "products", "decisions", "checked"]
    assert line.split()[-3:] == ["24", "1", "yes"]
    (listed,) = json.loads(target.read_text())
    assert listed["tables"]["products"] == 24
    new = tmp_path / "new"
    assert code(backup.main, "restore", "latest", "--from", str(folder), "--to", str(new)) == 0
    assert "24 linked" in capsys.readouterr().out
    assert (new / "catalog.db").is_file()
    assert code(backup.main, "restore", listed["name"], "--from", str(folder)) == 2
    assert "away first" in capsys.readouterr().err


def test_what_was_made_and_restored_is_written_as_json(seeded: Seeded, tmp_path: Path) -> None:
    folder, target = str(tmp_path / "disk"), tmp_path / "said.json"
    assert code(backup.main, "create", "--to", folder, "--photos", "--json", str(target)) == 0
    made = json.loads(target.read_text())
    assert made["tables"]["products"] == 24
    assert made["files"]["linked"] >= 24
    where = ["--from", folder, "--to", str(tmp_path / "new")]
    assert code(backup.main, "restore", "latest", *where, "--json", str(target)) == 0
    assert json.loads(target.read_text()) == made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("list --to x", "list takes no --to: it takes --from"),
        ("create --from x", "create takes no --from: it takes --to, --keep, --photos"),
        ("restore latest --photos", "restore takes no --photos: it takes --to, --from"),
        ("list --keep 3", "list takes no --keep: it takes --from"),
    ],
)
def test_a_flag_of_another_action_is_refused(
    arguments: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(backup.main, *arguments.split()) == 2
    assert capsys.readouterr().err == f"error: {said}\n"


def test_no_backups_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert code(backup.main, "list") == 0
    assert capsys.readouterr().out.startswith("there are no backups in ")


def test_a_second_backup_at_once_exits_75(catalogue: Catalogue) -> None:
    with only_one(catalogue.settings.locks / "backup.lock", "busy"):
        assert code(backup.main, "create") == 75


def test_every_check_is_in_the_documentation() -> None:
    names = re.findall(
        r"^\| ([a-z][a-z -]+) \|", OPERATIONS.partition("## The doctor")[2], re.MULTILINE
    )
    checks = checking.OF_THE_DATABASE | checking.OF_THE_CATALOGUE | checking.ONLY_DEEP
    assert [name for name in names if name != "check"] == list(checks)


def test_the_documented_commands_parse(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--help` beside its arguments, a command complains of none of them."""
    found = re.findall(r"-m catalog_ai\.(doctor|backup)((?: [^&|;>`)\n]+)?)", OPERATIONS)
    assert {name for name, _ in found} == {"doctor", "backup"}
    for name, words in found:
        main = {"doctor": doctor.main, "backup": backup.main}[name]
        with pytest.raises(SystemExit) as ended:
            main([*shlex.split(words), "--help"])
        assert ended.value.code == 0, capsys.readouterr().err
        shown = capsys.readouterr().out
        assert set(re.findall(r"--[a-z]+", words)) <= set(re.findall(r"--[a-z]+", shown))
