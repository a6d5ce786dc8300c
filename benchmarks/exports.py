"""How long the files for other programs take, beside a plain loop over the same rows.

    python -m benchmarks.exports [--products 100000] [--server]

Fills a catalogue with made-up products, one in four of which looks wrong, accepts what is suggested
for all of these, and makes each file in each format: the change file, all decisions, the whole
catalogue, the list of a training folder, and everything on the desk with its sentences. The plain
loop reads objects and writes a row at a time, with `csv.writer`, `json.dumps`, or a table of
pyarrow made from dictionaries; both must come to the same bytes. Prints the seconds of both, and of
how many the processor worked, database server left out. `--server` does the same on a PostgreSQL.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from benchmarks.batches import fill
from benchmarks.databases import made_up
from catalog_ai.services import batching, change_rows, evidence
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.cells import NUMBER, arrow_type, harmless
from catalog_ai.services.export_rows import TABLES
from catalog_ai.services.review import Filter, Sort
from catalog_ai.services.table_files import FORMATS, Columns, Row, table_file
from catalog_ai.services.training_folder import LEFT_OUT, Places
from db.engine import read
from db.pieces import in_parts
from db.queries import decisions, models, review
from db.schema import Decision, LabelScore, Product

ALL, AS_USUAL = Filter("all"), Sort()
_AT_ONCE = 10_000  # rows in a part of a Parquet file
COLUMNS = {"changes": change_rows.COLUMNS} | {kind: one.columns for kind, one in TABLES.items()}


def rows(session: Session, kind: str) -> Iterator[Row]:
    """Return the rows as the product makes them."""
    if kind == "changes":
        return change_rows.rows(session, 0, decisions.last_id(session) or 0)
    return TABLES[kind].rows(session, ALL, AS_USUAL)


def plain_rows(session: Session, kind: str) -> Iterable[Row]:
    """Return the same rows from objects of the schema; those of changes are made one way only."""
    made: dict[str, Callable[[Session], Iterable[Row]]] = {
        "changes": lambda _: rows(session, kind),
        "decisions": _decisions,
        "products": _products,
        "training": _training,
        "queue": _queue,
    }
    return made[kind](session)


def _decisions(session: Session) -> Iterator[Row]:
    undo = aliased(Decision)
    query = (
        select(Decision, Product.sku, undo.id)
        .join(Product, Product.id == Decision.product_id)
        .outerjoin(undo, undo.undoes_id == Decision.id)
        .order_by(Decision.id.desc())
    )
    for one, sku, undone in session.execute(query.execution_options(yield_per=1_000)):
        yield (
            *(sku, one.label_after, one.suggestion, one.score, one.action, one.label_before),
            *(one.label_given, one.reviewer, one.decided_at, one.note, undone is not None),
            *(one.image_sha256, one.id),
        )


def _products(session: Session) -> Iterator[Row]:
    query = (
        select(Product, LabelScore)
        .outerjoin(LabelScore, review.fresh(_model(session)))
        .order_by(Product.id)
    )
    for one, score in session.execute(query.execution_options(yield_per=1_000)):
        yield (
            *(one.sku, one.label_current, score and score.suggestion, score and score.score),
            *(one.label_given, one.review_state, one.title, one.image_path, one.image_sha256),
            one.attributes,
        )


def _training(session: Session) -> Iterator[Row]:
    confirmed, places = set(decisions.confirmed(session)), Places()
    query = select(Product).where(Product.review_state.not_in(LEFT_OUT)).order_by(Product.id)
    for one in session.scalars(query.execution_options(yield_per=1_000)):
        path = places.of(str(one.label_current), one.sku, one.stored_image)
        known = one.id in confirmed
        yield path, one.label_current, one.sku, one.stored_image, one.image_sha256, known


def _queue(session: Session) -> Iterator[Row]:
    newest_first = select(Product.id).order_by(Product.id.desc())
    for part in in_parts(session.scalars(newest_first)):
        found = review.many(session, _model(session), part)
        around = evidence.look_alikes(session, found)
        for one in reversed(found):
            product, score = one.product, one.score
            seen = evidence.Seen(evidence.closest(score, around))
            values = ("suggestion", "score", "confidence", "agreement")
            yield (
                *(product.sku, product.label_current),
                *(getattr(score, name, None) for name in values),
                *(product.label_given, product.review_state, product.title, product.image_path),
                *(product.image_sha256, evidence.sentence(product, score, "all", seen)),
            )


def _model(session: Session) -> int:
    model = models.active(session)
    assert model is not None
    return model.id


def _csv(columns: Columns, wanted: Iterable[Row]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in wanted:
        writer.writerow(list(map(_cell, row, columns.values())))
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any, holds: str) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat()
    value = _value(value, holds)
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return harmless(value) if isinstance(value, str) else value


def _value(value: Any, holds: str) -> Any:
    return round(value, 4) if holds == NUMBER and value is not None else value


def _json(columns: Columns, wanted: Iterable[Row]) -> bytes:
    lines = []
    for row in wanted:
        values = dict(zip(columns, map(_value, row, columns.values()), strict=True))
        lines.append(json.dumps(values, ensure_ascii=False, default=datetime.isoformat))
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode() if lines else b"[]\n"


def _parquet(columns: Columns, wanted: Iterable[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, arrow_type(holds)) for name, holds in columns.items()])
    dictionaries = []
    for row in wanted:
        values = dict(zip(columns, map(_value, row, columns.values()), strict=True))
        if "attributes" in values:
            values["attributes"] = json.dumps(
                values["attributes"], ensure_ascii=False, sort_keys=True
            )
        dictionaries.append(values)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(dictionaries, schema), out, row_group_size=_AT_ONCE)
    return out.getvalue()


PLAIN = {"csv": _csv, "json": _json, "parquet": _parquet}


def quick_file(catalogue: Catalogue, kind: str, format: str) -> bytes:
    """Make a file as the product does."""
    with read(catalogue.engine) as session:
        return table_file(kind, COLUMNS[kind], rows(session, kind), format).data


def plain_file(catalogue: Catalogue, kind: str, format: str) -> bytes:
    """Write a file a row at a time."""
    with read(catalogue.engine) as session:
        return PLAIN[format](COLUMNS[kind], plain_rows(session, kind))


def measure(catalogue: Catalogue) -> None:
    """Make each file in each format, both ways, and print a line for each."""
    import pyarrow.parquet  # noqa: F401  # once, before anything is timed

    print(f"{'':20}{'file':>9}{'processor':>11}{'plain loop':>13}{'processor':>11}")
    for kind in COLUMNS:
        for format in FORMATS:
            ours, *seconds = _timed(quick_file, catalogue, kind, format)
            plain, *others = _timed(plain_file, catalogue, kind, format)
            numbers = "{:>7.2f} s{:>9.2f} s{:>11.2f} s{:>9.2f} s".format(*seconds, *others)
            same = "the same bytes" if ours == plain else "OTHER BYTES"
            print(f"{kind:10}{format:10}{numbers}   {len(ours) / 1e6:,.1f} MB, {same}", flush=True)


def _timed(
    make: Callable[[Catalogue, str, str], bytes], catalogue: Catalogue, kind: str, format: str
) -> tuple[bytes, float, float]:
    start, spent = perf_counter(), process_time()
    result = make(catalogue, kind, format)
    return result, perf_counter() - start, process_time() - spent


def _decided(catalogue: Catalogue, count: int) -> None:
    """Fill the catalogue, and accept what is suggested for all that looks wrong."""
    fill(catalogue, count)
    shown = batching.preview(catalogue, Filter(), "accept")
    batching.decide_all(
        *(catalogue, Filter(), "accept"), shown=shown, reviewer="Ana", request_key="all"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    with made_up(__doc__, arguments, _decided) as catalogue:
        measure(catalogue)


if __name__ == "__main__":
    main()
