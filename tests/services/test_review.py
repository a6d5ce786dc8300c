from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from catalog_ai.errors import UsageError
from catalog_ai.services import review
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.deciding import decide
from catalog_ai.services.review import QUEUES, Filter, review_queue
from db.engine import read, write
from db.schema import Decision, LabelScore, ModelVersion, Product
from tests.helpers import CLASSES, UNKNOWN_LABELS, Seeded, seed_catalogue


def ids(catalogue: Catalogue, queue: str = "wrong", **wanted: object) -> list[int]:
    page = review_queue(catalogue, Filter(queue, **wanted), per_page=50)
    return [item.product_id for item in page.items]


def change(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    with write(catalogue.engine, touches=("products",)) as session:
        session.execute(update(Product).where(Product.id == product_id).values(**columns))


def settle(catalogue: Catalogue, product_id: int, action: str, label: str | None = None) -> None:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    decide(
        catalogue,
        product_id,
        action,
        label=label,
        reviewer="Ben",
        request_key=f"{action}-{product_id}-{item.version}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )


def score(catalogue: Catalogue, product_id: int, **columns: object) -> None:
    with write(catalogue.engine, touches=("scores",)) as session:
        query = update(LabelScore).where(LabelScore.product_id == product_id)
        session.execute(query.values(**columns))


def doubt_anew(catalogue: Catalogue, seeded: Seeded) -> None:
    """Two kept labels look wrong; one was kept before there was the present model."""
    before, under_this_model = seeded.product_ids[-7:-5]
    settle(catalogue, under_this_model, "keep")
    with write(catalogue.engine, touches=("models",)) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    settle(catalogue, before, "keep")
    with write(catalogue.engine, touches=("models",)) as session:
        session.execute(update(ModelVersion).values(is_active=True))
    for product_id in (before, under_this_model):
        score(catalogue, product_id, looks_wrong=True, score=0.995)


def members(catalogue: Catalogue, seeded: Seeded, queue: str) -> set[int]:
    """Who belongs into a queue, product by product."""
    found = set()
    with read(catalogue.engine) as session:
        for product in session.scalars(select(Product)):
            score = session.get(LabelScore, (product.id, seeded.model_id))
            if score is not None and (score.label, score.image_sha256) != (
                product.label_current,
                product.image_sha256,
            ):
                score = None
            is_open = product.review_state == "open"
            label = product.label_current
            confirmed = product.review_state in {"kept", "changed"}
            twin = session.get(Product, score.twin_id) if score and score.twin_id else None
            deciders = select(Decision.model_version_id).where(Decision.product_id == product.id)
            belongs = {
                "wrong": is_open and score is not None and score.looks_wrong,
                "second_look": product.review_state == "second_look",
                "unlabelled": is_open and label is None,
                "unknown": is_open and label and score and not score.known_label,
                "odd": is_open and score and score.looks_odd,
                "twins": twin is not None and twin.label_current != label,
                "disputed": confirmed
                and score
                and score.looks_wrong
                and seeded.model_id not in session.scalars(deciders).all(),
                "decided": confirmed or product.review_state == "not_product",
                "all": True,
            }
            if belongs[queue]:
                found.add(product.id)
    return found


def disturb(catalogue: Catalogue, seeded: Seeded) -> None:
    """Decisions of every kind, a photo and a label that changed, a label that vanished."""
    wrong = seeded.wrong_ids
    settle(catalogue, wrong[0], "accept")
    settle(catalogue, wrong[1], "not_product")
    settle(catalogue, wrong[2], "second_look")
    settle(catalogue, seeded.product_ids[-1], "keep")
    change(catalogue, wrong[3], image_sha256="another")
    change(catalogue, wrong[4], label_current="hat")
    change(catalogue, seeded.product_ids[-2], label_current=None)
    score(catalogue, seeded.product_ids[-3], looks_odd=True, oddity=0.9)
    score(catalogue, wrong[1], looks_odd=True, oddity=0.8)  # decided: nobody asks again
    one, other, same = seeded.product_ids[-4], seeded.product_ids[-5], seeded.product_ids[-6]
    score(catalogue, one, twin_id=other)
    score(catalogue, other, twin_id=one)
    with read(catalogue.engine) as session:
        label = session.get_one(Product, one).label_current
    change(catalogue, same, label_current=label)  # one of twins that were settled since
    score(catalogue, same, twin_id=one, label=label)
    doubt_anew(catalogue, seeded)


def test_the_most_suspicious_come_first(catalogue: Catalogue, seeded: Seeded) -> None:
    page = review_queue(catalogue)
    assert [item.product_id for item in page.items] == list(seeded.wrong_ids)
    assert (page.total, page.page, page.pages) == (len(seeded.wrong_ids), 1, 1)
    scores = [item.score or 0.0 for item in page.items]
    assert scores == sorted(scores, reverse=True)


def test_pairs_say_how_many_look_wrong_in_which_way_and_lead_to_them(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    disturb(catalogue, seeded)
    items = review_queue(catalogue, per_page=50).items
    expected: dict[tuple[str, str], list[float]] = {}
    for item in items:
        expected.setdefault((item.label or "", item.suggestion), []).append(item.score or 0.0)
    found = review.pairs(catalogue)
    assert {(pair.label, pair.suggestion): pair.count for pair in found} == {
        pair: len(scores) for pair, scores in expected.items()
    }
    assert [pair.wrong for pair in found] == sorted((pair.wrong for pair in found), reverse=True)
    for pair in found:
        assert pair.wrong == pytest.approx(sum(expected[pair.label, pair.suggestion]))
        queue = review_queue(catalogue, Filter(category=pair.label, suggestion=pair.suggestion))
        assert queue.total == pair.count == len(queue.items)
        assert {(item.label, item.suggestion) for item in queue.items} == {
            (pair.label, pair.suggestion)
        }


def test_any_queue_can_be_narrowed_to_one_suggestion(catalogue: Catalogue, seeded: Seeded) -> None:
    disturb(catalogue, seeded)
    for queue in QUEUES:
        items = review_queue(catalogue, Filter(queue), per_page=50).items
        for suggestion in {item.suggestion for item in items if item.suggestion}:
            page = review_queue(catalogue, Filter(queue, suggestion=suggestion), per_page=50)
            same = [item for item in items if item.suggestion == suggestion]
            by_id = {item.product_id: item for item in page.items}
            assert by_id == {item.product_id: item for item in same}
            assert page.total == len(same)
            if queue != "all":  # nobody sorts a whole catalogue by suspicion; a part of it is
                assert page.items == tuple(same)


def test_a_model_without_categories_leaves_those_of_the_feed_to_choose_from(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(classes=[]))
    assert set(CLASSES) <= set(review.categories(catalogue))


def test_equal_scores_come_in_the_order_of_ids(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(LabelScore).where(LabelScore.looks_wrong).values(score=0.9))
    assert ids(catalogue) == sorted(seeded.wrong_ids)


def test_each_queue_holds_who_belongs_there(catalogue: Catalogue, seeded: Seeded) -> None:
    disturb(catalogue, seeded)
    counted = review.progress(catalogue).by_queue
    for queue in QUEUES:
        expected = members(catalogue, seeded, queue)
        assert expected, f"the test catalogue should have one in {queue}"
        page = review_queue(catalogue, Filter(queue), per_page=50)
        assert {item.product_id for item in page.items} == expected, queue
        assert page.total == len(expected) == counted[queue], queue
        labels = {item.product_id: item.label for item in page.items}
        for category in (*CLASSES, "Polo"):
            part = review_queue(catalogue, Filter(queue, category=category), per_page=50)
            assert {item.product_id for item in part.items} == {
                product for product, label in labels.items() if label == category
            }, (queue, category)
            assert part.total == len(part.items), (queue, category)


def test_one_item_says_which_queue_it_is_in(catalogue: Catalogue, seeded: Seeded) -> None:
    disturb(catalogue, seeded)
    # It may be odd or a twin besides; that it is decided says more than that it is in doubt.
    special = {"odd", "twins", "all"}
    for queue in QUEUES:
        for product_id in ids(catalogue, queue):
            item = review.product_item(catalogue, product_id)
            assert item is not None
            assert queue in special or item.reason == {"disputed": "decided"}.get(queue, queue)


def test_pages_cover_the_queue_once_and_clamp(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue, 40, flagged=11)
    pages = [review_queue(catalogue, page=number, per_page=4) for number in (1, 2, 3)]
    assert [item.product_id for page in pages for item in page.items] == list(seeded.wrong_ids)
    assert {(page.total, page.pages) for page in pages} == {(11, 3)}
    assert review_queue(catalogue, page=99, per_page=4) == pages[2]
    assert review_queue(catalogue, page=-1, per_page=4) == pages[0]


def test_an_unknown_queue_is_named_with_the_choices(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"'wrogn'.*wrong, unlabelled, unknown,"):
        review_queue(catalogue, Filter("wrogn"))


def test_an_item_carries_its_evidence(catalogue: Catalogue, seeded: Seeded) -> None:
    item = review_queue(catalogue).items[0]
    assert item.sku == "AB-001"
    assert item.label == item.label_given
    assert item.label != item.suggestion == item.candidates[0].label
    assert item.confidence == pytest.approx(item.candidates[0].probability)
    assert sum(candidate.probability for candidate in item.candidates) == pytest.approx(1)
    assert item.evidence.startswith(f"Labelled {item.label}; ")
    assert item.evidence.count(item.suggestion) >= 1
    assert len(item.neighbours) == 8
    assert seeded.wrong_ids[0] not in [near.product_id for near in item.neighbours]
    assert all(near.thumbnail.is_file() for near in item.neighbours)
    assert item.thumbnail.is_file()
    assert item.image.is_file()


def test_photos_that_the_model_learnt_from_are_marked(catalogue: Catalogue, seeded: Seeded) -> None:
    marked = [item.trained_on for item in review_queue(catalogue).items]
    assert marked == [False, False, False, False, True, False]


def test_a_deleted_thumbnail_is_drawn_again(catalogue: Catalogue, seeded: Seeded) -> None:
    review_queue(catalogue).items[0].thumbnail.unlink()
    assert review_queue(catalogue).items[0].thumbnail.is_file()


def test_the_surest_suggestion_comes_first_among_unknown_labels(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    items = review_queue(catalogue, Filter("unknown")).items
    assert {item.label for item in items} == set(UNKNOWN_LABELS)
    assert items[0].confidence >= items[1].confidence
    assert items[0].score is None


def test_what_has_no_label_comes_with_the_surest_suggestion_first(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    for product_id in seeded.product_ids[-3:]:
        change(catalogue, product_id, label_current=None)
    score(catalogue, seeded.product_ids[-2], label=None, confidence=0.8)
    score(catalogue, seeded.product_ids[-1], label=None, confidence=0.9)
    # The third is not judged yet: its score is about the label that it had.
    assert ids(catalogue, "unlabelled") == list(seeded.product_ids[:-4:-1])


def test_a_second_look_says_what_the_feed_did(catalogue: Catalogue, seeded: Seeded) -> None:
    (item,) = review_queue(catalogue, Filter("second_look")).items
    assert item.product_id == seeded.second_look_id
    assert item.evidence.startswith("The feed changed its label from ")
    assert f" to {item.label_given} after Ana chose " in item.evidence


def test_the_note_travels_with_the_second_look(catalogue: Catalogue, seeded: Seeded) -> None:
    item = review_queue(catalogue).items[0]
    decide(
        catalogue,
        item.product_id,
        "second_look",
        reviewer="Ben",
        request_key="one",
        seen_version=1,
        seen_sha256=item.image_sha256,
        note=" is it a skirt? ",
    )
    asked = review_queue(catalogue, Filter("second_look")).items[0]
    assert asked.product_id == item.product_id, "the latest decision comes first"
    assert asked.note_from_before == "is it a skirt?"
    assert asked.evidence.endswith(": is it a skirt?")


def test_decided_ones_come_in_the_order_of_decisions(catalogue: Catalogue, seeded: Seeded) -> None:
    order = [seeded.wrong_ids[3], seeded.wrong_ids[0], seeded.wrong_ids[5]]
    for product_id in order:
        settle(catalogue, product_id, "keep")
    change(catalogue, order[0], updated_at=datetime.now(UTC) + timedelta(hours=1))  # a delivery
    assert ids(catalogue, "decided") == order[::-1]


def test_what_was_kept_is_not_asked_again(catalogue: Catalogue, seeded: Seeded) -> None:
    """The next assessment may flag it as often as it likes."""
    kept = seeded.wrong_ids[0]
    settle(catalogue, kept, "keep")
    with write(catalogue.engine) as session:
        session.execute(
            update(LabelScore).where(LabelScore.product_id == kept).values(looks_wrong=True)
        )
    assert kept not in ids(catalogue)


def test_another_models_scores_do_not_count(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    assert review_queue(catalogue).total == 0
    assert review_queue(catalogue, Filter("second_look")).total == 1


def test_progress_counts_people_not_clicks(catalogue: Catalogue, seeded: Seeded) -> None:
    before = review.progress(catalogue)
    assert (before.decided, before.left, before.today) == (0, 6 + 1 + 2, 0)
    assert sum(before.by_category.values()) == 6
    settle(catalogue, seeded.wrong_ids[0], "accept")
    settle(catalogue, seeded.wrong_ids[0], "relabel", "hat")
    after = review.progress(catalogue)
    assert (after.decided, after.left, after.today) == (1, 8, 1)
    assert sum(after.by_category.values()) == 5


def test_what_is_in_doubt_again_is_left_and_not_decided(catalogue: Catalogue) -> None:
    seeded = seed_catalogue(catalogue, 12, flagged=3)
    kept, *others = seeded.wrong_ids
    for product_id in (seeded.second_look_id, *seeded.unknown_ids):
        with write(catalogue.engine) as session:
            session.execute(delete(LabelScore).where(LabelScore.product_id == product_id))
        change(catalogue, product_id, review_state="open")
    with write(catalogue.engine, touches=("models",)) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    settle(catalogue, kept, "keep")  # before there was the present model
    with write(catalogue.engine, touches=("models",)) as session:
        session.execute(update(ModelVersion).values(is_active=True))
    found = review.progress(catalogue)
    assert (found.decided, found.left) == (0, 3), "0 of 3, 3 left"
    assert (found.by_queue["disputed"], found.by_queue["decided"]) == (1, 1)

    settle(catalogue, kept, "keep")  # knowing what the present model says
    settle(catalogue, others[0], "accept")
    found = review.progress(catalogue)
    assert (found.decided, found.left) == (2, 1), "2 of 3, 1 left"


def test_look_alikes_that_people_confirmed_say_so(catalogue: Catalogue, seeded: Seeded) -> None:
    first = review_queue(catalogue).items[0]
    assert not any(near.confirmed for near in first.neighbours)
    assert "people" not in first.evidence
    agreeing = [near for near in first.neighbours if near.label == first.suggestion]
    assert len(agreeing) > 1
    for near in agreeing:
        settle(catalogue, near.product_id, "keep")
    again = review.product_item(catalogue, first.product_id)
    assert again is not None
    assert {near.product_id for near in again.neighbours if near.confirmed} == {
        near.product_id for near in agreeing
    }
    assert f", all confirmed by people, are {first.suggestion}." in again.evidence


def test_today_is_the_readers_day(catalogue: Catalogue, seeded: Seeded) -> None:
    settle(catalogue, seeded.wrong_ids[0], "keep")
    now = datetime.now(UTC)
    assert review.progress(catalogue, since=now - timedelta(minutes=5)).today == 1
    assert review.progress(catalogue, since=now + timedelta(minutes=5)).today == 0


def test_categories_are_the_models_and_those_given_by_people(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    assert review.categories(catalogue) == CLASSES
    settle(catalogue, seeded.unknown_ids[0], "keep")  # keeps "Polo": still no category
    assert review.categories(catalogue) == CLASSES


def test_without_a_model_categories_are_what_was_delivered(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(is_active=False))
    assert set(review.categories(catalogue)) == {*CLASSES, "Polo"}, "'Not sure' is no category"


def test_an_empty_catalogue_has_empty_queues(catalogue: Catalogue) -> None:
    for queue in QUEUES:
        assert review_queue(catalogue, Filter(queue), page=3) == review.QueuePage((), 0, 1, 1)
    assert review.progress(catalogue).left == 0
    assert review.categories(catalogue) == ()
    assert review.product_item(catalogue, 1) is None
