"""Everything that can go wrong in words a merchandiser can act on.

    CatalogError                     exit code 1
    ├── UsageError                   2    a flag, setting or argument is wrong
    │   └── UnknownVersionError      2    no model of that name
    ├── SourceError                  65   the source of photos cannot be used at all
    │   └── UnfinishedSourceError    75   it is still being written: try again later
    ├── PhotoError                   –    one photo cannot be used; carries a code, the run goes on
    ├── TrainingDataError            65   the labels or photos cannot train a model
    ├── CheckpointError              65   weights or meta.json do not fit
    ├── WeightsError                 65   pretrained weights are missing or are none
    ├── NoModelError                 65   nothing to classify with yet
    ├── NothingToExportError         65   nothing has changed since the last file of changes
    ├── DatabaseError                74   the database cannot be used
    │   └── NewerSchemaError         74   written by a later version of this program
    ├── ConflictError                1    somebody else decided in between
    ├── BusyError                    75   another run holds the lock: try again later
    └── StoppedError                130   a signal asked to stop (143 for SIGTERM); all is kept

The message of each is one sentence that says what was wrong and what to do next. Entry points
print it to standard error and exit with `exit_code`; pages show it as it is.
"""


class CatalogError(Exception):
    """Base of every error that is an instruction to the user rather than a defect."""

    exit_code = 1


class UsageError(CatalogError):
    """A flag, a setting or an argument has a value that cannot be used."""

    exit_code = 2


class UnknownVersionError(UsageError):
    """A model version was named that the catalogue does not have."""


class SourceError(CatalogError):
    """The source of photos cannot be read at all."""

    exit_code = 65


class UnfinishedSourceError(SourceError):
    """The source of photos changed while it was read."""

    exit_code = 75


class PhotoError(CatalogError):
    """One photo cannot be used; `code` is stable and goes into reports."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class TrainingDataError(CatalogError):
    """The labels or the photos given cannot train a model."""

    exit_code = 65


class CheckpointError(CatalogError):
    """A checkpoint is missing, damaged, or belongs to another architecture or class list."""

    exit_code = 65


class WeightsError(CatalogError):
    """Pretrained weights are missing, damaged, or belong to another architecture."""

    exit_code = 65


class NoModelError(CatalogError):
    """There is no model to classify with."""

    exit_code = 65


class NothingToExportError(CatalogError):
    """A file of changes would be empty."""

    exit_code = 65


class DatabaseError(CatalogError):
    """The database cannot be opened, upgraded or written."""

    exit_code = 74


class NewerSchemaError(DatabaseError):
    """The database was written by a later version of this program."""


class ConflictError(CatalogError):
    """A product changed between being shown and being decided upon."""


class BusyError(CatalogError):
    """Another process holds the lock that this one needs."""

    exit_code = 75


class ProcessesError(CatalogError):
    """Processes that this one needs cannot be started."""

    exit_code = 75


class StoppedError(CatalogError):
    """A signal asked an ingest to stop; what was at hand is written, the next run carries on."""

    def __init__(self, signal_number: int, done: int, of: int) -> None:
        super().__init__(f"stopped after {done:,} of {of:,} products; the next run carries on")
        self.exit_code = 128 + signal_number
