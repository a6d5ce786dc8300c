"""What can go wrong with the database, in words; `services` hands the sentence on to the user.

StorageError
├── SchemaTooNewError     written by a later version of the program
├── LockedError           another process kept the database for too long
└── VectorError           a vector that is not what the model's row says
"""


class StorageError(Exception):
    """The database cannot be opened, read or written."""


class SchemaTooNewError(StorageError):
    """The database knows migrations that this program does not."""


class LockedError(StorageError):
    """Another process held the database for longer than we wait."""


class VectorError(StorageError):
    """A stored vector has another dimension than asked for, or numbers that are none."""
