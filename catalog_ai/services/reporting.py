"""What one ingest run brought: counted as it goes, stored with the run, given out as JSON."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from db.commands import runs as commands

_STORED = ("added", "updated", "unchanged", "second_look", "retired")
_COUNTED = (*_STORED, "looked_again")


@dataclass
class IngestReport:
    """What a run brought. Each of `quarantined` has an image, a code and a reason.

    `computed` counts the products that the model looked at, `looked_again` those of them whose
    photo the catalogue had: another model had seen it. `unknown_labels` are delivered labels that
    are no category of the model, with their counts. Of `seconds`, `loading_seconds` went by before
    the first photo. A dry run has the number 0 and is noted nowhere.
    """

    run_id: int
    model: str
    state: str = "running"
    seen: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    computed: int = 0
    looked_again: int = 0
    retired: int = 0
    quarantined: list[dict[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)
    unknown_labels: dict[str, int] = field(default_factory=dict)
    second_look: int = 0
    seconds: float = 0.0
    loading_seconds: float = 0.0
    images_per_second: float = 0.0
    message: str = ""

    @property
    def handled(self) -> int:
        """How many products are through, whatever became of them."""
        return self.added + self.updated + self.unchanged

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, under its stable keys."""
        return asdict(self)

    def count(self, outcome: str) -> None:
        """Count one product more as `added`, `updated` or `unchanged`."""
        setattr(self, outcome, getattr(self, outcome) + 1)

    def refuse(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Note what cannot be used."""
        names = ("image", "code", "reason")
        self.quarantined += [{name: item[name] for name in names} for item in items]

    @contextmanager
    def counted_if_kept(self) -> Iterator[None]:
        """Take back what was counted where writing it fails: then nothing of it is kept."""
        before, refused = [getattr(self, name) for name in _COUNTED], len(self.quarantined)
        try:
            yield
        except BaseException:
            for name, count in zip(_COUNTED, before, strict=True):
                setattr(self, name, count)
            del self.quarantined[refused:]
            raise

    def store_counts(self, session: Session) -> None:
        """Write the counts so far to the run's row."""
        commands.set_counts(
            session,
            self.run_id,
            seen=self.seen,
            quarantined=len(self.quarantined),
            missing=len(self.missing),
            unlisted=len(self.unlisted),
            **{name: getattr(self, name) for name in _STORED},
        )


def run_item(outcome: str, image: str, **columns: Any) -> dict[str, Any]:
    """Return a row of `run_items`, whole, so that many can be written at once."""
    return {
        "outcome": outcome,
        "image": image,
        "sku": "",
        "product_id": None,
        "code": "",
        "reason": "",
        "label_before": None,
        "label_after": None,
        "thumbnail": "",
    } | columns
