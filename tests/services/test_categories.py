from collections import Counter
from collections.abc import Sequence

import pytest
from sqlalchemy import select, update

from catalog_ai.errors import UsageError
from catalog_ai.services import categories, jobs, review
from catalog_ai.services.assessing import assess
from catalog_ai.services.catalogue import Catalogue, revision
from catalog_ai.services.categories import CategoryView, FewView, Names
from db.commands import categories as commands
from db.engine import read, write
from db.queries import categories as queries
from db.queries import models
from db.schema import Assessment, Category, LabelScore, ModelVersion, Prediction, Product, Run
from db.vectors import from_blob
from tests.helpers import CLASSES, Seeded, seed_catalogue


def change(catalogue: Catalogue, ids: Sequence[int], **values: object) -> None:
    with write(catalogue.engine, touches=("labels",)) as session:
        session.execute(update(Product).where(Product.id.in_(ids)).values(**values))


def names(catalogue: Catalogue) -> Names:
    with read(catalogue.engine) as session:
        return categories.known(session, models.active(session))


def view(catalogue: Catalogue, name: str) -> CategoryView:
    return next(row for row in categories.overview(catalogue).categories if row.name == name)


def give_up(catalogue: Catalogue, *pairs: tuple[str, str]) -> None:
    with write(catalogue.engine) as session:
        now = session.get_one(Product, 1).created_at
        for old, new in pairs:
            commands.put(session, old.title(), old, new, "Ana", now)


@pytest.fixture
def wide(catalogue: Catalogue) -> Seeded:
    return seed_catalogue(catalogue, n=140, flagged=6)


def test_a_label_is_a_category_once_twenty_products_of_the_feed_carry_it(
    catalogue: Catalogue, wide: Seeded
) -> None:
    ids = wide.product_ids[20:40]
    change(catalogue, ids[:19], label_current="Sofa")
    assert review.categories(catalogue) == CLASSES
    change(catalogue, ids[19:], label_current=" SOFA")  # another spelling of the same
    assert names(catalogue).names == (*CLASSES, "Sofa")
    with write(catalogue.engine) as session:
        run = session.scalars(select(Run)).one()
        session.get_one(Product, ids[0]).retired_run_id = run.id
    assert review.categories(catalogue) == CLASSES, "one is no longer delivered"


def test_words_that_say_no_label_are_never_categories(catalogue: Catalogue, wide: Seeded) -> None:
    change(catalogue, wide.product_ids[20:60], label_current="Not sure")
    assert review.categories(catalogue) == CLASSES
    with pytest.raises(UsageError, match="says that there is no category"):
        categories.add(catalogue, " not  Sure", reviewer="Ana")


