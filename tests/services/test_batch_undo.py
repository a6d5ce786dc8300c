"""Taking many decisions back at once: what still stands, by anyone, and what is left alone."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import insert, select, text, update

from catalog_ai.errors import ConflictError, UsageError
from catalog_ai.services import batch_undo, batching, deciding, review
from catalog_ai.services.batching import (
    Outcome,
    Seen,
    decide_all,
    decide_sheet,
    preview,
    preview_undo,
    undo_batch,
)
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.renaming import rename
from catalog_ai.services.review import Filter
from db.engine import read, write
from db.schema import Decision, Export, Product
from tests.helpers import Seeded


def standing(catalogue: Catalogue) -> dict[int, tuple[str | None, str]]:
    with read(catalogue.engine) as session:
        rows = session.execute(select(Product.id, Product.label_current, Product.review_state))
        return {row[0]: (row[1], row[2]) for row in rows}


def drawn(catalogue: Catalogue, *ids: int) -> list[Seen]:
    with read(catalogue.engine) as session:
        rows = session.scalars(select(Product).where(Product.id.in_(ids)).order_by(Product.id))
        return [Seen(row.id, row.version, row.image_sha256) for row in rows]


def decisions_of(catalogue: Catalogue, batch_id: int | None) -> list[Decision]:
    with read(catalogue.engine) as session:
        query = select(Decision).where(Decision.batch_id == batch_id).order_by(Decision.id)
        return list(session.scalars(query))


@pytest.fixture
def before(catalogue: Catalogue, seeded: Seeded) -> dict[int, tuple[str | None, str]]:
    """How products stand before the batch."""
    return standing(catalogue)


@pytest.fixture
def batch(catalogue: Catalogue, seeded: Seeded, before: object) -> int:
    """A sheet of all that looks wrong: two accepted, four kept."""
    seen = drawn(catalogue, *seeded.wrong_ids)
    done = decide_sheet(
        catalogue, seen, set(seeded.wrong_ids[:2]), reviewer="Ana", request_key="sheet"
    )
    assert done.batch_id is not None
    return done.batch_id


def undo(catalogue: Catalogue, batch_id: int, key: str = "undo") -> Outcome:
    return undo_batch(catalogue, batch_id, reviewer="Ben", request_key=key)


def test_undo_restores_all_of_it(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    foretold = preview_undo(catalogue, batch)
    done = undo(catalogue, batch)
    assert standing(catalogue) == before
    assert (foretold.products, foretold.left, foretold.changes) == (6, (), done.changes)
    assert {(c.after, c.state) for c in done.changes} == {
        before[product_id] for product_id in seeded.wrong_ids
    }
    made = decisions_of(catalogue, batch)
    taken_back = decisions_of(catalogue, done.batch_id)
    assert [row.undoes_id for row in taken_back] == [row.id for row in made]
    assert {(row.action, row.reviewer) for row in taken_back} == {("undo", "Ben")}
    newest, oldest = batching.batches(catalogue)
    assert (newest.kind, newest.can_undo, oldest.undone_by) == ("undo", False, "Ben")
    assert newest.words == f"Undone: {oldest.words}"
    assert done.sentence == f"{newest.words}."
    assert all(row.undone for row in batching.rows(catalogue, batch))


def test_after_an_undo_the_queue_is_what_it_was(
    catalogue: Catalogue, seeded: Seeded, batch: int
) -> None:
    assert review.review_queue(catalogue).total == 0
    undo(catalogue, batch)
    items = review.review_queue(catalogue).items
    assert tuple(item.product_id for item in items) == seeded.wrong_ids


def test_what_was_taken_back_on_its_own_is_left_alone(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    single = decisions_of(catalogue, batch)[1]
    deciding.undo(catalogue, single.id, reviewer="Cleo", request_key="single")
    assert standing(catalogue)[single.product_id] == before[single.product_id]
    foretold, done = preview_undo(catalogue, batch), undo(catalogue, batch)
    assert standing(catalogue) == before
    assert foretold.left == done.left
    assert [(row.product_id, row.sku) for row in done.left] == [(single.product_id, "AB-002")]
    assert done.left[0].reason == "Cleo took this one back already."
    assert done.sentence.endswith(". 1 product left as it was.")
    assert (done.products, len(decisions_of(catalogue, done.batch_id))) == (5, 5)


def test_what_happened_since_stands(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    decided, relabelled, photographed = seeded.wrong_ids[:3]
    (seen,) = drawn(catalogue, decided)
    deciding.decide(
        *(catalogue, decided, "relabel"),
        label="shoes",
        reviewer="Cleo",
        request_key="cleo",
        seen_version=seen.version,
        seen_sha256=seen.image_sha256,
    )
    with write(catalogue.engine) as session:
        product = update(Product)
        session.execute(
            product.where(Product.id == relabelled).values(
                label_given="hat", label_current="hat", review_state="second_look"
            )
        )
        session.execute(product.where(Product.id == photographed).values(image_sha256="new"))
    now = standing(catalogue)
    done = undo(catalogue, batch)
    after = standing(catalogue)
    for product_id in (decided, relabelled, photographed):
        assert after[product_id] == now[product_id]
    for product_id in seeded.wrong_ids[3:]:
        assert after[product_id] == before[product_id]
    reasons = {row.product_id: row.reason for row in done.left}
    assert reasons[decided] == "Cleo chose shoes just now."
    assert reasons[relabelled] == reasons[photographed]
    assert reasons[relabelled] == "Another label or photo was delivered since."


def test_one_out_of_a_batch_can_be_undone_by_anyone(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    (first, *_) = batching.rows(catalogue, batch)
    undone = deciding.undo(catalogue, first.id, reviewer="Ben", request_key="one")
    assert undone.sentence == f"Undone: AB-001 is {before[first.product_id][0]} again."
    assert standing(catalogue)[first.product_id] == before[first.product_id]


def test_after_an_export_it_can_be_undone_as_well(
    catalogue: Catalogue, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    last = decisions_of(catalogue, batch)[-1]
    with write(catalogue.engine) as session:
        session.add(
            Export(
                **{"kind": "changes", "format": "csv", "file_name": "x.csv", "rows": 6},
                sha256="0" * 64,
                last_decision_id=last.id,
                created_at=last.decided_at,
            )
        )
    undo(catalogue, batch)
    assert standing(catalogue) == before


def test_what_cannot_be_undone_is_said(catalogue: Catalogue, seeded: Seeded, batch: int) -> None:
    done = undo(catalogue, batch)
    assert done.batch_id is not None
    with pytest.raises(ConflictError, match="Ben took this back already: nothing is left to undo"):
        undo(catalogue, batch, "again")
    for asked in (preview_undo, lambda catalogue, number: undo(catalogue, number, "x")):
        with pytest.raises(UsageError, match="cannot be undone again"):
            asked(catalogue, done.batch_id)
        with pytest.raises(UsageError, match="no batch number 999"):
            asked(catalogue, 999)
    with pytest.raises(UsageError, match="type your name"):
        undo_batch(catalogue, batch, reviewer="", request_key="y")


def test_where_nothing_stands_nothing_is_stored(
    catalogue: Catalogue, seeded: Seeded, batch: int
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(Product).values(image_sha256="new"))
    done = undo(catalogue, batch)
    assert (done.batch_id, done.products, done.left_count) == (None, 0, 6)
    assert done.sentence == "Nothing was changed: 6 products left as they were."
    assert len(batching.batches(catalogue)) == 1


def test_ten_clicks_on_undo_are_one(
    catalogue: Catalogue, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    together = Barrier(10)

    def click(_: int) -> Outcome:
        together.wait()
        return undo(catalogue, batch)

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(click, range(10)))) == 1
    assert standing(catalogue) == before
    assert len(batching.batches(catalogue)) == 2


def test_undo_of_more_than_one_list_of_ids(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]]
) -> None:
    with write(catalogue.engine) as session:
        like = session.get_one(Product, 1)
        names = ("image_path", "image_sha256", "stored_image", "thumbnail")
        same = {name: getattr(like, name) for name in (*names, "created_at", "updated_at")}
        same |= {"label_given": "hat", "label_current": "hat"}
        session.execute(insert(Product), [same | {"sku": f"BULK-{n}"} for n in range(1_200)])
    start, wanted = standing(catalogue), Filter("all", search="BULK-")
    shown = preview(catalogue, wanted, "relabel", "shoes")
    done = decide_all(
        *(catalogue, wanted, "relabel", "shoes"), shown=shown, reviewer="Ana", request_key="k"
    )
    assert done.batch_id is not None
    if catalogue.engine.dialect.name == "postgresql":
        with read(catalogue.engine) as session:
            counted = session.scalar(
                text("SELECT reltuples FROM pg_class WHERE relname = 'decisions'")
            )
        assert counted >= 1_200, "or it compares each row with all others, for minutes"
    rows = decisions_of(catalogue, done.batch_id)
    for row in (rows[0], rows[700], rows[1_199]):
        deciding.undo(catalogue, row.id, reviewer="Ana", request_key=f"one {row.id}")
    undone = undo(catalogue, done.batch_id)
    assert (undone.products, undone.left_count) == (1_197, 3)
    assert standing(catalogue) == start


def test_of_many_that_cannot_be_undone_the_first_are_told(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    """A later batch about the same products: all of it stands, and says who made it."""
    wanted = Filter("all")
    batches = []
    for action, name in (("keep", "Ana"), ("second_look", "Cleo"), ("not_product", "Dan")):
        shown = preview(catalogue, wanted, action)
        done = decide_all(
            *(catalogue, wanted, action), shown=shown, reviewer=name, request_key=action
        )
        batches.append(done.batch_id or 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_undo, "LEFT_KEPT", 5)
        foretold = preview_undo(catalogue, batches[1])
    assert (len(foretold.left), foretold.left_count) == (5, 24)
    assert {row.reason for row in foretold.left} == {
        "Dan marked it as not a product photo just now."
    }
    before = standing(catalogue)
    assert undo(catalogue, batches[1]).batch_id is None
    assert standing(catalogue) == before
    undo(catalogue, batches[2], "last")
    assert undo(catalogue, batches[1], "now it is the last").products == 24
    assert {state for _, state in standing(catalogue).values()} == {"kept"}


def test_the_feeds_label_in_other_letters_is_no_other_label(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    first, second = seeded.wrong_ids[:2]
    with write(catalogue.engine) as session:
        label = session.get_one(Product, first).label_given or ""
        for product_id, given in ((first, f" {label.upper()} "), (second, "parka")):
            product = update(Product).where(Product.id == product_id)
            session.execute(product.values(label_given=given))
    done = undo(catalogue, batch)
    assert [row.product_id for row in done.left] == [second]
    assert standing(catalogue)[first] == before[first]


def test_undoing_a_renaming_gives_the_name_back(
    catalogue: Catalogue, seeded: Seeded, before: dict[int, tuple[str | None, str]]
) -> None:
    done = rename(catalogue, ["hat"], "cap", reviewer="Ana", request_key="r")
    assert "cap" in review.categories(catalogue)
    undo(catalogue, done.batch_id)
    assert standing(catalogue) == before
    assert "hat" in review.categories(catalogue)
    assert "cap" not in review.categories(catalogue)


def test_what_else_goes_with_it_happens_in_the_same_transaction(
    catalogue: Catalogue, before: dict[int, tuple[str | None, str]], batch: int
) -> None:
    now = standing(catalogue)

    def also(*_: object) -> None:
        raise ConflictError("somebody renamed it since")

    with pytest.raises(ConflictError, match="renamed it since"):
        undo_batch(catalogue, batch, reviewer="Ben", request_key="k", also=also)
    assert standing(catalogue) == now
    assert len(batching.batches(catalogue)) == 1
