import pytest

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.runs import TROUBLES, list_runs, run_items
from db.engine import write
from db.schema import Run
from tests.helpers import Seeded


def test_before_the_first_run_there_is_no_history(catalogue: Catalogue) -> None:
    assert list_runs(catalogue) == ()
    assert run_items(catalogue, 1) == ()


def test_runs_come_newest_first(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        first = session.get_one(Run, seeded.run_id)
        for state in ("failed", "running"):
            session.add(Run(source="/feed", state=state, started_at=first.started_at))
    running, failed, done = list_runs(catalogue)
    assert (running.state, running.model, running.finished_at) == ("running", None, None)
    assert failed.state == "failed"
    assert (done.model, done.added, done.missing) == (seeded.version, len(seeded.product_ids), 1)
    assert done.seconds > 0
    assert list_runs(catalogue, limit=1) == (running,)


def test_what_a_run_could_not_use_says_why(catalogue: Catalogue, seeded: Seeded) -> None:
    items = run_items(catalogue, seeded.run_id)
    assert [item.sku for item in items] == ["ZZ-1", "ZZ-2", "ZZ-3", "ZZ-4"]
    assert {item.outcome for item in items} == set(TROUBLES)
    assert all(item.code and item.reason and item.product_id is None for item in items)
    assert run_items(catalogue, seeded.run_id, limit=2) == items[:2]
    assert run_items(catalogue, seeded.run_id + 1) == ()


@pytest.mark.parametrize(("outcome", "count"), [("quarantined", 2), ("added", 24), ("updated", 0)])
def test_one_kind_of_outcome(
    catalogue: Catalogue, seeded: Seeded, outcome: str, count: int
) -> None:
    items = run_items(catalogue, seeded.run_id, outcomes=(outcome,))
    assert [item.outcome for item in items] == [outcome] * count
