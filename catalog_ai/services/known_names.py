"""Which SKUs the catalogue has given to photos of folders: a delivery must not change them."""

from collections.abc import Mapping

from catalog_ai.data.sources import KnownNames, Named, name_of
from catalog_ai.services.catalogue import Catalogue
from db.engine import read
from db.queries import names as queries


def known_names(catalogue: Catalogue) -> KnownNames:
    """Return what tells a reader of folders which products came before (`delivery.naming`).

    Most names of files are there once, and the catalogue has no longer SKU of them: of those
    nothing is asked, however large the delivery is.
    """

    def tell(names: Mapping[str, int]) -> list[Named]:
        with read(catalogue.engine) as session:
            longer = [sku for sku in queries.skus_with_folders(session) if name_of(sku) in names]
            plain = {name for name, photos in names.items() if photos > 1} | set(
                map(name_of, longer)
            )
            rows = queries.by_skus(session, [*longer, *sorted(plain)])
        return [Named(row.sku, row.image_path, row.in_the_feed) for row in rows]

    return tell
