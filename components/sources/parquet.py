"""Parquet files as ibis tables, read by the engine itself."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.core.wording import listed
from ciclo.components.tables.reading import TIME

MAGIC = b"PAR1"
_OWN = "file_row_number"  # the engine's own column
_INDEX = re.compile(r"__index_level_[0-9]+__")


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file whose footer was found sound.

    Attributes:
        path: The file.
        name: What messages call it.
        schema: Its columns.
        rows: Number of its rows.
    """

    path: Path
    name: str
    schema: pa.Schema
    rows: int

    @classmethod
    def open(cls, path: Path, name: str) -> "ParquetFile":
        """Read the footer of a file.

        Raises:
            DataError: If it is not a Parquet file, or a column has no name, or that of another one or of the reader.
        """
        try:
            metadata = pq.read_metadata(path)
            schema = metadata.schema.to_arrow_schema()
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{name} is not a Parquet file, or damaged", seen=str(error).split("\n")[0]) from error
        if not schema.names:
            raise DataError(f"{name} has no column", hint="Write at least one beside those that its folders name.")
        if not all(map(str.strip, schema.names)):
            raise DataError(
                f"{name} has a column without a name", seen=listed(map(repr, schema.names)), hint="Name it."
            )
        if _OWN in map(str.casefold, schema.names):
            raise DataError(f"{name} has a column '{_OWN}', which its reader counts by itself", hint="Rename it.")
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{name} has two columns of the same name")
        return cls(path, name, schema, metadata.num_rows)

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        return tuple(self.schema.names)

    @property
    def unusable(self) -> dict[str, str]:
        """Columns whose values are not single ones that a model could read, with their type."""
        return {field.name: str(field.type) for field in self.schema if not _usable(field.type)}

    @property
    def indexes(self) -> dict[str, str]:
        """Columns that pandas wrote for an index without a name."""
        return {name: "the index of a table, as pandas writes it" for name in self.header if _INDEX.fullmatch(name)}

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table.

        Args:
            connection: From ``connect()``.
            columns: Names to take, in order.
            first_line: Number of the first row.
            scratch: Folder for a link to the file, since the engine reads ``*`` and ``[`` in a path as a pattern.

        Returns:
            The columns, ``LINE`` and ``MALFORMED``; and the number of rows.
        """
        link = scratch / f"{first_line}.source.parquet"
        link.unlink(missing_ok=True)
        link.symlink_to(self.path.resolve())
        read = connection.read_parquet(link, file_row_number=True)
        values = {name: self._value(read, name).name(name) for name in columns}
        line = (read[_OWN] + first_line).cast("int64")
        return read.select(*values.values(), line.name(LINE), ibis.null("string").name(MALFORMED)), self.rows

    def _value(self, read: Any, name: str) -> Any:
        # By position: names that differ only in case are renamed by the engine.
        value = read[read.columns[self.schema.get_field_index(name)]]
        kind = self.schema.field(name).type
        if pa.types.is_timestamp(kind):
            # Text of nanoseconds is cut off; a number of them would be rounded.
            return (value.cast("string") if kind.unit == "ns" else value).cast(TIME)
        return value.cast("string") if pa.types.is_null(kind) else value


def _usable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    checks = ("boolean", "integer", "floating", "decimal", "string", "large_string", "string_view", "date", "timestamp")
    return any(getattr(pa.types, f"is_{check}")(kind) for check in (*checks, "null"))
