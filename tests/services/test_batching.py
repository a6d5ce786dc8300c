"""Many decisions as one: contact sheets and bulk changes, each told what it could not do."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import batching, deciding, jobs, review
from catalog_ai.services.batch_outcome import LEFT_KEPT
from catalog_ai.services.batching import Outcome, Seen, decide_all, decide_sheet, preview
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.review import Filter
from db.commands import rechecks
from db.commands.decisions import take_effect
from db.engine import read, write
from db.schema import Batch, Claim, Decision, LabelScore, Product, Recheck
from tests.helpers import Seeded

EVERYTHING = Filter("all")
HOSTILE = "<b>x</b> [a](http://b) $y$ `c` *d*"


def standing(catalogue: Catalogue) -> dict[int, tuple[str | None, str, int]]:
    """Return product id → label, state, version."""
    with read(catalogue.engine) as session:
        rows = session.execute(
            select(Product.id, Product.label_current, Product.review_state, Product.version)
        )
        return {row[0]: tuple(row)[1:] for row in rows}


def made(catalogue: Catalogue) -> list[Decision]:
    """Return all decisions but the one that was there before."""
    with read(catalogue.engine) as session:
        return list(session.scalars(select(Decision).order_by(Decision.id)))[1:]


def drawn(catalogue: Catalogue, *ids: int) -> list[Seen]:
    """Return products as they would be drawn now."""
    with read(catalogue.engine) as session:
        rows = session.scalars(select(Product).where(Product.id.in_(ids)).order_by(Product.id))
        return [Seen(row.id, row.version, row.image_sha256) for row in rows]


def suggested(catalogue: Catalogue) -> dict[int, str]:
    with read(catalogue.engine) as session:
        rows = session.execute(select(LabelScore.product_id, LabelScore.suggestion))
        return dict(rows.all())


def bulk(catalogue: Catalogue, action: str, label: str | None = None, **options: object) -> Outcome:
    """Preview a change of everything and do it, as one person would."""
    asked = {"wanted": EVERYTHING, "without": (), "reviewer": "Ana", "request_key": "bulk"}
    asked |= options
    wanted, without = asked.pop("wanted"), asked["without"]
    shown = asked.pop("shown", None)
    shown = shown or preview(catalogue, wanted, action, label, without=without)
    return decide_all(catalogue, wanted, action, label, shown=shown, **asked)


def test_a_sheet_accepts_what_is_ticked_and_keeps_the_others(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    before, says = standing(catalogue), suggested(catalogue)
    ids, ticked = seeded.wrong_ids, set(seeded.wrong_ids[1:3])
    done = decide_sheet(
        catalogue, drawn(catalogue, *ids), ticked, reviewer=" Ana  B ", request_key="sheet"
    )
    after = standing(catalogue)
    for product_id in ids:
        label, state = before[product_id][0], "kept"
        if product_id in ticked:
            label, state = says[product_id], "changed"
        assert after[product_id] == (label, state, 2)
    assert {i: after[i] for i in after if i not in ids} == {
        i: before[i] for i in before if i not in ids
    }
    rows = made(catalogue)
    assert [row.product_id for row in rows] == list(ids)
    assert {(row.batch_id, row.reviewer) for row in rows} == {(done.batch_id, "Ana B")}
    assert {row.model_version_id for row in rows} == {seeded.model_id}
    assert [row.suggestion for row in rows] == [says[i] for i in ids]
    assert all(len(row.request_key) == 64 for row in rows)
    assert (done.products, done.left) == (6, ())
    assert done.sentence.startswith("6 products: 4 kept, ")


def test_the_line_of_a_sheet_names_its_category_and_what_became_of_it(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    ids = seeded.wrong_ids[:3]
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(label_current="dress"))
        scores = update(LabelScore).where(LabelScore.product_id.in_(ids))
        session.execute(scores.values(label="dress", suggestion="skirt"))
    done = decide_sheet(
        catalogue, drawn(catalogue, *ids), {ids[0]}, reviewer="Ana", request_key="k"
    )
    assert done.sentence == "3 products of dress: 2 kept, 1 → skirt."
    (batch,) = batching.batches(catalogue)
    assert (batch.kind, batch.words) == ("sheet", "3 products of dress: 2 kept, 1 → skirt")
    assert (batch.products, batch.reviewer, batch.can_undo) == (3, "Ana", True)


def test_ticked_without_another_suggestion_waits_for_a_second_look(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """Who ticks it says that it is odd: it must not be kept, and there is nothing to accept."""
    right, unjudged = seeded.product_ids[-1], seeded.product_ids[-2]
    with write(catalogue.engine) as session:
        session.execute(
            update(LabelScore).where(LabelScore.product_id == unjudged).values(image_sha256="old")
        )
    assert suggested(catalogue)[right] == standing(catalogue)[right][0]
    done = decide_sheet(
        catalogue,
        drawn(catalogue, right, unjudged),
        {right, unjudged},
        reviewer="Ana",
        request_key="k",
    )
    assert [standing(catalogue)[i][1] for i in (right, unjudged)] == ["second_look"] * 2
    assert done.sentence == "2 products: 2 for a second look."


def test_what_changed_since_it_was_drawn_is_left_alone_and_told(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first, second, third = seeded.wrong_ids[:3]
    seen = drawn(catalogue, first, second, third)
    deciding.decide(
        catalogue,
        first,
        "keep",
        reviewer="Ben",
        request_key="ben",
        seen_version=seen[0].version,
        seen_sha256=seen[0].image_sha256,
    )
    with write(catalogue.engine) as session:
        session.execute(update(Product).where(Product.id == second).values(image_sha256="new"))
    done = decide_sheet(catalogue, seen, {first}, reviewer="Ana", request_key="k")
    assert [row.product_id for row in done.left] == [first, second]
    assert done.left[0].reason.startswith("Ben kept ")
    assert "AB-002 has changed since you saw it" in done.left[1].reason
    assert (done.products, done.left_count) == (1, 2)
    assert done.sentence.endswith("2 products left as they were.")
    assert standing(catalogue)[first][1:] == ("kept", 2)
    assert standing(catalogue)[second][1:] == ("open", 1)
    assert standing(catalogue)[third][1:] == ("kept", 2)


def test_a_sheet_that_could_do_nothing_leaves_no_line(catalogue: Catalogue, seeded: Seeded) -> None:
    seen = [Seen(one.product_id, 99, one.image_sha256) for one in drawn(catalogue, 1, 2)]
    done = decide_sheet(catalogue, seen, set(), reviewer="Ana", request_key="k")
    assert (done.batch_id, done.products, done.left_count) == (None, 0, 2)
    assert done.sentence == "Nothing was changed: 2 products left as they were."
    assert (made(catalogue), batching.batches(catalogue)) == ([], ())


def test_a_name_is_needed(catalogue: Catalogue, seeded: Seeded) -> None:
    with pytest.raises(UsageError, match="type your name first"):
        decide_sheet(catalogue, drawn(catalogue, 1), set(), reviewer=" ", request_key="k")
    with pytest.raises(UsageError, match="type your name first"):
        bulk(catalogue, "keep", reviewer="")


def together(*acts: Callable[[], Outcome]) -> list[Outcome]:
    """Do all of them at the same moment."""
    start = Barrier(len(acts))

    def one(act: Callable[[], Outcome]) -> Outcome:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_ten_clicks_are_one_batch(catalogue: Catalogue, seeded: Seeded) -> None:
    seen = drawn(catalogue, *seeded.wrong_ids)

    def click() -> Outcome:
        return decide_sheet(catalogue, seen, {1}, reviewer="Ana", request_key="one sheet")

    answers = together(*[click] * 10)
    assert len(set(answers)) == 1
    assert len(made(catalogue)) == len(seen)
    assert len(batching.batches(catalogue)) == 1


def test_of_two_sheets_that_overlap_each_product_is_decided_once(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    ids = seeded.product_ids
    sheets = {"Ana": drawn(catalogue, *ids[:16]), "Ben": drawn(catalogue, *ids[8:])}

    def sheet(name: str) -> Callable[[], Outcome]:
        return lambda: decide_sheet(
            catalogue, sheets[name], set(ids), reviewer=name, request_key=name
        )

    answers = dict(zip(sheets, together(*map(sheet, sheets)), strict=True))
    rows = made(catalogue)
    assert Counter(row.product_id for row in rows) == dict.fromkeys(ids, 1)
    by = {row.product_id: row.reviewer for row in rows}
    assert {by[i] for i in ids[8:16]} in ({"Ana"}, {"Ben"})
    (late,) = [name for name, answer in answers.items() if answer.left_count]
    assert [row.product_id for row in answers[late].left] == list(ids[8:16])
    assert all(by[row.product_id] in row.reason.split(" ")[0] for row in answers[late].left)


@pytest.mark.parametrize(
    ("action", "label", "state"),
    [
        ("keep", None, "kept"),
        ("not_product", None, "not_product"),
        ("second_look", None, "second_look"),
        ("relabel", "  SHOES ", "changed"),
        ("accept", None, "changed"),
    ],
)
def test_a_bulk_change_does_what_its_preview_said(
    catalogue: Catalogue, seeded: Seeded, action: str, label: str | None, state: str
) -> None:
    before, says = standing(catalogue), suggested(catalogue)
    wanted = Filter("wrong")
    without = {seeded.wrong_ids[1]}
    shown = preview(catalogue, wanted, action, label, without=without)
    done = bulk(catalogue, action, label, wanted=wanted, without=without, shown=shown)
    expected = {}
    for product_id in set(seeded.wrong_ids) - without:
        was = before[product_id][0]
        new = {"relabel": "shoes", "accept": says[product_id]}.get(action, was)
        expected[product_id] = (new, "kept" if (new == was and label) else state, 2)
    after = standing(catalogue)
    assert {i: after[i] for i in expected} == expected
    assert {i: row for i, row in after.items() if i not in expected} == {
        i: row for i, row in before.items() if i not in expected
    }
    counted = Counter((before[i][0], label, state) for i, (label, state, _) in expected.items())
    for changes in (shown.changes, done.changes):
        assert {(c.before, c.after, c.state): c.count for c in changes} == counted
    assert (shown.count, done.products) == (5, 5)
    assert shown.sentence == f"5 products: {', '.join(done.sentence[:-1].split(': ')[1:])}"


def test_what_has_no_suggestion_cannot_accept_it(catalogue: Catalogue, seeded: Seeded) -> None:
    unjudged = seeded.product_ids[-1]
    with write(catalogue.engine, touches=("scores",)) as session:
        session.execute(
            update(LabelScore).where(LabelScore.product_id == unjudged).values(image_sha256="old")
        )
    shown = preview(catalogue, EVERYTHING, "accept")
    assert (shown.count, shown.left) == (23, 1)
    assert "1 left alone" in shown.sentence
    done = bulk(catalogue, "accept")
    assert [row.product_id for row in done.left] == [unjudged]
    assert standing(catalogue)[unjudged][1:] == ("open", 1)


def test_a_preview_that_no_longer_holds_is_refused(catalogue: Catalogue, seeded: Seeded) -> None:
    wanted = Filter("wrong")
    shown = preview(catalogue, wanted, "keep")
    seen = drawn(catalogue, *seeded.wrong_ids[:2])
    decide_sheet(catalogue, seen, set(), reviewer="Ben", request_key="ben")
    before = revision(catalogue, "labels")
    with pytest.raises(ConflictError, match=r"^4 match now, 6 were shown: look at the preview ag"):
        bulk(catalogue, "keep", wanted=wanted, shown=shown)
    assert (len(made(catalogue)), revision(catalogue, "labels")) == (2, before)


def test_the_same_number_of_other_products_is_no_longer_the_same(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    wanted = Filter("wrong")
    shown = preview(catalogue, wanted, "keep")
    with write(catalogue.engine) as session:
        for product_id, wrong in ((seeded.wrong_ids[0], False), (seeded.product_ids[-1], True)):
            score = update(LabelScore).where(LabelScore.product_id == product_id)
            session.execute(score.values(looks_wrong=wrong))
    with pytest.raises(ConflictError, match="changed since they were shown"):
        bulk(catalogue, "keep", wanted=wanted, shown=shown)


def test_suggestions_that_changed_matter_to_who_accepts_them_only(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    accept, keep = (preview(catalogue, EVERYTHING, action) for action in ("accept", "keep"))
    with write(catalogue.engine) as session:
        session.execute(update(LabelScore).values(suggestion="hat"))
    with pytest.raises(ConflictError, match="changed since they were shown"):
        bulk(catalogue, "accept", shown=accept)
    assert bulk(catalogue, "keep", shown=keep).products == 24


def test_another_action_than_the_previewed_one_is_refused(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    shown = preview(catalogue, EVERYTHING, "keep")
    with pytest.raises(ConflictError):
        bulk(catalogue, "not_product", shown=shown)
    with pytest.raises(UsageError, match="no decision 'eat'"):
        preview(catalogue, EVERYTHING, "eat")
    with pytest.raises(UsageError, match="is no category: choose from"):
        preview(catalogue, EVERYTHING, "relabel", HOSTILE)


def test_ten_clicks_on_a_bulk_change_are_one(catalogue: Catalogue, seeded: Seeded) -> None:
    shown = preview(catalogue, EVERYTHING, "relabel", "shoes")
    click = lambda: bulk(catalogue, "relabel", "shoes", shown=shown)  # noqa: E731
    assert len(set(together(*[click] * 10))) == 1
    assert len(made(catalogue)) == 24


def test_who_is_found_is_settled_before_the_first_is_decided(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """Twins are wanted while their labels differ: giving one of them another label ends that."""
    one, other = seeded.product_ids[-1], seeded.product_ids[-2]
    with write(catalogue.engine) as session:
        for product_id, twin in ((one, other), (other, one)):
            score = update(LabelScore).where(LabelScore.product_id == product_id)
            session.execute(score.values(twin_id=twin))
    labels = {standing(catalogue)[i][0] for i in (one, other)}
    assert len(labels) == 2
    done = bulk(catalogue, "relabel", min(labels), wanted=Filter("twins"))
    assert done.products == 2


def test_a_label_in_other_letters_is_kept_as_it_is_written(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """No database knows which spellings are one label."""
    ids, says = seeded.wrong_ids, suggested(catalogue)
    spelled = {ids[0]: says[ids[0]].upper(), ids[1]: f"  {says[ids[1]]}"}
    with write(catalogue.engine) as session:
        for product_id, label in spelled.items():
            product = update(Product).where(Product.id == product_id)
            session.execute(product.values(label_current=label))
            score = update(LabelScore).where(LabelScore.product_id == product_id)
            session.execute(score.values(label=label))
    shown = preview(catalogue, Filter("wrong"), "accept")
    done = bulk(catalogue, "accept", wanted=Filter("wrong"), shown=shown)
    after = standing(catalogue)
    for product_id in ids:
        kept = spelled.get(product_id)
        expected = (kept, "kept", 2) if kept else (says[product_id], "changed", 2)
        assert after[product_id] == expected
    actions = {row.product_id: row.action for row in made(catalogue)}
    assert actions == {i: "keep" if i in spelled else "accept" for i in ids}
    assert set(done.changes) == set(shown.changes)
    bulk(catalogue, "relabel", says[ids[0]], wanted=Filter("decided"), request_key="again")
    last = {row.product_id: (row.action, row.label_after) for row in made(catalogue)}
    assert last[ids[0]] == ("keep", spelled[ids[0]])


def test_decisions_of_a_bulk_change_are_as_if_made_one_by_one(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    unjudged = seeded.product_ids[-1]
    with write(catalogue.engine) as session:
        score = update(LabelScore).where(LabelScore.product_id == unjudged)
        session.execute(score.values(image_sha256="old"))
        products = {row.id: row for row in session.scalars(select(Product))}
        scores = {row.product_id: row for row in session.scalars(select(LabelScore))}
    done = bulk(catalogue, "not_product", reviewer=" Ana  B ")
    rows = made(catalogue)
    assert [row.product_id for row in rows] == sorted(products)
    for row in rows:
        product, said = products[row.product_id], scores[row.product_id]
        judged = row.product_id != unjudged
        assert (row.suggestion, row.score) == (
            (said.suggestion, said.score) if judged else (None, None)
        )
        assert (row.action, row.state_before, row.state_after) == (
            *("not_product", product.review_state),
            "not_product",
        )
        assert row.label_before == row.label_after == product.label_current
        assert (row.label_given, row.image_sha256) == (product.label_given, product.image_sha256)
        assert (row.reviewer, row.note, row.undoes_id) == ("Ana B", "", None)
        assert (row.batch_id, row.model_version_id) == (done.batch_id, seeded.model_id)
        assert row.request_key == f"batch-{done.batch_id}-{row.product_id}"
    assert len({row.decided_at for row in rows}) == 1
    assert done.decisions == (rows[0].id, rows[-1].id)


def test_of_many_that_are_left_alone_the_first_are_named(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    added = add_products(catalogue, LEFT_KEPT + 30)
    done = bulk(catalogue, "accept")
    assert [row.product_id for row in done.left] == added[:LEFT_KEPT]
    assert done.left_count == len(added)
    (stored,) = batching.batches(catalogue)
    assert stored.products == done.products == len(seeded.product_ids)
    assert bulk(catalogue, "accept") == done, "a second click is told the same"


def test_more_than_one_list_of_ids(catalogue: Catalogue, seeded: Seeded) -> None:
    added = add_products(catalogue, 1_300)
    wanted = Filter("all", search="BULK-")
    without = set(added[:600])
    done = bulk(catalogue, "relabel", "shoes", wanted=wanted, without=without)
    assert done.sentence == "700 products of hat: 700 → shoes."
    after = standing(catalogue)
    assert {after[i] for i in added[:600]} == {("hat", "open", 1)}
    assert {after[i] for i in added[600:]} == {("shoes", "changed", 2)}
    assert len({row.request_key for row in made(catalogue)}) == 700


def add_products(catalogue: Catalogue, count: int) -> list[int]:
    """Add products called BULK-0 and so on, hats of one photo."""
    with write(catalogue.engine, touches=("products",)) as session:
        like = session.get_one(Product, 1)
        same = {
            name: getattr(like, name)
            for name in ("image_path", "image_sha256", "stored_image", "thumbnail")
        }
        same |= {"label_given": "hat", "label_current": "hat"}
        same |= {"created_at": like.created_at, "updated_at": like.updated_at}
        rows = [same | {"sku": f"BULK-{number}"} for number in range(count)]
        found = insert(Product).returning(Product.id, sort_by_parameter_order=True)
        return list(session.scalars(found, rows))


def test_names_are_only_words(catalogue: Catalogue, seeded: Seeded) -> None:
    first = seeded.wrong_ids[0]
    with write(catalogue.engine) as session:
        session.execute(
            update(Product).where(Product.id == first).values(label_current=HOSTILE, sku="=1+1")
        )
    done = decide_sheet(
        catalogue, drawn(catalogue, first), set(), reviewer="'; DROP--", request_key="x" * 64
    )
    assert done.sentence == f"1 product of {HOSTILE}: 1 kept."
    assert batching.batches(catalogue)[0].reviewer == "'; DROP--"


def test_whoever_looked_at_the_products_lets_go_of_them(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with write(catalogue.engine) as session:
        like = session.get_one(Product, 1)
        for product_id in seeded.wrong_ids:
            session.add(
                Claim(product_id=product_id, holder="h", reviewer="Ben", until=like.created_at)
            )
    kept = seeded.wrong_ids[1:]
    decide_sheet(catalogue, drawn(catalogue, *kept), set(), reviewer="Ana", request_key="k")
    with read(catalogue.engine) as session:
        assert session.scalars(select(Claim.product_id)).all() == [seeded.wrong_ids[0]]


def test_after_so_many_decisions_labels_are_judged_anew(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queued() -> int:
        return [job.kind for job in jobs.list_jobs(catalogue)].count("assess")

    monkeypatch.setattr(deciding, "_LOOK_AGAIN", 10)
    ids = seeded.product_ids
    for start, expected in ((0, 0), (4, 0), (8, 1)):  # 1 + 4, 1 + 8, 1 + 12 decisions
        seen = drawn(catalogue, *ids[start : start + 4])
        decide_sheet(catalogue, seen, set(), reviewer="Ana", request_key=f"k{start}")
        assert queued() == expected


def test_what_was_reviewed_in_bulk_leaves_the_queue(catalogue: Catalogue, seeded: Seeded) -> None:
    bulk(catalogue, "keep", wanted=Filter("wrong"))
    assert review.review_queue(catalogue).total == 0
    assert review.progress(catalogue).decided == 6


def test_a_batch_is_one_line_of_the_log_where_it_happened(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    def sheet(*ids: int) -> None:
        key = f"sheet {ids}"
        decide_sheet(catalogue, drawn(catalogue, *ids), set(), reviewer="Ana", request_key=key)

    def one(product_id: int) -> None:
        (seen,) = drawn(catalogue, product_id)
        deciding.decide(
            *(catalogue, product_id, "keep"),
            reviewer="Ben",
            request_key=f"one {product_id}",
            seen_version=seen.version,
            seen_sha256=seen.image_sha256,
        )

    sheet(1, 2, 3)
    one(4)
    sheet(5, 6)
    one(8)
    lines = [getattr(view, "words", getattr(view, "sku", "")) for view in batching.log(catalogue)]
    assert lines[0] == "AB-008"
    assert lines[1].startswith("2 products")
    assert lines[2] == "AB-004"
    assert lines[3].startswith("3 products")
    assert len(lines) == 5  # and the one from before
    assert len(batching.log(catalogue, 2)) == 2
    (newest, oldest) = batching.batches(catalogue)
    first = batching.rows(catalogue, oldest.id, limit=2)
    assert [row.sku for row in first] == ["AB-001", "AB-002"]
    following = batching.rows(catalogue, oldest.id, after=first[-1].id, limit=2)
    assert [row.sku for row in following] == ["AB-003"]
    assert newest.products == 2


def test_nothing_half_done(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = standing(catalogue)

    def then_the_power_goes(*asked: Any) -> None:
        take_effect(*asked)
        raise RuntimeError("the power went")

    monkeypatch.setattr("db.commands.at_once.take_effect", then_the_power_goes)
    with pytest.raises(RuntimeError):
        bulk(catalogue, "keep")
    assert standing(catalogue) == before
    with read(catalogue.engine) as session:
        assert session.scalar(select(func.count()).select_from(Batch)) == 0


def test_one_in_fifty_of_a_sheet_is_shown_again_of_a_bulk_change_none(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rechecks, "ONE_IN", 1)
    ids = seeded.wrong_ids
    decide_sheet(catalogue, drawn(catalogue, *ids), set(), reviewer="Ana", request_key="sheet")
    bulk(catalogue, "keep", wanted=Filter("unknown"))
    with read(catalogue.engine) as session:
        chosen = session.scalars(
            select(Decision.product_id).join(Recheck, Recheck.decision_id == Decision.id)
        )
        assert sorted(chosen) == sorted(ids)
