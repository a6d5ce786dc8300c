import pytest
from sqlalchemy import update

from catalog_ai.errors import UsageError
from catalog_ai.services import jobs
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.runs import (
    TROUBLES,
    attention,
    dismiss,
    get_run,
    list_runs,
    retry,
    run_items,
    settle,
    settled_counts,
)
from db.engine import write
from db.schema import Product, Run, RunItem
from tests.helpers import Seeded


def refused(catalogue: Catalogue, seeded: Seeded) -> tuple[int, ...]:
    """Return the numbers of what the seeded run refused."""
    return tuple(item.id for item in run_items(catalogue, seeded.run_id, outcomes=("quarantined",)))


def test_before_the_first_run_there_is_no_history(catalogue: Catalogue) -> None:
    assert list_runs(catalogue) == ()
    assert run_items(catalogue, 1) == ()
    with pytest.raises(UsageError, match="no run number 1"):
        get_run(catalogue, 1)


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
    assert get_run(catalogue, seeded.run_id) == done


def test_what_a_run_could_not_use_says_why(catalogue: Catalogue, seeded: Seeded) -> None:
    items = run_items(catalogue, seeded.run_id)
    assert [item.sku for item in items] == ["ZZ-1", "ZZ-2", "ZZ-3", "ZZ-4"]
    assert {item.outcome for item in items} == set(TROUBLES)
    assert all(item.code and item.reason and item.product_id is None for item in items)
    assert run_items(catalogue, seeded.run_id, limit=2) == items[:2]
    assert run_items(catalogue, seeded.run_id, limit=2, offset=1) == items[1:3]
    assert run_items(catalogue, seeded.run_id + 1) == ()


@pytest.mark.parametrize(("outcome", "count"), [("quarantined", 2), ("added", 24), ("updated", 0)])
def test_one_kind_of_outcome(
    catalogue: Catalogue, seeded: Seeded, outcome: str, count: int
) -> None:
    items = run_items(catalogue, seeded.run_id, outcomes=(outcome,))
    assert [item.outcome for item in items] == [outcome] * count


def test_an_item_has_its_products_words_and_picture(catalogue: Catalogue, seeded: Seeded) -> None:
    item = run_items(catalogue, seeded.run_id, outcomes=("added",))[0]
    assert (item.product_id, item.sku) == (seeded.product_ids[0], "AB-001")
    assert item.title.startswith("Linen")
    assert item.thumbnail is not None and item.thumbnail.is_file()
    item.thumbnail.unlink()
    again = run_items(catalogue, seeded.run_id, outcomes=("added",))[0]
    assert again.thumbnail is not None and again.thumbnail.is_file()  # drawn from the stored copy


def test_a_refused_photo_shows_only_what_its_run_has_for_it(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        shown = session.get_one(Product, seeded.product_ids[0]).thumbnail
        for number, thumbnail in zip(refused(catalogue, seeded), (shown, "gone.jpg"), strict=True):
            session.execute(
                update(RunItem)
                .where(RunItem.id == number)
                .values(thumbnail=thumbnail, product_id=seeded.product_ids[1])
            )
    first, second = run_items(catalogue, seeded.run_id, outcomes=("quarantined",))
    assert first.thumbnail == catalogue.settings.home / shown
    assert second.thumbnail is None


def test_what_is_dismissed_no_longer_waits_and_can_be_reopened(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first, second = refused(catalogue, seeded)
    assert attention(get_run(catalogue, seeded.run_id)) == 4
    before = revision(catalogue, "runs")
    settle(catalogue, first, "dismissed")
    assert revision(catalogue, "runs") > before
    run = get_run(catalogue, seeded.run_id)
    assert (run.quarantined, run.waiting, attention(run)) == (2, 1, 3)
    assert settled_counts(catalogue, run.id) == {"dismissed": 1, "open": 1}
    assert [item.id for item in run_items(catalogue, run.id, settled="dismissed")] == [first]
    settle(catalogue, first, "open")
    assert attention(get_run(catalogue, seeded.run_id)) == 4
    dismiss(catalogue, [first, second])
    assert get_run(catalogue, seeded.run_id).waiting == 0


def test_only_what_was_refused_can_be_settled(catalogue: Catalogue, seeded: Seeded) -> None:
    first, _ = refused(catalogue, seeded)
    added = run_items(catalogue, seeded.run_id, outcomes=("added",))[0].id
    for number in (added, 9999):
        with pytest.raises(UsageError, match=f"has the number {number}"):
            settle(catalogue, number, "dismissed")
        with pytest.raises(UsageError, match=f"has the number {number}"):
            dismiss(catalogue, [first, number])
        with pytest.raises(UsageError, match=f"has the number {number}"):
            retry(catalogue, number)
    with pytest.raises(UsageError, match="choose open or dismissed"):
        settle(catalogue, first, "retried")
    assert settled_counts(catalogue, seeded.run_id) == {"open": 2}  # all or none
    assert jobs.list_jobs(catalogue) == []


def test_trying_again_asks_the_worker_once(catalogue: Catalogue, seeded: Seeded) -> None:
    first, second = refused(catalogue, seeded)
    before = revision(catalogue, "runs", "jobs")
    number = retry(catalogue, first, requested_by="Ana")
    assert all(
        new > old for new, old in zip(revision(catalogue, "runs", "jobs"), before, strict=True)
    )
    job = jobs.get_job(catalogue, number)
    assert (job.kind, job.requested_by) == ("ingest", "Ana")
    # The SKU as well: a further photo is found by its product only.
    assert job.parameters == {
        "source": "/deliveries/tonight",
        "only": ["images/ZZ-1.jpg", "ZZ-1"],
        "options": {},
    }
    assert retry(catalogue, first) == number
    assert retry(catalogue, second) != number
    assert settled_counts(catalogue, seeded.run_id) == {"retried": 2}


def test_a_row_without_a_sku_is_tried_by_its_name(catalogue: Catalogue, seeded: Seeded) -> None:
    first, _ = refused(catalogue, seeded)
    with write(catalogue.engine) as session:
        session.execute(update(RunItem).where(RunItem.id == first).values(sku=""))
    job = jobs.get_job(catalogue, retry(catalogue, first))
    assert job.parameters["only"] == ["images/ZZ-1.jpg"]
