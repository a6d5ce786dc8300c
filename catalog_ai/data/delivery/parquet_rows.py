"""Rows of a Parquet manifest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from catalog_ai.data.delivery.cells import Row, cells_of, column_name
from catalog_ai.errors import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2_000  # rows
_NOT_TEXT = "\udcff"  # what stands for bytes that are no text, as in `files`


class ParquetRows:
    """The rows of a Parquet file, read batch by batch; `columns` are its names.

    A row is "row N", from 1. Raises `SourceError` where the file cannot be opened.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        import pyarrow.parquet as pq

        try:
            self._file = pq.ParquetFile(file, memory_map=False, pre_buffer=False)
            titles = list(self._file.schema_arrow.names)
        except _errors() as error:
            raise SourceError(
                f"{name} is no whole Parquet file ({_first_line(error)}): deliver it again"
            ) from error
        self.columns = [column_name(title) for title in titles]
        doubled = {title for title in self.columns if title and self.columns.count(title) > 1}
        if doubled:
            named = ", ".join(map(repr, sorted(doubled)))
            raise SourceError(f"{name} has the column {named} twice: rename one of the two")

    def __iter__(self) -> Iterator[Row]:
        done = 0
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH, use_threads=False):
                texts = [_texts(column) for column in batch.columns]
                for values in zip(*texts, strict=True):
                    done += 1
                    yield f"row {done}", cells_of(zip(self.columns, values, strict=True))
        except _errors() as error:
            wrong = f"the file is damaged from here on ({_first_line(error)})"
            yield f"row {done + 1}", wrong


def _texts(column: "pa.Array") -> list[Any]:
    """Return a column as text, None where there is none; lists and structs as Python's."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_finite(column), column, None)
        if pa.types.is_primitive(column.type) or pa.types.is_decimal(column.type):
            column = pc.cast(column, pa.string())
        return list(column.to_pylist())
    except _errors():
        return [_alone(value) for value in column]


def _alone(value: "pa.Scalar") -> Any:
    """Return one value of a column in which another is damaged."""
    try:
        return value.as_py()
    except _errors():
        return _NOT_TEXT


def _errors() -> tuple[type[Exception], ...]:
    """Return whatever pyarrow raises for bytes that are no Parquet."""
    import pyarrow as pa

    return (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, RecursionError)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["damaged"])[0][:200]
