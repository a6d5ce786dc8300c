"""Products that left the feed are hidden, never deleted; they come back when it has them again."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from catalog_ai.data.delivery.intended import intended_skus, of_any_product, refused_places
from catalog_ai.data.delivery.walk import stem
from catalog_ai.data.sources import Source
from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.reporting import IngestReport, run_item
from catalog_ai.services.wishes import Wishes
from db.commands import products as commands
from db.commands import runs as run_commands
from db.engine import read, write
from db.queries import products

_AT_ONCE = 500  # products


def retire_missing(
    catalogue: Catalogue, source: Source, report: IngestReport, wishes: Wishes
) -> None:
    """Hide what `source` no longer has, and say so in `report`.

    A delivery that lacks half of the catalogue is more likely cut short than meant: then nothing is
    hidden, unless `wishes` say "any". A row or a folder that cannot be read may hold any product:
    then nothing is hidden at all. What was delivered and refused is not gone.
    """
    if unread := of_any_product(source):
        report.message = _unread_sentence(unread)
        return
    delivered, refused = intended_skus(source), refused_places(source)
    gone = [
        (number, sku)
        for number, sku, image in _in_the_feed(catalogue)
        if sku not in delivered and stem(image) not in refused
    ]
    with read(catalogue.engine) as session:
        total = products.count(session)
    if wishes.retire_missing != "any" and 2 * len(gone) > total:
        report.message = (
            f"{len(gone):,} of {total:,} products are not in this delivery, more than half: none "
            "was hidden; if that is right, run it again with --retire-missing any"
        )
        return
    if wishes.dry_run:
        report.retired = len(gone)
        return
    for start in range(0, len(gone), _AT_ONCE):
        part = gone[start : start + _AT_ONCE]
        topics = ("runs", "products", "labels")
        with report.counted_if_kept(), write(catalogue.engine, touches=topics) as session:
            ids = [number for number, _ in part]
            commands.retire(session, ids, report.run_id, datetime.now(UTC))
            items = [run_item("retired", "", sku=sku, product_id=number) for number, sku in part]
            run_commands.add_items(session, report.run_id, items)
            report.retired += len(part)
            report.store_counts(session)


def _unread_sentence(unread: Mapping[str, int]) -> str:
    said = [f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in unread.items()]
    return (
        f"{' and '.join(said)} cannot be read, so no product was hidden: repair what could not be "
        "used, then run it again"
    )


def _in_the_feed(catalogue: Catalogue) -> Iterator[tuple[int, str, str]]:
    last = 0
    while True:
        with read(catalogue.engine) as session:
            rows = products.in_the_feed_by_id(session, after_id=last)
        if not rows:
            return
        yield from rows
        last = rows[-1][0]