def test_a_label_that_somebody_chose_stays_one_under_another_model(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    change(catalogue, seeded.product_ids[-1:], label_current="gown", review_state="changed")
    change(catalogue, seeded.product_ids[-2:-1], label_current="robe", review_state="kept")
    assert names(catalogue).names == (*CLASSES, "gown")


def test_what_was_given_up_means_what_is_in_its_place(catalogue: Catalogue, seeded: Seeded) -> None:
    give_up(catalogue, ("hat", "cap"), ("cap", "headgear"), ("beanie", "hat"))
    found = names(catalogue)
    assert found.names == tuple("headgear" if name == "hat" else name for name in CLASSES)
    assert found.aliases == dict.fromkeys(("hat", "cap", "beanie"), "headgear")
    assert [found.of(word) for word in ("HAT", " Beanie", "headgear", "sofa", None)] == [
        *("headgear", "headgear", "headgear", None, None)
    ]


def test_a_circle_ends(catalogue: Catalogue, seeded: Seeded) -> None:
    give_up(catalogue, ("a", "b"), ("b", "a"))
    assert set(names(catalogue).aliases) == {"a", "b"}


def test_adding_makes_a_category_that_can_be_chosen_at_once(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    before = revision(catalogue, "labels", "scores")
    polo = seeded.unknown_ids[0]
    assert review.product_item(catalogue, polo).reason == "unknown"  # type: ignore[union-attr]
    for _ in range(2):
        said = categories.add(catalogue, "  Polo ", reviewer=" Ana  B. ")
        assert said == "Polo is a category now."
    assert review.categories(catalogue) == tuple(sorted((*CLASSES, "Polo"), key=str.casefold))
    assert review.product_item(catalogue, polo).reason == ""  # type: ignore[union-attr]
    assert (view(catalogue, "Polo").products, view(catalogue, "Polo").added_by) == (1, "Ana B.")
    assert [job.kind for job in jobs.list_jobs(catalogue)] == ["assess"]
    assert all(
        now > then
        for now, then in zip(revision(catalogue, "labels", "scores"), before, strict=True)
    )


@pytest.mark.parametrize("name", ["", "  ", "x" * 256, "a\x00b"])
def test_what_is_no_name_is_refused(catalogue: Catalogue, seeded: Seeded, name: str) -> None:
    with pytest.raises(UsageError):
        categories.add(catalogue, name, reviewer="Ana")


def test_a_name_is_taken_once(catalogue: Catalogue, seeded: Seeded) -> None:
    give_up(catalogue, ("tee", "t-shirt"))
    with pytest.raises(UsageError, match="there is a category “hat” already"):
        categories.add(catalogue, "HAT", reviewer="Ana")
    with pytest.raises(UsageError, match="given up for “t-shirt”"):
        categories.add(catalogue, "Tee", reviewer="Ana")
    with pytest.raises(UsageError, match="type your name first"):
        categories.add(catalogue, "Sofa", reviewer=" ")


def test_only_an_empty_category_that_somebody_added_can_be_removed(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    categories.add(catalogue, "Sofa", reviewer="Ana")
    assert categories.remove(catalogue, "sofa", reviewer="Bo") == "sofa is no category any more."
    assert review.categories(catalogue) == CLASSES
    categories.add(catalogue, "Polo", reviewer="Ana")
    give_up(catalogue, ("tee", "gown"), ("top", "hat"))
    with write(catalogue.engine) as session:
        now = session.get_one(Product, 1).created_at
        commands.put(session, "Gown", "gown", None, "Ana", now)
        commands.put(session, "Hat", "hat", None, "Ana", now)
    for name, why in {
        "Polo": "has 1 products: merge it",
        "Sofa": "nobody added",
        "dress": "nobody added",
        "Hat": "the model knows",
        "Tee": "nobody added",
        "gown": "other names mean",
    }.items():
        with pytest.raises(UsageError, match=why):
            categories.remove(catalogue, name, reviewer="Ana")


def test_the_overview_counts(catalogue: Catalogue, seeded: Seeded) -> None:
    first = seeded.wrong_ids[0]
    with read(catalogue.engine) as session:
        label = session.get_one(Product, first).label_current or ""
        carried = session.query(Product).filter_by(label_current=label).count()
        wrong = (
            session.query(Product)
            .filter(Product.label_current == label, Product.id.in_(seeded.wrong_ids))
            .count()
        )
    assert view(catalogue, label) == CategoryView(label, carried, 0, wrong, "", True)
    change(catalogue, [first], review_state="kept", version=2)
    assert view(catalogue, label) == CategoryView(label, carried, 1, wrong - 1, "", True)
    assert sum(row.products for row in categories.overview(catalogue).categories) == 22


def test_labels_of_few_products_come_with_what_they_look_like(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    with read(catalogue.engine) as session:
        like = session.get_one(LabelScore, (seeded.unknown_ids[0], seeded.model_id)).suggestion
    assert categories.overview(catalogue).few == (FewView("Polo", 1, like),)
    give_up(catalogue, ("polo", "hat"))
    assert categories.overview(catalogue).few == (FewView("Polo", 1, "hat"),)


def test_an_empty_catalogue_has_no_categories(catalogue: Catalogue) -> None:
    assert categories.overview(catalogue) == categories.Overview((), ())


def test_a_merchants_own_categories_are_judged_and_suggested(catalogue: Catalogue) -> None:
    """The model's dresses and hats are this merchant's gowns and caps; one is labelled wrongly."""
    seed_catalogue(catalogue, n=175)
    with write(catalogue.engine) as session:
        for product in session.scalars(select(Product)):
            kind = product.title.split()[1]
            if kind in {"dress", "hat"}:
                product.label_current = {"dress": "Gown", "hat": "Cap"}[kind]
        wrong = next(p for p in session.scalars(select(Product)) if p.title.split()[1] == "dress")
        wrong.label_current = "Cap"
        wrong_id = wrong.id
    assess(catalogue)
    with read(catalogue.engine) as session:
        assessment = session.scalars(select(Assessment)).one()
        found = {row.product_id: row for row in session.scalars(select(LabelScore))}
        labels = {p.id: p.label_current for p in session.scalars(select(Product))}
    assert assessment.classes == [*CLASSES, "Cap", "Gown"]
    assert (found[wrong_id].looks_wrong, found[wrong_id].suggestion) == (True, "Gown")
    own = [row for key, row in found.items() if labels[key] in {"Gown", "Cap"} and key != wrong_id]
    assert len(own) > 35 and all(row.known_label for row in own)
    assert not any(row.looks_wrong for row in own)


def test_where_nothing_can_be_judged_the_model_speaks_of_what_its_classes_mean_now(
    catalogue: Catalogue, seeded: Seeded
) -> None:
    change(catalogue, seeded.product_ids, label_current=None)
    give_up(catalogue, ("dress", "hat"), ("shoes", "Footwear"))
    assess(catalogue)
    kept = ["hat", *(name for name in CLASSES if name not in {"dress", "hat", "shoes"})]
    with read(catalogue.engine) as session:
        classes = session.scalars(select(Assessment)).one().classes
        assert set(classes) == {*kept, "Footwear"}
        for own in session.scalars(select(Prediction)):
            shares = dict(zip(CLASSES, from_blob(own.probabilities, 7), strict=True))
            row = session.get_one(LabelScore, (own.product_id, own.model_version_id))
            said = dict(zip(classes, from_blob(row.probabilities, len(classes)), strict=True))
            assert said["Footwear"] == pytest.approx(shares["shoes"])
            assert said["hat"] == pytest.approx(shares["hat"] + shares["dress"], abs=1e-6)


def test_a_model_without_classes_takes_those_of_the_feed(
    catalogue: Catalogue, wide: Seeded
) -> None:
    with write(catalogue.engine) as session:
        session.execute(update(ModelVersion).values(classes=[]))
    assert "Polo" in review.categories(catalogue)
    assess(catalogue)
    with read(catalogue.engine) as session:
        assert session.scalars(select(Assessment)).one().classes == list(CLASSES)


def test_rows_are_unique_by_name(catalogue: Catalogue, seeded: Seeded) -> None:
    categories.add(catalogue, "Sofa", reviewer="Ana")
    give_up(catalogue, ("sofa", "couch"))
    with read(catalogue.engine) as session:
        assert [(r.name, r.renamed_to) for r in queries.all_rows(session)] == [("Sofa", "couch")]
        assert session.query(Category).count() == 1


def test_marks_of_labels_are_counts_that_stop_early(catalogue: Catalogue, seeded: Seeded) -> None:
    with write(catalogue.engine) as session:
        for number, product in enumerate(session.scalars(select(Product).order_by(Product.id))):
            product.label_current = (None, "a", "b", "b", "B ", "éa")[number % 6]
            product.review_state = "changed" if number == 2 else "open"
            product.retired_run_id = seeded.run_id if number % 6 == 5 else None
    with read(catalogue.engine) as session:
        counts = queries.label_counts(session)
        marks = queries.label_marks(session, 3)
    whole = Counter[str]()
    for count in counts:
        whole[count.label] += count.products
    expected = {(label, "open", min(3, number)) for label, number in whole.items() if number}
    expected |= {(row.label, "changed", 1) for row in counts if row.state == "changed"}
    assert {(mark.label, mark.state, mark.products) for mark in marks} == expected
    assert {label for label, *_ in expected} == {"a", "b", "B "}
