"""JSON lines: one object on each line, laid out by its keys; a line that is none becomes a malformed row."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from ciclo.components.core.errors import DataError
from ciclo.components.core.own_columns import LINE, MALFORMED
from ciclo.components.sources.dialect import SHOWN
from ciclo.components.tables.datasets import BOUNDS

_BATCH = 50_000
_OBJECT = "json_valid(text) AND TRY(json_type(text)) = 'OBJECT'"
_NESTED = "('OBJECT', 'ARRAY')"


@dataclass(frozen=True)
class JsonLinesFile:
    """A file of JSON objects, one on each line.

    Attributes:
        lines: Its lines as a Parquet file: ``text`` and the number of the record, from 1.
        name: What messages call it.
        header: The keys of all objects, in the order they come up.
        unusable: Keys that mostly hold lists or objects, with their kind.
    """

    lines: Path
    name: str
    header: tuple[str, ...]
    unusable: dict[str, str]

    @classmethod
    def open(cls, path: Path, name: str, scratch: Path) -> "JsonLinesFile":
        """Collect the keys of a file.

        Args:
            path: The file, from ``plain_text``.
            name: What messages call it.
            scratch: Folder for its lines.

        Raises:
            DataError: If it holds no JSON object.
        """
        lines = scratch / f"{len(list(scratch.iterdir()))}.lines.parquet"
        schema = pa.schema([("text", pa.string()), ("number", pa.int64())])
        with path.open("rb") as file, pq.ParquetWriter(lines, schema, compression="zstd") as writer:
            texts, first = _texts(file), 1
            while batch := list(islice(texts, _BATCH)):
                writer.write_batch(pa.record_batch([batch, range(first, first + len(batch))], schema=schema))
                first += len(batch)
        with duckdb.connect(config=BOUNDS) as engine:
            keys = engine.execute(_KEYS, {"lines": str(lines)}).fetchall()
        if not keys:
            raise DataError(
                f"{name} has no line that is a JSON object",
                seen=_first(lines),
                hint="Write one object on each line, as DataFrame.to_json(orient='records', lines=True) does.",
            )
        header = tuple(str(key) for key, *_ in keys)
        if any(not key.strip() for key in header):
            raise DataError(f"{name} has a key without a name", hint="Name every key of an object.")
        unusable = {str(key): "lists or objects" for key, count, nested in keys if 2 * nested > count}
        return cls(lines, name, header, unusable)

    @property
    def indexes(self) -> dict[str, str]:
        """None: every key has a name."""
        return {}

    def table(self, connection: Any, columns: list[str], first_line: int, scratch: Path) -> tuple[Any, int]:
        """Lay the file out as a table, by way of a Parquet file of text.

        Args:
            connection: From ``connect()``.
            columns: Keys to take, in order; one that an object has not is null in its row.
            first_line: Number of the first record.
            scratch: Folder for the Parquet file.

        Returns:
            The values as text, numbers as JSON has them, null where they are; ``LINE`` and ``MALFORMED``; and the
            number of records.
        """
        path = scratch / f"{first_line}.json.parquet"
        pointers = ["/" + name.replace("~", "~0").replace("/", "~1") for name in columns]
        cells = [f"CASE WHEN reason IS NULL THEN texts[{n + 1}] END AS c{n}" for n in range(len(columns))]
        selected = ", ".join([*cells, LINE, MALFORMED])
        with duckdb.connect(config=BOUNDS) as engine:
            engine.execute(
                f"COPY (SELECT {selected} FROM ({_ROWS})) TO $out (FORMAT parquet, COMPRESSION zstd)",  # noqa: S608
                {"lines": str(self.lines), "pointers": pointers, "first": first_line - 1, "out": str(path)},
            )
        read = connection.read_parquet(path)
        named = [read[f"c{place}"].nullif("").name(name) for place, name in enumerate(columns)]
        return read.select(*named, LINE, MALFORMED), pq.read_metadata(path).num_rows


def _texts(file: Any) -> Iterator[str]:
    for place, line in enumerate(file):
        text = line.decode("utf-8-sig" if place == 0 else "utf-8").strip("\r\n")
        if text.strip():
            yield text


def _first(lines: Path) -> str | None:
    found = pq.ParquetFile(lines).iter_batches(1, columns=["text"])
    return next((str(batch["text"][0])[:200] for batch in found if len(batch)), None)


# Every key: in how many objects, and in how many of them its value is a list or an object.
_KEYS = f"""
    WITH objects AS (SELECT number, text, json_keys(text) AS keys FROM read_parquet($lines) WHERE {_OBJECT}),
    cells AS (SELECT number, text, unnest(keys) AS key, generate_subscripts(keys, 1) AS place FROM objects)
    SELECT key, count(*), count_if(json_type(
        text, '/' || replace(replace(key, '~', '~0'), '/', '~1')) IN {_NESTED})
    FROM cells GROUP BY key ORDER BY min(number), arg_min(place, number)
"""  # noqa: S608
# Every record: the values of the wanted keys as text, or the reason why they are not known.
_ROWS = f"""
    WITH read AS (
        SELECT number, text, {_OBJECT} AS is_object,
            CASE WHEN {_OBJECT} THEN json_keys(text) END AS keys,
            CASE WHEN {_OBJECT} THEN json_type(text, $pointers) END AS types,
            CASE WHEN {_OBJECT} THEN json_extract_string(text, $pointers) END AS raw
        FROM read_parquet($lines)
    )
    SELECT number + $first AS {LINE}, CASE
            WHEN NOT is_object THEN 'no JSON object'
            WHEN len(keys) <> len(list_distinct(keys)) THEN 'a key twice'
            WHEN list_has_any(types, ['OBJECT', 'ARRAY']) THEN 'a list or an object where a single value belongs'
        END AS reason, reason || ': ' || text[:{SHOWN}] AS {MALFORMED},
        list_transform(list_zip(raw, types), lambda cell: CASE
            WHEN cell[2] = 'NULL' OR (cell[2] = 'DOUBLE' AND cell[1] = 'NaN') THEN NULL ELSE cell[1] END) AS texts
    FROM read ORDER BY number
"""  # noqa: S608
