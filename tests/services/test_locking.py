from pathlib import Path

import pytest

from catalog_ai.config import settings
from catalog_ai.errors import BusyError, DatabaseError
from catalog_ai.services.catalogue import Catalogue, open_catalogue
from catalog_ai.services.locking import one_at_a_time, only_one
from db.engine import create


def test_the_second_is_told_at_once(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.settings, create(catalogue.settings.database_url))
    with (
        one_at_a_time(catalogue, "ingest", "first"),
        one_at_a_time(other, "backup", "something else"),
        pytest.raises(BusyError, match="come back later"),
        one_at_a_time(other, "ingest", "come back later"),
    ):
        pytest.fail("two at once")
    with one_at_a_time(other, "ingest", "free again"):
        pass
    other.engine.dispose()


def test_what_goes_wrong_inside_comes_out_and_frees_the_lock(catalogue: Catalogue) -> None:
    with pytest.raises(RuntimeError), one_at_a_time(catalogue, "ingest", "busy"):
        raise RuntimeError
    with one_at_a_time(catalogue, "ingest", "busy"):
        pass


@pytest.mark.sqlite("a server keeps the lock itself, for all machines that use it")
def test_a_file_is_the_lock(catalogue: Catalogue) -> None:
    with (
        only_one(catalogue.settings.locks / "ingest.lock", "first"),
        pytest.raises(BusyError),
        one_at_a_time(catalogue, "ingest", "busy"),
    ):
        pytest.fail("two at once")


def test_another_machine_with_another_home_waits_for_the_same_server(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    elsewhere = open_catalogue(settings(home=tmp_path / "elsewhere"))
    shared = elsewhere.settings.database_url == catalogue.settings.database_url
    with one_at_a_time(catalogue, "ingest", "first"):
        try:
            with one_at_a_time(elsewhere, "ingest", "busy"):
                assert not shared
        except BusyError:
            assert shared
    elsewhere.engine.dispose()


def test_a_server_out_of_reach_is_an_error_of_the_database(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    gone = Catalogue(catalogue.settings, create(f"postgresql://postgres@/x?host={tmp_path}"))
    with pytest.raises(DatabaseError, match="cannot be reached"), one_at_a_time(gone, "a", "busy"):
        pass
