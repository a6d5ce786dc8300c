"""The corpus of odd and hostile photos, among good ones: each its verdict, all good ones in."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.corpus.photos import write_corpus
from tests.reliability.child import INGEST, Child
from tests.reliability.deliveries import deliver
from tests.reliability.invariants import check
from tests.reliability.scale import sized
from tests.reliability.stub import Stub


def test_every_odd_photo_gets_its_verdict_and_costs_no_other(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    expected = deliver(tmp_path / "in", range(sized(800, 32)))
    corpus = write_corpus(tmp_path / "in/odd")
    with (tmp_path / "in/manifest.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((path.name, f"odd/{path.name}", "hat") for path in corpus)
    child = Child(tmp_path / "home", INGEST, tmp_path / "in", stub=Stub(), workers=2)
    ended = child.end()
    assert ended.code == 0, ended
    kept = check(tmp_path / "home", pixels=False)
    refused = {f"odd/{path.name}": code for path, code in corpus.items() if code != "ok"}
    taken = {path.name for path, code in corpus.items() if code == "ok"}
    assert kept.quarantined == refused
    assert kept.products.keys() == taken | expected.keys()
    assert expected.items() <= kept.products.items()
    assert ended.errors == ""
    figure(
        f"corpus of {len(corpus)} odd photos among {len(expected)}: each its verdict "
        f"({len(taken)} in, {len(refused)} refused for {len(Counter(refused.values()))} reasons), "
        f"all {len(expected)} good ones in"
    )
