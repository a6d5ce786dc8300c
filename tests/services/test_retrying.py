"""A refused photo is tried again: its bytes are forgotten, and a try that fails waits again."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from catalog_ai.errors import BusyError, SourceError, StoppedError
from catalog_ai.services import jobs, retrying, runs
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.reporting import IngestReport
from catalog_ai.services.retrying import try_again
from db.commands import products as commands
from db.engine import read, write
from db.queries import products
from db.schema import Run
from tests.helpers import Seeded

DECODER = 1


@pytest.fixture
def delivery(catalogue: Catalogue, seeded: Seeded, tmp_path: Path) -> Path:
    """The seeded run's delivery, with the two photos that it refused."""
    for name in ("ZZ-1", "ZZ-2"):
        path = tmp_path / "feed/images" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    with write(catalogue.engine) as session:
        session.execute(update(Run).values(source=str(tmp_path / "feed")))
        refused = [b"ZZ-1", b"ZZ-2", b"another"]
        rows = [
            {
                "image_sha256": sha256(data).hexdigest(),
                "decoder_version": DECODER,
                "code": "damaged",
                "reason": "broken",
                "created_at": datetime.now(UTC),
            }
            for data in refused
        ]
        commands.store_refused(session, rows)
    return tmp_path / "feed"


@pytest.fixture
def ingested(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stand in for the ingest: note what it was asked, and do what is put behind `[0]`."""
    calls: list[Any] = [IngestReport(7, "m", added=1)]

    def ingest(catalogue: Catalogue, source: str, **options: Any) -> IngestReport:
        calls.append((source, options["wishes"].only))
        if isinstance(calls[0], BaseException):
            raise calls[0]
        assert isinstance(calls[0], IngestReport)
        return calls[0]

    monkeypatch.setattr(retrying, "ingest", ingest)
    return calls


def asked(catalogue: Catalogue, seeded: Seeded) -> int:
    """Ask for the first refused photo to be tried again and return the job."""
    item = runs.run_items(catalogue, seeded.run_id, outcomes=("quarantined",))[0]
    return runs.retry(catalogue, item.id)


def test_a_try_takes_in_one_photo_and_says_what_came_of_it(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    number = asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=False) == 0
    assert ingested[1:] == [(str(delivery), frozenset({"images/ZZ-1.jpg", "ZZ-1"}))]
    assert jobs.get_job(catalogue, number).result == {
        "run_id": 7,
        "added": 1,
        "updated": 0,
        "unchanged": 0,
        "quarantined": 0,
    }
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 1, "retried": 1}


def test_only_its_own_bytes_are_forgotten(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    try_again(catalogue, str(delivery), ["images/ZZ-1.jpg", "ZZ-1"])
    with read(catalogue.engine) as session:
        left = products.refused_photos(session, DECODER)
    assert set(left) == {sha256(data).hexdigest() for data in (b"ZZ-2", b"another")}


def test_nothing_outside_the_delivery_is_opened(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    (delivery.parent / "another").write_bytes(b"another")
    (delivery / "link.jpg").symlink_to(delivery.parent / "another")
    names = ["../another", str(delivery.parent / "another"), "link.jpg", "images", "no\0name"]
    try_again(catalogue, str(delivery), names)
    with read(catalogue.engine) as session:
        assert len(products.refused_photos(session, DECODER)) == 3


def test_a_delivery_that_is_gone_is_said_in_a_sentence_and_the_item_stays(
    catalogue: Catalogue, seeded: Seeded, ingested: list[Any]
) -> None:
    number = asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=False) == 1
    job = jobs.get_job(catalogue, number)
    assert job.message == (
        "the folder /deliveries/tonight is gone: deliver it again, or dismiss what it lacked"
    )
    assert ingested[1:] == []
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 2}


@pytest.mark.parametrize("error", [BusyError("another ingest is running"), SourceError("empty")])
def test_a_try_that_fails_waits_for_a_person_again(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any], error: Exception
) -> None:
    ingested[0] = error
    number = asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=False) == 1
    assert jobs.get_job(catalogue, number).message == str(error)
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 2}


def test_what_is_no_longer_delivered_waits_for_a_person_again(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    ingested[0] = IngestReport(7, "m")
    asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=False) == 0
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 2}


def test_what_is_refused_again_waits_in_its_new_run(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    ingested[0] = IngestReport(7, "m", quarantined=[{"image": "images/ZZ-1.jpg"}])
    number = asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=False) == 0
    assert jobs.get_job(catalogue, number).result["quarantined"] == 1
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 1, "retried": 1}


def test_a_signal_puts_the_try_back_and_ends_the_worker(
    catalogue: Catalogue, seeded: Seeded, delivery: Path, ingested: list[Any]
) -> None:
    """An ingest takes signals itself, so the worker hears of them by its error."""
    ingested[0] = StoppedError(15, 0, 1)
    number = asked(catalogue, seeded)
    assert jobs.run_jobs(catalogue, loop=True) == 0
    assert jobs.get_job(catalogue, number).state == "queued"
    assert runs.settled_counts(catalogue, seeded.run_id) == {"open": 1, "retried": 1}
