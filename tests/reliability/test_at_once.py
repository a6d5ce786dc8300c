"""An ingest, eight reviewers and eight readers at once; and eight reviewers over one product."""

import shutil
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import pytest
from sqlalchemy import func, select

from catalog_ai.config import settings
from catalog_ai.errors import ConflictError
from catalog_ai.services import review, runs
from catalog_ai.services.catalogue import Catalogue, open_catalogue, revision
from catalog_ai.services.deciding import decide
from db import engine as database
from db.engine import read
from db.queries import products
from db.schema import Decision, Product
from tests.fakes import CLASSES
from tests.reliability.child import INGEST, Child
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import FULL, sized, some_of
from tests.reliability.stub import Stub

REVIEWERS = READERS = 8
FILLED = sized(200, 64)  # products that are there before
THINKS = 0.15  # seconds between two looks of a reader, and on average between two decisions
Products = list[products.ProductRow]


@contextmanager
def opened(home: Path) -> Iterator[Catalogue]:
    """The catalogue at `home`, closed at the end."""
    catalogue = open_catalogue(settings(home=home))
    yield catalogue
    catalogue.engine.dispose()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a catalogue with `FILLED` products in it."""
    folder = tmp_path_factory.mktemp("original")
    deliver(folder / "in", range(FILLED))
    ended = Child(folder / "home", INGEST, folder / "in").end()
    assert ended.code == 0, ended
    return folder / "home"


@pytest.fixture
def filled(original: Path, tmp_path: Path) -> Path:
    """A copy of that catalogue."""
    return Path(shutil.copytree(original, tmp_path / "home"))


def present(catalogue: Catalogue) -> Products:
    with read(catalogue.engine) as session:
        return products.everything(session)


def decision(catalogue: Catalogue, row: products.ProductRow, name: str, key: str) -> str:
    """Decide about a product as it was seen; what is decided follows from the key."""
    number = zlib.crc32(key.encode())
    action = ("keep", "relabel", "not_product", "second_look")[number % 4]
    return decide(
        catalogue,
        row.id,
        action,
        label=CLASSES[number % len(CLASSES)] if action == "relabel" else None,
        reviewer=name,
        request_key=key,
        seen_version=row.version,
        seen_sha256=row.image_sha256,
    ).sentence


class Office:
    """Reviewers and readers at work on one catalogue; what they waited, and what went wrong."""

    def __init__(self, catalogue: Catalogue, ingest: Child, decisions: int) -> None:
        self._catalogue = catalogue
        self._ingest = ingest
        self._decisions = decisions
        self.closed = threading.Event()
        self.waits: list[float] = []  # seconds that each decision took while the ingest ran
        self.conflicts = 0
        self.looks = 0
        self.errors: list[BaseException] = []

    def review(self, number: int) -> None:
        """Decide about products at random, again where somebody else was quicker."""
        random = Random(number)
        seen: Products = present(self._catalogue)
        for count in range(self._decisions):
            if count % 20 == 0:
                seen = present(self._catalogue)
            self._decide(seen, random, f"Reviewer {number}", f"{number}.{count}")
            time.sleep(random.uniform(0, 2 * THINKS))

    def _decide(self, seen: Products, random: Random, name: str, key: str) -> None:
        place = random.randrange(len(seen))
        while True:
            start = time.perf_counter()
            try:
                decision(self._catalogue, seen[place], name, key)
                return
            except ConflictError:
                self.conflicts += 1
                with read(self._catalogue.engine) as session:
                    found = products.by_id(session, seen[place].id)
                assert found is not None
                seen[place] = found
            finally:
                if self._ingest.runs:
                    self.waits.append(time.perf_counter() - start)

    def look(self, number: int) -> None:
        """Read what the pages read, until the office closes."""
        pages = (
            lambda: review.review_queue(self._catalogue),
            lambda: runs.list_runs(self._catalogue),
            lambda: revision(self._catalogue, "products", "labels"),
            lambda: review.review_queue(self._catalogue, review.Filter("second_look")),
        )
        while not self.closed.wait(THINKS):
            pages[number % len(pages)]()
            self.looks += 1
            number += 1

    def guarded(self, act: Callable[[int], None], number: int) -> None:
        """Do something, and keep what goes wrong."""
        try:
            act(number)
        except BaseException as error:
            self.errors.append(error)


def rebuilt(catalogue: Catalogue) -> dict[int, tuple[str | None, str, int]]:
    """Return product id → (label, state, version) as the log of decisions alone says.

    Each decision must begin where the one before it ended.
    """
    with read(catalogue.engine) as session:
        rows = session.scalars(select(Product)).all()
        state = {row.id: (row.label_given, "open", 1) for row in rows}
        for made in session.scalars(select(Decision).order_by(Decision.id)):
            label, before, version = state[made.product_id]
            assert (made.label_before, made.state_before) == (label, before)
            state[made.product_id] = (made.label_after, made.state_after, version + 1)
    return state


def tables(catalogue: Catalogue) -> dict[int, tuple[str | None, str, int]]:
    """Return product id → (label, state, version) as the products' own rows say."""
    rows = present(catalogue)
    return {row.id: (row.label_current, row.review_state, row.version) for row in rows}


