"""Look at the whole catalogue with another model, from the copies that are kept."""

from collections.abc import Iterator, Sequence

from catalog_ai.services.catalogue import Catalogue
from catalog_ai.services.classifying import Classifier, Progress
from catalog_ai.services.crew import Crew
from catalog_ai.services.preparing import Order, Prepared, Preparer
from db.commands import products as commands
from db.engine import read, write
from db.queries import products
from db.queries.products import ProductRow

_GROUP = 64  # products of one transaction


class Embedder:
    """Gives every product a prediction and a vector of its present photo under one model."""

    def __init__(self, catalogue: Catalogue, classifier: Classifier) -> None:
        self._catalogue = catalogue
        self._classifier = classifier
        # A model on trial changes nothing that other pages show, until all is there.
        self._touches = ("embeddings",) if classifier.row.is_active else ("trials",)

    def run(self, progress: Progress | None) -> int:
        """Return how many products were looked at; those whose copy is gone are left out."""
        settings = self._catalogue.settings
        side = self._classifier.preprocessing.square
        model = self._classifier.for_processes()
        preparer = Preparer(settings, settings.home, side, {}, keeps=False, model=model)
        with read(self._catalogue.engine) as session:
            total = products.count(session)
        done = 0
        with Crew(settings.workers, preparer) as crew:
            for group, found in crew.prepared(self._groups()):
                done += self._look(group, found)
                if progress is not None:
                    progress(min(1.0, done / max(1, total)), f"{done:,} of {total:,} photos")
        if done:
            with write(self._catalogue.engine, touches=("embeddings",)):
                pass
        return done

    def _groups(self) -> Iterator[tuple[list[ProductRow], list[Order]]]:
        home, last = self._catalogue.settings.home, 0
        while True:
            with read(self._catalogue.engine) as session:
                group = products.without_vector(
                    session,
                    self._classifier.row.id,
                    self._classifier.preprocessing.version,
                    after_id=last,
                    limit=_GROUP,
                )
            if not group:
                return
            yield group, [Order((str(home / product.stored_image),)) for product in group]
            last = group[-1].id

    def _look(self, group: Sequence[ProductRow], found: Sequence[Prepared]) -> int:
        # A copy may be encoded anew; what is stored must name the photo that the product has.
        digests = [product.image_sha256 for product in group]
        outputs = zip(group, self._classifier.outputs(found, digests), strict=True)
        said = {product.id: output for product, output in outputs if output is not None}
        with write(self._catalogue.engine, touches=self._touches) as session:
            row, version = self._classifier.row, self._classifier.preprocessing.version
            commands.store_outputs(session, row.id, version, said)
        return len(said)
