"""A file of a source together with the columns that its folders name."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis

from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.json_lines import JsonLinesFile
from ciclo.components.sources.parquet import ParquetFile
from ciclo.components.sources.text import TextFile

File = TextFile | JsonLinesFile | ParquetFile


@dataclass(frozen=True)
class PlacedFile:
    """A file of a source in its folder; what it says of itself is as of ``File``.

    Attributes:
        file: The file.
        folders: The columns of its folders, and their values.
    """

    file: File
    folders: Mapping[str, str | None]

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.file.name

    @property
    def unusable(self) -> dict[str, str]:
        """Columns whose values are not single ones."""
        return self.file.unusable

    @property
    def indexes(self) -> dict[str, str]:
        """Columns that are but numbers of rows."""
        return self.file.indexes

    @cached_property
    def added(self) -> dict[str, Any]:
        """The columns of its folders that it does not have itself, as expressions."""
        own = set(self.file.header)
        return {name: ibis.literal(text, "string") for name, text in self.folders.items() if name not in own}

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        return (*self.file.header, *self.added)

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table, with the columns of its folders."""
        own = [name for name in columns if name not in self.added]
        table, rows = self.file.table(connection, own or [self.file.header[0]], first_line, scratch)
        if not self.added:
            return table, rows
        values = {**{name: table[name] for name in own}, **self.added}
        return table.select(*(values[name].name(name) for name in columns), LINE, MALFORMED), rows

    def laid_out(self, scratch: Path) -> Path | None:
        """The Parquet file that is the table of a source of this file alone; None where there is none."""
        return self.file.laid_out(1, scratch) if isinstance(self.file, TextFile) and not self.added else None
