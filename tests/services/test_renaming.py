import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import DatabaseError

from catalog_ai.data.sources import NO_LABEL_WORDS
from catalog_ai.errors import CatalogError, ConflictError, UsageError
from catalog_ai.services import categories, jobs, renaming, review
from catalog_ai.services.assessing import assess
from catalog_ai.services.batching import undo_batch
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.deciding import decide
from catalog_ai.services.ingest import ingest
from catalog_ai.services.recording import Recorder
from catalog_ai.services.renaming import Renamed, forget_renaming, preview, rename
from catalog_ai.services.training import register
from db.commands import categories as commands
from db.engine import read, write
from db.queries import categories as queries
from db.queries import decisions as decision_queries
from db.schema import Assessment, Batch, Decision, LabelScore, Product, Run
from tests.helpers import CLASSES, Seeded, fake_model, seed_catalogue, write_photo

COLOURS = ("#8c3b4a", "#3b5b8c", "#4a7a54", "#8c7a3b")
Row = tuple[str | None, str | None, str, int]


def rows(catalogue: Catalogue) -> dict[int, Row]:
    columns = (Product.label_given, Product.label_current, Product.review_state, Product.version)
    with read(catalogue.engine) as session:
        return {
            number: tuple(row) for number, *row in session.execute(select(Product.id, *columns))
        }


def carrying(catalogue: Catalogue, label: str) -> set[int]:
    return {number for number, (_, current, *_) in rows(catalogue).items() if current == label}


def change(catalogue: Catalogue, ids: Sequence[int], **values: object) -> None:
    with write(catalogue.engine, touches=("labels",)) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(**values))


def decisions(catalogue: Catalogue, batch_id: int) -> dict[int, Decision]:
    with read(catalogue.engine) as session:
        found = session.scalars(select(Decision).where(Decision.batch_id == batch_id)).all()
    assert len({row.product_id for row in found}) == len(found)
    return {row.product_id: row for row in found}


def done(catalogue: Catalogue, old: str | Sequence[str], new: str, key: str = "") -> Renamed:
    sources = [old] if isinstance(old, str) else old
    return rename(catalogue, sources, new, reviewer="Ana", request_key=key or f"{old}>{new}")


def put_back(catalogue: Catalogue, batch_id: int) -> None:
    """Undo as a batch's undo does: its products that are as it left them, and its names."""
    with write(catalogue.engine, touches=("labels", "scores")) as session:
        batch = session.get_one(Batch, batch_id)
        for row in session.scalars(select(Decision).where(Decision.batch_id == batch_id)):
            product = session.get_one(Product, row.product_id)
            if product.label_current == row.label_after:
                product.label_current = row.label_before
        session.flush()
        forget_renaming(session, batch)


def test_a_renaming_is_seen_before_it_is_done(catalogue: Catalogue, seeded: Seeded) -> None:
    hats = carrying(catalogue, "hat")
    change(catalogue, sorted(hats)[:1], review_state="kept")
    before = rows(catalogue)
    seen = preview(catalogue, ["Hat"], " Head  wear ")
    assert (seen.sources, seen.to, seen.products) == (("hat",), "Head wear", len(hats))
    assert (seen.confirmed, seen.joins) == (1, False)
    assert seen.by_state["kept"] == 1 and sum(seen.by_state.values()) == len(hats)
    assert len(seen.examples) == len(hats) and all(path.exists() for path in seen.examples)
    assert seen.sentence == (
        f"{len(hats)} products would become “Head wear”. "
        "A delivery that says “hat” is taken as “Head wear” from then on."
    )
    assert rows(catalogue) == before
    merged = preview(catalogue, ["Polo"], "T-SHIRT")
    assert (merged.to, merged.joins) == ("t-shirt", True)
    assert "“t-shirt” has 4 products already: the two become one." in merged.sentence


