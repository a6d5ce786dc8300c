from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import deciding, jobs, review, shop
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.deciding import Decided, decide, decisions, undo
from catalog_ai.services.labelling import Labels, Spelling, follow_feed
from db.engine import read, write
from db.schema import Decision, Product
from tests.helpers import CLASSES, Seeded

THREADS = 4


def product(catalogue: Catalogue, product_id: int) -> Product:
    with read(catalogue.engine) as session:
        return session.get_one(Product, product_id)


def state(catalogue: Catalogue, product_id: int) -> tuple[str | None, str]:
    found = product(catalogue, product_id)
    return found.label_current, found.review_state


def rows(catalogue: Catalogue) -> int:
    with read(catalogue.engine) as session:
        return session.scalar(select(func.count()).select_from(Decision)) or 0


def change(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    """What an ingest would do to one product."""
    with write(catalogue.engine, touches=("products",)) as session:
        columns["version"] = Product.version + 1
        session.execute(update(Product).where(Product.id == product_id).values(**columns))


class Desk:
    """A reviewer who sees each product as it stands at that moment."""

    def __init__(self, catalogue: Catalogue, reviewer: str = "Ana") -> None:
        self.catalogue, self.reviewer, self.keys = catalogue, reviewer, 0

    def __call__(self, product_id: int, action: str, **options: object) -> Decided:
        seen = product(self.catalogue, product_id)
        self.keys += 1
        asked = {
            "reviewer": self.reviewer,
            "request_key": f"{self.reviewer}-{self.keys}",
            "seen_version": seen.version,
            "seen_sha256": seen.image_sha256,
        } | options
        return decide(self.catalogue, product_id, action, **asked)

    def undo(self, decision_id: int, key: str | None = None) -> Decided:
        self.keys += 1
        return undo(
            self.catalogue,
            decision_id,
            reviewer=self.reviewer,
            request_key=key or f"{self.reviewer}-{self.keys}",
        )


@pytest.fixture
def desk(catalogue: Catalogue, seeded: Seeded) -> Desk:
    return Desk(catalogue)


def test_each_decision_does_what_it_says(catalogue: Catalogue, seeded: Seeded, desk: Desk) -> None:
    wrong = seeded.wrong_ids
    items = {item.product_id: item for item in review.review_queue(catalogue).items}
    was = {product_id: items[product_id].label for product_id in wrong}
    other = next(
        name for name in CLASSES if name not in {was[wrong[2]], items[wrong[2]].suggestion}
    )

    assert desk(wrong[0], "keep").sentence == f"AB-001 stays {was[wrong[0]]}."
    suggestion = items[wrong[1]].suggestion
    assert desk(wrong[1], "accept").sentence == f"AB-002 is now {suggestion} (was {was[wrong[1]]})."
    desk(wrong[2], "relabel", label=f"  {other.upper()} ")
    assert desk(wrong[3], "not_product").sentence == "AB-004 is not a product photo."
    desk(wrong[4], "second_look", note="a skirt?")

    assert state(catalogue, wrong[0]) == (was[wrong[0]], "kept")
    assert state(catalogue, wrong[1]) == (suggestion, "changed")
    assert state(catalogue, wrong[2]) == (other, "changed"), "in the catalogue's spelling"
    assert state(catalogue, wrong[3]) == (was[wrong[3]], "not_product")
    assert state(catalogue, wrong[4]) == (was[wrong[4]], "second_look")
    assert [product(catalogue, number).version for number in wrong] == [2, 2, 2, 2, 2, 1]


def test_after_so_many_decisions_labels_are_judged_anew(
    catalogue: Catalogue, seeded: Seeded, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "_LOOK_AGAIN", 3)
    queued = lambda: [job.kind for job in jobs.list_jobs(catalogue) if job.state == "queued"]  # noqa: E731
    before = queued().count("assess")
    last = 0
    for product_id in seeded.product_ids[:7]:
        last = desk(product_id, "keep").decision_id
        assert queued().count("assess") == before + (last >= 3)
    assert last > 6  # the sixth asked for no second one


def test_taking_a_decision_back_counts_towards_judging_anew(
    catalogue: Catalogue, seeded: Seeded, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = lambda: [job.kind for job in jobs.list_jobs(catalogue)].count("assess")  # noqa: E731
    first, *_ = [desk(number, "keep").decision_id for number in seeded.product_ids[:4]]
    monkeypatch.setattr(deciding, "_LOOK_AGAIN", first + 4)
    before = queued()
    assert desk.undo(first).decision_id == first + 4, "the one that is asked for"
    assert queued() == before + 1
    desk(seeded.product_ids[4], "keep")
    assert queued() == before + 1


def test_the_row_says_what_was_seen(catalogue: Catalogue, seeded: Seeded, desk: Desk) -> None:
    item = review.review_queue(catalogue).items[0]
    desk.reviewer = "  Ana \n Lopes "
    number = desk(item.product_id, "accept", note=" sleeves ").decision_id
    with read(catalogue.engine) as session:
        row = session.get_one(Decision, number)
    assert (row.reviewer, row.note, row.image_sha256) == ("Ana Lopes", "sleeves", item.image_sha256)
    assert (row.label_given, row.label_before, row.label_after) == (
        item.label_given,
        item.label,
        item.suggestion,
    )
    assert (row.state_before, row.state_after) == ("open", "changed")
    assert (row.suggestion, row.score) == (item.suggestion, pytest.approx(item.score))
    assert row.model_version_id == seeded.model_id
    assert abs(row.decided_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_label_that_is_there_already_is_kept(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    label = product(catalogue, seeded.wrong_ids[0]).label_current or ""
    done = desk(seeded.wrong_ids[0], "relabel", label=label.upper())
    assert done.sentence == f"AB-001 stays {label}."
    assert state(catalogue, seeded.wrong_ids[0]) == (label, "kept")
    assert decisions(catalogue, limit=1)[0].action == "keep"


def test_a_label_that_is_no_category_can_be_kept(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    desk(seeded.unknown_ids[0], "keep")
    assert state(catalogue, seeded.unknown_ids[0]) == ("Polo", "kept")
    assert review.review_queue(catalogue, review.Filter("unknown")).total == 1


@pytest.mark.parametrize("label", ["trousers", "", None, "Not sure"])
def test_another_word_than_a_category_is_refused(
    catalogue: Catalogue, seeded: Seeded, desk: Desk, label: str | None
) -> None:
    with pytest.raises(UsageError, match=r"no category: choose from dress, hat, longsleeve"):
        desk(seeded.wrong_ids[0], "relabel", label=label)
    assert state(catalogue, seeded.wrong_ids[0])[1] == "open"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"reviewer": " \t "}, "type your name first"),
        ({"reviewer": "n" * 121}, "121 letters: shorten it to 120"),
        ({"action": "undo"}, "there is no decision 'undo': choose from keep, accept"),
        ({"product_id": 999}, "no longer in the catalogue"),
    ],
)
def test_what_cannot_be_decided_is_said(
    catalogue: Catalogue, seeded: Seeded, options: dict[str, object], words: str
) -> None:
    asked = {
        "product_id": seeded.wrong_ids[0],
        "action": "keep",
        "reviewer": "Ana",
        "request_key": "one",
        "seen_version": 1,
        "seen_sha256": "abc",
    }
    with pytest.raises(UsageError, match=words):
        decide(catalogue, **(asked | options))
    assert rows(catalogue) == 1


def test_without_a_judgement_there_is_nothing_to_accept(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    change(catalogue, seeded.wrong_ids[0], image_sha256="a new photo")
    with pytest.raises(UsageError, match="no suggestion to accept yet"):
        desk(seeded.wrong_ids[0], "accept")


def test_the_second_reviewer_is_told_who_was_first(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    first = product(catalogue, seeded.wrong_ids[0])
    desk(first.id, "keep")
    ben, before = Desk(catalogue, "Ben"), revision(catalogue, "labels")
    with pytest.raises(ConflictError, match=rf"^Ana kept {first.label_current} just now: AB-001"):
        ben(first.id, "accept", seen_version=first.version)
    assert state(catalogue, first.id) == (first.label_current, "kept")
    assert (rows(catalogue), revision(catalogue, "labels")) == (2, before)


@pytest.mark.parametrize(("minutes", "words"), [(1, "1 minute ago"), (7, "7 minutes ago")])
def test_and_when(
    catalogue: Catalogue,
    seeded: Seeded,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    minutes: int,
    words: str,
) -> None:
    desk(seeded.wrong_ids[0], "not_product")

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(minutes=minutes, seconds=5)

    monkeypatch.setattr("catalog_ai.services.deciding.datetime", Later)
    with pytest.raises(ConflictError, match=f"Ana marked it as not a product photo {words}"):
        Desk(catalogue, "Ben")(seeded.wrong_ids[0], "keep", seen_version=1)


def test_a_photo_that_changed_under_ones_eyes_is_a_conflict(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    with pytest.raises(ConflictError, match="has changed since you saw it"):
        desk(seeded.wrong_ids[0], "keep", seen_sha256="the photo of yesterday")


def test_what_is_no_product_photo_is_nowhere_to_be_found(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    gone = seeded.wrong_ids[0]
    desk(gone, "not_product")
    assert gone not in [item.product_id for item in review.review_queue(catalogue).items]
    assert gone not in [card.product_id for card in shop.find_products(catalogue, limit=99)]
    near = shop.similar_to_product(catalogue, seeded.wrong_ids[1], k=99)
    assert len(near) == len(seeded.product_ids) - 2
    assert gone not in [match.card.product_id for match in near]


@pytest.mark.parametrize("action", ["keep", "accept", "relabel", "not_product", "second_look"])
def test_undo_restores_what_was(
    catalogue: Catalogue, seeded: Seeded, desk: Desk, action: str
) -> None:
    target = seeded.wrong_ids[0]
    before, queue = state(catalogue, target), review.review_queue(catalogue)
    done = desk(target, action, label="shoes")
    assert state(catalogue, target) != before
    undone = Desk(catalogue, "Ben").undo(done.decision_id)
    assert undone.sentence == f"Undone: AB-001 is {before[0]} again."
    assert state(catalogue, target) == before
    after = review.review_queue(catalogue)
    assert [item.product_id for item in after.items] == [item.product_id for item in queue.items]
    newest, first, _ = decisions(catalogue)
    assert (newest.action, newest.reviewer, newest.undoes_id) == ("undo", "Ben", done.decision_id)
    assert (first.undone, newest.undone) == (True, False)


def test_undo_goes_back_step_by_step(catalogue: Catalogue, seeded: Seeded, desk: Desk) -> None:
    target = seeded.wrong_ids[0]
    states = [state(catalogue, target)]
    done = []
    for action, label in (("keep", None), ("relabel", "shorts"), ("relabel", "shoes")):
        done.append(desk(target, action, label=label))
        states.append(state(catalogue, target))
    with pytest.raises(ConflictError, match="Ana chose shoes just now"):
        desk.undo(done[0].decision_id)
    for decision, expected in zip(reversed(done), reversed(states[:-1]), strict=True):
        desk.undo(decision.decision_id)
        assert state(catalogue, target) == expected


def test_an_older_decision_that_looks_the_same_stays(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    """Kept twice: taking back the first would silently take back the second, too."""
    first = desk(seeded.wrong_ids[0], "keep")
    Desk(catalogue, "Ben")(seeded.wrong_ids[0], "keep")
    with pytest.raises(ConflictError, match="Ben kept"):
        desk.undo(first.decision_id)
    assert state(catalogue, seeded.wrong_ids[0])[1] == "kept"


def feed_delivers(catalogue: Catalogue, product_id: int, label: str) -> None:
    now = product(catalogue, product_id)
    labels = Labels(now.label_given, now.label_current, now.review_state)
    after = follow_feed(labels, label, Spelling(CLASSES, ()))
    change(
        catalogue,
        product_id,
        label_given=after.given,
        label_current=after.current,
        review_state=after.review_state,
    )


def feed_says_the_same(catalogue: Catalogue, product_id: int) -> None:
    feed_delivers(catalogue, product_id, "shoes")


def feed_disagrees(catalogue: Catalogue, product_id: int) -> None:
    feed_delivers(catalogue, product_id, "shorts")


def photo_changes(catalogue: Catalogue, product_id: int) -> None:
    change(catalogue, product_id, image_sha256="new", review_state="second_look")


@pytest.mark.parametrize("happens", [feed_says_the_same, feed_disagrees, photo_changes])
def test_undo_does_not_override_a_delivery(
    catalogue: Catalogue,
    seeded: Seeded,
    desk: Desk,
    happens: Callable[[Catalogue, int], None],
) -> None:
    target = seeded.wrong_ids[0]
    done = desk(target, "relabel", label="shoes")
    happens(catalogue, target)
    stands = state(catalogue, target)
    with pytest.raises(ConflictError, match=r"delivered for AB-001 since"):
        desk.undo(done.decision_id)
    assert state(catalogue, target) == stands


def test_a_new_title_does_not_stand_in_the_way(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    done = desk(seeded.wrong_ids[0], "keep")
    change(catalogue, seeded.wrong_ids[0], title="Summer shirt")
    desk.undo(done.decision_id)
    assert state(catalogue, seeded.wrong_ids[0])[1] == "open"


def test_what_cannot_be_undone_is_said(catalogue: Catalogue, seeded: Seeded, desk: Desk) -> None:
    done = desk(seeded.wrong_ids[0], "keep")
    back = desk.undo(done.decision_id)
    with pytest.raises(ConflictError, match="taken back already"):
        desk.undo(done.decision_id)
    with pytest.raises(UsageError, match="cannot be undone again"):
        desk.undo(back.decision_id)
    with pytest.raises(UsageError, match="no decision number 999"):
        desk.undo(999)
    desk.reviewer = ""
    with pytest.raises(UsageError, match="type your name"):
        desk.undo(done.decision_id)


def test_the_list_is_newest_first_and_can_be_narrowed(
    catalogue: Catalogue, seeded: Seeded, desk: Desk
) -> None:
    for product_id in seeded.wrong_ids[:3]:
        desk(product_id, "keep")
    everything = decisions(catalogue, limit=None)
    assert [view.id for view in everything] == sorted(
        (view.id for view in everything), reverse=True
    )
    assert len(everything) == 4
    assert decisions(catalogue, limit=2) == everything[:2]
    (only,) = decisions(catalogue, product_id=seeded.wrong_ids[1])
    assert (only.sku, only.thumbnail.is_file()) == ("AB-002", True)


def test_ten_clicks_are_one_decision(catalogue: Catalogue, seeded: Seeded) -> None:
    ben, together = Desk(catalogue, "Ben"), Barrier(10)

    def click(_: int) -> Decided:
        together.wait()
        return ben(seeded.wrong_ids[0], "keep", request_key="one card", seen_version=1)

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(click, range(10)))
    assert len(answers) == 1
    assert rows(catalogue) == 2
    assert product(catalogue, seeded.wrong_ids[0]).version == 2


def test_ten_clicks_on_undo_are_one_undo(catalogue: Catalogue, seeded: Seeded, desk: Desk) -> None:
    done, together = desk(seeded.wrong_ids[0], "keep"), Barrier(10)

    def click(_: int) -> Decided:
        together.wait()
        return desk.undo(done.decision_id, key="one button")

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(click, range(10)))) == 1
    assert rows(catalogue) == 3


def test_contested_items_have_one_winner_each_and_every_loser_is_told(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    targets = seeded.product_ids
    seen = {number: product(catalogue, number) for number in targets}
    together = Barrier(THREADS)

    def work(thread: int) -> list[tuple[int, str]]:
        together.wait()
        told = []
        for number in targets:
            try:
                decide(
                    catalogue,
                    number,
                    "keep",
                    reviewer=f"Reviewer {thread}",
                    request_key=f"{thread}-{number}",
                    seen_version=seen[number].version,
                    seen_sha256=seen[number].image_sha256,
                )
            except ConflictError as error:
                told.append((number, str(error)))
        return told

    with ThreadPoolExecutor(THREADS) as pool:
        told = [answer for answers in pool.map(work, range(THREADS)) for answer in answers]
    made = [view for view in decisions(catalogue, limit=None) if view.reviewer != "Ana"]
    winners = {view.product_id: view.reviewer for view in made}
    assert len(made) == len(winners) == len(targets)
    assert len(told) == (THREADS - 1) * len(targets)
    assert all(sentence.startswith(f"{winners[number]} kept ") for number, sentence in told)
    assert {product(catalogue, number).review_state for number in targets} == {"kept"}
