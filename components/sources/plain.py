"""CSV records by Arrow's reader, for files that are written plainly: the records that fit the header, as text."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.dialect import Dialect

_BLOCK = 1 << 24


def sound_records(path: Path, dialect: Dialect, columns: list[str], *, has_inner_breaks: bool) -> Iterator[pa.Table]:
    """The records of a plain file that are as wide as its header, part by part.

    Args:
        path: The file, UTF-8.
        dialect: How it is written.
        columns: Names to take, in order.
        has_inner_breaks: Whether a line ends within quotes.

    Returns:
        The columns as text exactly as read, empty ones null. Records of another width are left out.
    """
    fields = [str(place) for place in range(len(dialect.names))]
    wanted = [str(dialect.names.index(name)) for name in columns]
    with pa.OSFile(str(path)) as file:
        file.seek(dialect.start)
        if dialect.start == file.size():
            return
        batches = pyarrow.csv.open_csv(
            file,
            pyarrow.csv.ReadOptions(column_names=fields, block_size=_BLOCK),
            pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter,
                newlines_in_values=has_inner_breaks,
                invalid_row_handler=lambda _: "skip",
            ),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(wanted, pa.string()),
                include_columns=wanted,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        for batch in batches:
            yield pa.Table.from_batches([batch]).rename_columns(columns)


def in_order(parts: Iterable[pa.Table], malformed: pa.Table, first_line: int) -> Iterator[pa.Table]:
    """Number the sound records, and put the malformed ones where they stood.

    Args:
        parts: The sound records, from ``sound_records``.
        malformed: ``LINE`` and ``MALFORMED`` of the others, in order.
        first_line: Number of the first record.
    """
    lines = malformed[LINE].to_numpy()
    before = lines - first_line - np.arange(len(lines))  # sound records that stand before each malformed one
    sound = taken = 0
    for part in parts:
        own = np.arange(sound, sound + len(part))
        numbers = own + first_line + np.searchsorted(before, own, side="right")
        sound += len(part)
        until = int(np.searchsorted(before, sound))
        between = malformed.slice(taken, until - taken)
        taken = until
        part = part.append_column(LINE, pa.array(numbers)).append_column(MALFORMED, pa.nulls(len(part), pa.string()))
        if len(between):
            part = pa.concat_tables([part, between], promote_options="default").sort_by(LINE)
        yield part
    if taken < len(malformed):
        yield malformed.slice(taken)