def test_all_products_follow_and_no_review_is_made(catalogue: Catalogue, seeded: Seeded) -> None:
    hats = sorted(carrying(catalogue, "hat"))
    for number, state in zip(hats, ("kept", "changed", "not_product"), strict=False):
        change(catalogue, [number], review_state=state)
    with write(catalogue.engine) as session:  # a retired one may come back
        session.get_one(Product, hats[-1]).retired_run_id = session.scalars(select(Run.id)).one()
    before, counters = rows(catalogue), revision(catalogue, "labels", "scores")
    made = done(catalogue, "hat", "Cap")
    assert made.sentence == f"“hat” is “Cap” now: {len(hats)} products."
    found = decisions(catalogue, made.batch_id)
    assert sorted(found) == hats
    for number, row in rows(catalogue).items():
        given, _, state, version = before[number]
        if number not in found:
            assert row == before[number]
            continue
        assert row == (given, "Cap", state, version + 1)
        decision = found[number]
        assert (decision.label_before, decision.label_after, decision.label_given) == (
            *("hat", "Cap"),
            given,
        )
        assert decision.state_before == decision.state_after == state
        assert (decision.action, decision.reviewer, decision.score) == ("relabel", "Ana", None)
    with read(catalogue.engine) as session:
        batch = session.scalars(select(Batch)).one()
    assert (batch.kind, batch.products, batch.reviewer) == ("rename", len(hats), "Ana")
    assert batch.words == f"{len(hats)} products: hat → Cap"
    assert batch.parameters["from"] == ["hat"] and batch.parameters["to"] == "Cap"
    assert all(
        a > b for a, b in zip(revision(catalogue, "labels", "scores"), counters, strict=True)
    )
    assert [job.kind for job in jobs.list_jobs(catalogue)] == ["assess"]


