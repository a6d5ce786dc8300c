"""What must be true of a catalogue at every moment, looked up with plain SQL."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pysqlite3.dbapi2 as sqlite

from catalog_ai.images import decode, resize_square
from db.vectors import to_blob
from tests.fakes import DIMENSION
from tests.reliability.stub import SIZE, vector_of

# Each query returns what breaks the rule.
RULES = {
    "a product without one prediction of its present photo": """
        SELECT sku FROM products p LEFT JOIN predictions o ON o.product_id = p.id
        GROUP BY p.id HAVING count(o.product_id) != 1 OR max(o.image_sha256) != p.image_sha256""",
    "a product without one embedding of its present photo": """
        SELECT sku FROM products p LEFT JOIN embeddings e ON e.product_id = p.id
        GROUP BY p.id HAVING count(e.product_id) != 1 OR max(e.image_sha256) != p.image_sha256""",
    "a product without the features of its present photo": """
        SELECT sku FROM products p LEFT JOIN features f ON f.product_id = p.id
        GROUP BY p.id HAVING count(f.product_id) != 1 OR max(f.image_sha256) != p.image_sha256""",
    "a SKU twice": "SELECT sku FROM products GROUP BY sku HAVING count(*) > 1",
    "an item 'added' without its product": """
        SELECT i.sku FROM run_items i LEFT JOIN products p
        ON p.id = i.product_id AND p.sku = i.sku AND p.added_run_id = i.run_id
        WHERE i.outcome = 'added' AND p.id IS NULL""",
    "a product without its one item 'added'": """
        SELECT p.sku FROM products p LEFT JOIN run_items i
        ON i.product_id = p.id AND i.outcome = 'added' GROUP BY p.id
        HAVING count(i.id) != 1 OR max(i.run_id) != p.added_run_id""",
    "an item 'updated' or 'retired' without its product": """
        SELECT i.sku FROM run_items i LEFT JOIN products p ON p.id = i.product_id AND p.sku = i.sku
        WHERE i.outcome IN ('updated', 'retired') AND p.id IS NULL""",
    "a change without its one item 'updated'": """
        SELECT p.sku FROM products p LEFT JOIN run_items i ON i.product_id = p.id
        AND i.run_id = p.changed_run_id AND i.outcome = 'updated'
        WHERE p.changed_run_id IS NOT NULL GROUP BY p.id HAVING count(i.id) != 1""",
    "a product hidden without its one item 'retired'": """
        SELECT p.sku FROM products p LEFT JOIN run_items i ON i.product_id = p.id
        AND i.run_id = p.retired_run_id AND i.outcome = 'retired'
        WHERE p.retired_run_id IS NOT NULL GROUP BY p.id HAVING count(i.id) != 1""",
    "a run that counts what it has not done": """
        SELECT r.id FROM runs r LEFT JOIN run_items i ON i.run_id = r.id GROUP BY r.id
        HAVING r.added != sum(coalesce(i.outcome = 'added', 0))
        OR r.quarantined != sum(coalesce(i.outcome = 'quarantined', 0))
        OR r.updated != sum(coalesce(i.outcome = 'updated', 0))
        OR r.retired != sum(coalesce(i.outcome = 'retired', 0))""",
    "two runs at once": """
        SELECT max(id) FROM runs WHERE state = 'running' GROUP BY state HAVING count(*) > 1""",
    "two active models": """
        SELECT max(id) FROM model_versions WHERE is_active GROUP BY is_active
        HAVING count(*) > 1""",
}


@dataclass(frozen=True)
class Kept:
    """What a catalogue holds: SKU → (sha256 of the photo, label as delivered).

    `shown` are those that are not retired; the last run ended as `last_run` and has `quarantined`
    these images, each for a reason with this code.
    """

    products: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()
    last_run: str = ""
    quarantined: dict[str, str] = field(default_factory=dict)


def check(home: Path, *, pixels: bool = True) -> Kept:
    """Return what the catalogue at `home` holds. Raises `AssertionError` for what must not be.

    With `pixels` the vectors must be those of the stored photos, as they are of small ones.
    """
    if not (home / "catalog.db").exists():
        return Kept()
    with closing(sqlite.connect(home / "catalog.db")) as database:
        ask = database.execute
        assert ask("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert ask("PRAGMA foreign_key_check").fetchall() == []
        if not ask("SELECT 1 FROM sqlite_master WHERE name = 'run_items'").fetchone():
            assert not ask("SELECT 1 FROM sqlite_master WHERE name = 'products'").fetchone()
            return Kept()
        for rule, query in RULES.items():
            broken = ask(query).fetchall()
            assert not broken, f"{rule}: {broken[:5]}"
        _check_files(database, home, pixels)
        rows = ask("SELECT sku, image_sha256, label_given, retired_run_id FROM products").fetchall()
        last = ask("SELECT state FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        refused = ask(
            "SELECT image, code FROM run_items WHERE outcome = 'quarantined'"
            " AND run_id = (SELECT max(id) FROM runs)"
        ).fetchall()
    return Kept(
        {sku: (digest, label) for sku, digest, label, _ in rows},
        frozenset(sku for sku, *_, retired in rows if retired is None),
        last[0] if last else "",
        dict(refused),
    )


def _check_files(database: sqlite.Connection, home: Path, compares: bool) -> None:
    """Every photo has its files, whole, and its vector is the one of these pixels."""
    names = "stored_image, thumbnail, vector, dimension"
    main = f"SELECT {names} FROM products JOIN embeddings ON product_id = id"
    further = "SELECT stored_image, thumbnail, NULL, NULL FROM product_photos"
    for stored, small, vector, dimension in database.execute(f"{main} UNION ALL {further}"):
        pixels = decode((home / stored).read_bytes())
        assert decode((home / small).read_bytes()).size
        if vector is not None and compares:
            assert dimension == DIMENSION
            assert vector == to_blob(vector_of(resize_square(pixels, SIZE))), stored
