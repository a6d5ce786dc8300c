"""`kill -9` while models are activated: exactly one is active, always."""

import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pysqlite3.dbapi2 as sqlite
import pytest

from catalog_ai.config import settings
from catalog_ai.services.catalogue import open_catalogue
from catalog_ai.services.models import activate
from db.commands import models as commands
from db.engine import write
from tests.fakes import model_meta
from tests.reliability.child import ACTIVATE, INGEST, Child
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import FULL, sized, some_of
from tests.reliability.stub import VERSION, Stub

VERSIONS = (VERSION, "two", "three")


@pytest.mark.parametrize("rollback_journal", some_of([False, True], 0))
def test_exactly_one_model_is_active_after_every_kill(
    tmp_path: Path, rollback_journal: bool, figure: Callable[[str], None]
) -> None:
    kills, random, met = sized(50, 2), Random(10), set()
    home, stub = tmp_path / "home", Stub(rollback_journal=rollback_journal)
    deliver(tmp_path / "in", range(3))  # with products, every activation asks the worker as well
    assert Child(home, INGEST, tmp_path / "in", stub=stub).end().code == 0
    catalogue = open_catalogue(settings(home=home))
    with write(catalogue.engine, touches=("models",)) as session:
        for version in VERSIONS[1:]:
            commands.add_version(session, model_meta(version), datetime.now(UTC))
    catalogue.engine.dispose()
    for _ in range(kills):
        child = Child(home, ACTIVATE, *VERSIONS, stub=stub).ready()
        time.sleep(random.uniform(0, 0.3))
        child.kill()
        check(home)
        with closing(sqlite.connect(home / "catalog.db")) as database:
            active = database.execute(
                "SELECT version FROM model_versions WHERE is_active"
            ).fetchall()
        assert len(active) == 1
        met.add(active[0])
    activate(catalogue, VERSION, requested_by="Ana")
    catalogue.engine.dispose()
    assert not FULL or len(met) == len(VERSIONS)
    journal = "rollback journal" if rollback_journal else "WAL"
    figure(f"{kills} kills while models are activated, {journal}: exactly one active every time")