def test_what_was_confirmed_is_confirmed_under_the_new_name(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    hats = sorted(carrying(catalogue, "hat"))
    change(catalogue, hats[:1], review_state="kept")
    done(catalogue, "hat", "Cap")
    with read(catalogue.engine) as session:
        assert decision_queries.confirmed(session) == hats[:1]


def test_a_renaming_is_nobodys_review(catalogue: Catalogue, seeded: Seeded) -> None:
    """Why a product waits, who kept it, and how many were decided today stay what they were."""
    hats = sorted(carrying(catalogue, "hat"))
    settle(catalogue, hats[0], "hat")
    before = [review.product_item(catalogue, n) for n in (hats[0], seeded.second_look_id)]
    today = review.progress(catalogue).today
    midnight = datetime.now(UTC)
    labels = {item.label for item in before if item}
    done(catalogue, sorted(label for label in labels if label), "Cap")
    after = [review.product_item(catalogue, n) for n in (hats[0], seeded.second_look_id)]
    assert [item.evidence for item in after if item] == [i.evidence for i in before if i]
    assert [item.label for item in after if item] == ["Cap", "Cap"]
    assert review.progress(catalogue).today == today
    assert review.progress(catalogue, since=midnight).today == 0


def test_the_models_own_class_is_known_and_suggested_under_the_new_name(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    before = review.review_queue(catalogue).items
    done(catalogue, "hat", "Cap")
    now = tuple("Cap" if name == "hat" else name for name in CLASSES)
    assert set(review.categories(catalogue)) == set(now)
    after = review.review_queue(catalogue).items
    assert [item.product_id for item in after] == [item.product_id for item in before]
    for then, item in zip(before, after, strict=True):
        renamed = {"hat": "Cap"}
        assert item.label == renamed.get(then.label or "", then.label)
        assert item.suggestion == renamed.get(then.suggestion, then.suggestion)
        assert item.candidates[0].label == item.suggestion
        assert "hat" not in [candidate.label for candidate in item.candidates]
    with read(catalogue.engine) as session:
        assert tuple(session.scalars(select(Assessment)).one().classes) == now
    assess(catalogue)
    with read(catalogue.engine) as session:
        assert set(session.scalars(select(Assessment)).one().classes) == set(now)


def test_two_that_are_merged_no_longer_doubt_each_other(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    pair = review.pairs(catalogue)[0]
    wrong = review.progress(catalogue).by_queue["wrong"]
    done(catalogue, pair.label, pair.suggestion)
    assert review.progress(catalogue).by_queue["wrong"] == wrong - pair.count
    for item in review.review_queue(catalogue).items:
        names = [candidate.label for candidate in item.candidates]
        assert len(names) == len(set(names)) and pair.label not in names
        assert sum(candidate.probability for candidate in item.candidates) == pytest.approx(1)


def test_an_unknown_label_is_merged_in_one_go(catalogue: Catalogue, seeded: Seeded) -> None:
    done(catalogue, "Polo", "t-shirt")
    item = review.product_item(catalogue, seeded.unknown_ids[0])
    assert item is not None
    assert (item.label, item.label_given, item.reason) == ("t-shirt", "Polo", "")
    assert categories.overview(catalogue).few == ()


def test_several_are_merged_into_one(catalogue: Catalogue, seeded: Seeded) -> None:
    total = len(carrying(catalogue, "hat") | carrying(catalogue, "shoes"))
    made = done(catalogue, ["hat", "shoes", "HAT"], "Accessories")
    assert made.sentence == f"“hat” and “shoes” are “Accessories” now: {total} products."
    assert len(carrying(catalogue, "Accessories")) == total
    assert "hat" not in review.categories(catalogue)


def test_capitals_alone_can_be_changed(catalogue: Catalogue, seeded: Seeded) -> None:
    total = len(carrying(catalogue, "t-shirt"))
    made = done(catalogue, "t-shirt", "T-Shirt")
    assert len(carrying(catalogue, "T-Shirt")) == total
    assert "T-Shirt" in review.categories(catalogue)
    with read(catalogue.engine) as session:
        assert categories.aliases(session) == {}
    put_back(catalogue, made.batch_id)
    assert review.categories(catalogue) == CLASSES
    assert len(carrying(catalogue, "t-shirt")) == total


def test_chains_end_where_the_last_one_led(catalogue: Catalogue, seeded: Seeded) -> None:
    first = done(catalogue, "hat", "Cap")
    second = done(catalogue, "Cap", "Headgear")
    with read(catalogue.engine) as session:
        assert categories.aliases(session) == {"hat": "Headgear", "cap": "Headgear"}
    with pytest.raises(ConflictError, match="“Cap” was renamed to “Headgear” since: undo that"):
        put_back(catalogue, first.batch_id)
    put_back(catalogue, second.batch_id)
    with read(catalogue.engine) as session:
        assert categories.aliases(session) == {"hat": "Cap"}
    put_back(catalogue, first.batch_id)
    assert review.categories(catalogue) == CLASSES


def test_a_name_may_come_back_and_no_circle_is_made(catalogue: Catalogue, seeded: Seeded) -> None:
    done(catalogue, "hat", "Cap")
    back = done(catalogue, "Cap", "hat")
    with read(catalogue.engine) as session:
        assert categories.aliases(session) == {"cap": "hat"}
    assert review.categories(catalogue) == CLASSES
    with pytest.raises(ConflictError, match="“Cap” was given up for “hat”"):
        done(catalogue, "dress", "Cap")
    put_back(catalogue, back.batch_id)
    with read(catalogue.engine) as session:
        assert categories.aliases(session) == {"hat": "Cap"}


def test_an_undo_puts_names_labels_and_late_deliveries_back(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    before = {number: row[:3] for number, row in rows(catalogue).items()}
    names = review.categories(catalogue)
    made = done(catalogue, ["hat", "Polo"], "Cap")
    late, decided, own = sorted(carrying(catalogue, "dress") | carrying(catalogue, "pants"))[:3]
    change(catalogue, [late, decided], label_given="POLO", label_current="Cap")
    change(catalogue, [decided], review_state="kept")
    change(catalogue, [own], label_given="Cap", label_current="Cap")
    put_back(catalogue, made.batch_id)
    assert review.categories(catalogue) == names
    after = {number: row[:3] for number, row in rows(catalogue).items()}
    assert after.pop(late) == ("POLO", "Polo", "open")
    assert after.pop(decided) == ("POLO", "Cap", "kept")
    assert after.pop(own) == ("Cap", "Cap", "open")
    assert after == {number: row for number, row in before.items() if number in after}


def test_after_an_undo_the_queue_speaks_the_old_names(catalogue: Catalogue, seeded: Seeded) -> None:
    before = review.review_queue(catalogue).items
    put_back(catalogue, done(catalogue, "hat", "Cap").batch_id)
    after = review.review_queue(catalogue).items
    assert [(i.label, i.suggestion, i.score) for i in after] == [
        (i.label, i.suggestion, i.score) for i in before
    ]


def test_ten_clicks_are_one_renaming(catalogue: Catalogue, seeded: Seeded) -> None:
    made = {done(catalogue, "hat", "Cap", "one key") for _ in range(10)}
    assert len(made) == 1
    with read(catalogue.engine) as session:
        assert session.scalar(select(func.count()).select_from(Batch)) == 1


def test_of_two_people_one_wins_and_the_other_is_told(catalogue: Catalogue, seeded: Seeded) -> None:
    said: list[str] = []
    barrier = threading.Barrier(6)

    def go(number: int) -> None:
        barrier.wait()
        try:
            name, key = f"Cap {number}", f"key {number}"
            rename(catalogue, ["hat"], name, reviewer=f"P{number}", request_key=key)
            said.append("")
        except ConflictError as error:
            said.append(str(error))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [words for words in said if words]
    assert len(said) == 6 and len(told) == 5
    with read(catalogue.engine) as session:
        batch = session.scalars(select(Batch)).one()
    to = batch.parameters["to"]
    expected = f"{batch.reviewer} renamed “hat” to “{to}” in between: reload the page"
    assert set(told) == {expected}
    assert len(decisions(catalogue, batch.id)) == len(carrying(catalogue, to)) > 0


def test_a_given_up_name_that_came_back_goes_the_same_way(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    done(catalogue, "Polo", "t-shirt")
    change(catalogue, [seeded.product_ids[-1]], label_current="polo")
    with pytest.raises(ConflictError):
        done(catalogue, "Polo", "hat")
    assert done(catalogue, "polo", "t-shirt", "again").products == 1
    assert carrying(catalogue, "polo") == set()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("hat", "", "type a name first"),
        ("hat", "hat", "is its name already"),
        ("hat", "Not Sure", "there is no category"),
        ("hat", "x" * 300, "255 plain letters"),
        ("sofa", "Couch", "there is no category “sofa”: reload"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    catalogue: Catalogue, seeded: Seeded, old: str, new: str, why: str
) -> None:
    before = rows(catalogue)
    for ask in (lambda: preview(catalogue, [old], new), lambda: done(catalogue, old, new)):
        with pytest.raises(UsageError, match=why):
            ask()
    assert rows(catalogue) == before
    assert "not sure" in NO_LABEL_WORDS


def test_a_renaming_that_fails_half_way_leaves_nothing(
    catalogue: Catalogue, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise CatalogError("the power went")

    before = rows(catalogue)
    monkeypatch.setattr(commands, "rename_in_scores", broken)
    with pytest.raises(CatalogError, match="power"):
        done(catalogue, "hat", "Cap")
    assert rows(catalogue) == before
    with read(catalogue.engine) as session:
        assert queries.all_rows(session) == [] and queries.renamings(session, 5) == []


def test_the_rows_of_a_renaming_cannot_be_altered(catalogue: Catalogue, seeded: Seeded) -> None:
    made = done(catalogue, "hat", "Cap")
    with pytest.raises(DatabaseError, match="append-only"), write(catalogue.engine) as session:
        session.execute(update(Decision).values(label_after="x"))
    assert decisions(catalogue, made.batch_id)


def test_many_spellings_and_many_products(catalogue: Catalogue) -> None:
    """More spellings than one list of a query holds."""
    seeded = seed_catalogue(catalogue, n=40)
    with write(catalogue.engine) as session:
        original = session.get_one(Product, seeded.product_ids[-1])
        names = [c.key for c in Product.__mapper__.column_attrs if c.key not in {"id", "sku"}]
        values = {name: getattr(original, name) for name in names}
        for number in range(620):
            odd = "so" + " " * (number % 25 + 1) + "fa" + " " * (number // 25)
            copy = values | {"label_given": odd, "label_current": odd}
            session.add(Product(sku=f"S-{number}", **copy))
    assert preview(catalogue, ["SO FA"], "Sofa").products == 620
    made = done(catalogue, "SO FA", "Sofa")
    assert made.products == len(decisions(catalogue, made.batch_id)) == 620
    assert len(carrying(catalogue, "Sofa")) == 620


def test_past_renamings_are_listed(catalogue: Catalogue, seeded: Seeded) -> None:
    done(catalogue, "hat", "Cap")
    made = done(catalogue, "Polo", "t-shirt")
    found = renaming.renamings(catalogue)
    assert [row.words for row in found] == [
        "1 product: Polo → t-shirt",
        f"{len(carrying(catalogue, 'Cap'))} products: hat → Cap",
    ]
    assert (found[0].batch_id, found[0].reviewer, found[0].undone) == (made.batch_id, "Ana", False)


def test_scores_follow_exactly(catalogue: Catalogue, seeded: Seeded) -> None:
    with read(catalogue.engine) as session:
        before = {
            row.product_id: (row.label, row.suggestion)
            for row in session.scalars(select(LabelScore))
        }
    done(catalogue, "hat", "Cap")
    with read(catalogue.engine) as session:
        for row in session.scalars(select(LabelScore)):
            label, suggestion = before[row.product_id]
            names = {"hat": "Cap"}
            assert row.label == names.get(label or "", label)
            assert row.suggestion == names.get(suggestion, suggestion)


def test_what_assessments_say_is_renamed_as_a_loop_would(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    names, words, expected = {"hat", "Polo"}, ("hat", "Polo", "Cap", "shoes"), {}
    with write(catalogue.engine) as session:
        for number, row in enumerate(session.scalars(select(LabelScore))):
            row.label, row.suggestion = words[number % 4], words[number // 4 % 4]
            row.looks_wrong, row.known_label = number % 3 > 0, number % 5 > 0
            label, suggestion = ("Cap" if n in names else n for n in (row.label, row.suggestion))
            wrong = row.looks_wrong and not label == suggestion == "Cap"
            known = row.known_label or label == "Cap"
            expected[row.product_id] = (label, suggestion, wrong, known)
    with write(catalogue.engine) as session:
        commands.rename_in_scores(session, names, "Cap")
    with read(catalogue.engine) as session:
        assert expected == {
            row.product_id: (row.label, row.suggestion, row.looks_wrong, row.known_label)
            for row in session.scalars(select(LabelScore))
        }


def test_a_batchs_undo_puts_labels_and_names_back_at_once(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    hats = sorted(carrying(catalogue, "hat"))
    change(catalogue, hats[:1], review_state="kept")
    before = {number: row[:3] for number, row in rows(catalogue).items()}
    made = done(catalogue, ["hat", "Polo"], "Cap")
    settled = settle(catalogue, hats[1], "shoes")
    change(catalogue, hats[2:3], image_sha256="f" * 64)
    undone = undo_batch(catalogue, made.batch_id, reviewer="Bo", request_key="u")
    assert [left.product_id for left in undone.left] == hats[1:3]
    assert undone.products == len(hats) - 1
    after = {number: row[:3] for number, row in rows(catalogue).items()}
    assert after.pop(hats[1])[1] == settled
    assert after.pop(hats[2])[1] == "Cap", "it was left alone, and told so"
    assert after == {number: row for number, row in before.items() if number not in hats[1:3]}
    assert review.categories(catalogue) == CLASSES
    assert renaming.renamings(catalogue)[0].undone
    with pytest.raises(ConflictError, match="Bo took this back already"):
        undo_batch(catalogue, made.batch_id, reviewer="Ana", request_key="v")


def test_an_undo_that_a_later_renaming_forbids_changes_nothing(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    first = done(catalogue, "hat", "Cap")
    done(catalogue, "Cap", "Headgear")
    before = rows(catalogue)
    with pytest.raises(ConflictError, match="undo that first"):
        undo_batch(catalogue, first.batch_id, reviewer="Bo", request_key="u")
    assert rows(catalogue) == before
    assert not any(row.undone for row in renaming.renamings(catalogue))


def settle(catalogue: Catalogue, product_id: int, label: str) -> str:
    item = review.product_item(catalogue, product_id)
    assert item is not None
    decide(
        *(catalogue, product_id, "relabel"),
        label=label,
        reviewer="Ben",
        request_key=f"settle-{product_id}",
        seen_version=item.version,
        seen_sha256=item.image_sha256,
    )
    return label


def deliver(catalogue: Catalogue, folder: Path, **labels: str) -> None:
    """Take in a photo for each SKU; a name that is no folder's is a column of the manifest."""
    lines = ["sku,image,label"]
    for number, (sku, label) in enumerate(labels.items()):
        write_photo(folder / "images" / f"{sku}.jpg", COLOURS[number % 4], (60, 80 + number))
        lines.append(f"{sku},images/{sku}.jpg,{label}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    ingest(catalogue, folder)


@pytest.fixture
def stocked(catalogue: Catalogue, tmp_path: Path) -> Catalogue:
    """Three products under an untrained model, one of which somebody has kept."""
    register(catalogue, fake_model(catalogue.settings.models, "v1"), activate=True)
    deliver(catalogue, tmp_path / "feed", a="Polo", b="Polo", c="hat")
    settle(catalogue, 3, "hat")
    return catalogue


def labels(catalogue: Catalogue) -> dict[str, tuple[str | None, str | None, str]]:
    with read(catalogue.engine) as session:
        return {
            product.sku: (product.label_given, product.label_current, product.review_state)
            for product in session.scalars(select(Product))
        }


def test_the_next_delivery_is_understood(stocked: Catalogue, tmp_path: Path) -> None:
    done(stocked, "Polo", "t-shirt")
    done(stocked, "hat", "Cap")
    deliver(stocked, tmp_path / "feed", a="Polo", b="POLO", c="hat", d="polo", e="Hat", f="cap")
    assert labels(stocked) == {
        "a": ("Polo", "t-shirt", "open"),
        "b": ("Polo", "t-shirt", "open"),
        "c": ("hat", "Cap", "kept"),
        "d": ("polo", "t-shirt", "open"),
        "e": ("Hat", "Cap", "open"),
        "f": ("cap", "Cap", "open"),
    }
    assert run_counts(stocked) == (3, 0), "what was there is as it was"
    deliver(stocked, tmp_path / "feed", a="hat", b="Polo", c="CAP", d="polo", e="Hat", f="cap")
    assert labels(stocked)["a"] == ("hat", "Cap", "open")
    assert labels(stocked)["c"] == ("CAP", "Cap", "kept"), "it says what was decided"
    deliver(stocked, tmp_path / "feed", a="hat", b="Polo", c="Hat", d="polo", e="Hat", f="cap")
    assert labels(stocked)["c"] == ("Hat", "Cap", "kept"), "in other words, but still"


def run_counts(catalogue: Catalogue) -> tuple[int, int]:
    with read(catalogue.engine) as session:
        run = session.scalars(select(Run).order_by(Run.id.desc())).first()
        assert run is not None
        return run.added, run.updated


def test_names_that_were_given_up_are_no_unknown_categories(
    stocked: Catalogue, tmp_path: Path
) -> None:
    done(stocked, "Polo", "t-shirt")
    folder = tmp_path / "feed"
    (folder / "manifest.csv").write_text(
        "sku,image,label\na,images/a.jpg,POLO\nb,images/b.jpg,Sofa\nc,images/c.jpg,hat"
    )
    assert ingest(stocked, folder).unknown_labels == {"Sofa": 1}


def test_a_renaming_in_the_middle_of_a_delivery_holds_for_what_follows(
    stocked: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The photos were looked at under the old names; what is written goes by the new ones."""
    write_group = Recorder.write

    def write(self: Recorder, *group: Any) -> None:
        if not renaming.renamings(stocked):
            done(stocked, "Polo", "t-shirt")
        write_group(self, *group)

    monkeypatch.setattr(Recorder, "write", write)
    deliver(stocked, tmp_path / "feed", a="Polo", b="Polo", c="hat", d="Polo")
    assert {row[1] for row in labels(stocked).values()} == {"t-shirt", "hat"}