@pytest.mark.parametrize("rollback_journal", some_of([False, True], 0))
def test_an_ingest_reviewers_and_readers_at_once(
    filled: Path,
    rollback_journal: bool,
    figure: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start, decisions, photos = time.monotonic(), sized(100, 8), sized(1000, 128)
    if rollback_journal:
        monkeypatch.setattr(database, "wal_is_safe", lambda *_: False)
    deliver(filled.parent / "in", range(FILLED + photos))
    stub = Stub(str(filled), rollback_journal=rollback_journal, pause=sized(0.6, 0.4))
    child = Child(filled, INGEST, filled.parent / "in", stub=stub, workers=1).ready()
    child.wait_until(lambda: bool(stub.computed))
    with opened(filled) as catalogue:
        office = Office(catalogue, child, decisions)
        with ThreadPoolExecutor(REVIEWERS + READERS) as people:
            for number in range(READERS):
                people.submit(office.guarded, office.look, number)
            at_work = [people.submit(office.guarded, office.review, n) for n in range(REVIEWERS)]
            for person in at_work:
                person.result()
            office.closed.set()
        ended = child.end()
        assert office.errors == []
        assert (ended.code, ended.errors) == (0, "")
        given = REVIEWERS * decisions
        assert _stored(catalogue) == {
            (f"{n}.{k}"): 1 for n in range(REVIEWERS) for k in range(decisions)
        }
        assert rebuilt(catalogue) == tables(catalogue)
    assert check(filled).last_run == "done"
    assert sum(stub.computed) == photos
    assert len(office.waits) > given / 2
    p95 = float(np.percentile(office.waits, 95))
    # A rollback journal, the makeshift for an old SQLite, makes a writer wait for readers.
    assert p95 < (0.25 if FULL and not rollback_journal else 2.0)
    assert office.looks > READERS
    journal = "rollback journal" if rollback_journal else "WAL"
    figure(
        f"ingest of {photos:,} beside {REVIEWERS} × {decisions} decisions and {READERS} readers, "
        f"{journal}: 0 'database is locked', {given} decisions stored, wait for a write p50 "
        f"{1000 * np.median(office.waits):.0f} ms, p95 {1000 * p95:.0f} ms, longest "
        f"{1000 * max(office.waits):.0f} ms; {office.conflicts} told of a conflict, {office.looks} "
        f"pages read, {len(office.waits)} of the waits while the ingest ran; state rebuilt from "
        f"the log = tables; {time.monotonic() - start:.0f} s"
    )


def _stored(catalogue: Catalogue) -> Counter[str]:
    with read(catalogue.engine) as session:
        return Counter(session.scalars(select(Decision.request_key)))


def test_one_of_eight_reviewers_wins_and_the_others_are_told(
    filled: Path, figure: Callable[[str], None]
) -> None:
    start, items = time.monotonic(), sized(500, 20)
    together = threading.Barrier(REVIEWERS, timeout=60)
    with opened(filled) as catalogue:
        seen = present(catalogue)

        def contest(reviewer: int) -> list[str]:
            said = []
            for item in range(items):
                row = seen[item % len(seen)]
                together.wait()
                if item % len(seen) == 0 and item:
                    refresh(reviewer)
                row = seen[item % len(seen)]
                try:
                    decision(catalogue, row, f"Reviewer {reviewer}", f"{item}.{reviewer}")
                    said.append("")
                except ConflictError as error:
                    said.append(str(error))
            return said

        def refresh(reviewer: int) -> None:
            """Look at all products again, once they were all contested."""
            if reviewer == 0:
                seen[:] = present(catalogue)
            together.wait()

        with ThreadPoolExecutor(REVIEWERS) as people:
            told = list(people.map(contest, range(REVIEWERS)))
        for item in range(items):
            answers = [said[item] for said in told]
            winner = f"Reviewer {answers.index('')}"
            assert answers.count("") == 1, answers
            assert all(winner in answer for answer in answers if answer), answers
        assert sum(_stored(catalogue).values()) == items
        assert rebuilt(catalogue) == tables(catalogue)
    figure(
        f"{REVIEWERS} reviewers over each of {items} products: one winner each, "
        f"{items * (REVIEWERS - 1):,} others told who decided what; "
        f"{time.monotonic() - start:.0f} s"
    )


def test_ten_clicks_are_one_decision(filled: Path, figure: Callable[[str], None]) -> None:
    with opened(filled) as catalogue:
        row = present(catalogue)[0]
        with ThreadPoolExecutor(10) as clicks:
            said = list(clicks.map(lambda _: decision(catalogue, row, "Ana", "one key"), range(10)))
        assert len(set(said)) == 1
        with read(catalogue.engine) as session:
            assert session.scalar(select(func.count()).select_from(Decision)) == 1
    figure("ten clicks at once with one key: one decision, ten times the same answer")
