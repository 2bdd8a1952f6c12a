"""Tables on disk: Parquet, with the data contract inside the file.

``Dataset`` is what the stages after cleaning read. Passes over data that may be large go through ``connect``: ibis
expressions on DuckDB. ``connect``, ``lent``, ``_create`` and ``_query`` alone ask the engine; ``tests/spark`` runs
cleaning and the reader of values on another one, and holds the few differences.
"""

import hashlib
import tempfile
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from ciclo.components.core.contract import Contract
from ciclo.components.core.errors import DataError
from ciclo.components.core.metrics import Array
from ciclo.components.core.own_columns import ROW_ID, SPLIT
from ciclo.components.core.treatment import Treatment

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
# Of the engine: what does not fit goes to files.
BOUNDS = {"memory_limit": "1GB", "temp_directory": tempfile.gettempdir()}
BATCH = 100_000
DIGEST = 32  # hex digits that the identity of a row begins with
_HEAVY = 1 << 26  # bytes of a row group that is written before it has as many rows
_CONTRACT = b"ciclo.contract"
_TREATMENTS = b"ciclo.treatments"
_TREATMENTS_OF = TypeAdapter(list[Treatment])


def connect() -> Any:
    """A fresh DuckDB as an ibis backend: what does not fit into a gigabyte goes to files in the temporary folder.

    Selects stay nested as they are written, so that an inner one is worked out once, however often an outer one looks
    at its columns.
    """
    import ibis

    ibis.options.sql.fuse_selects = False
    return ibis.duckdb.connect(**BOUNDS)


def collect(expression: Any) -> pa.Table:
    """The rows of an ibis expression on ``connect()``."""
    table: pa.Table = _query(expression).to_arrow_table()
    return table


def stored(expression: Any, name: str) -> Any:
    """What an expression on ``connect()`` gives, worked out once, as a table of the engine under that name."""
    _create(expression, name)
    return expression.get_backend().table(name)


def lent(rows: pa.Table, beside: Any, name: str) -> Any:
    """Rows in memory as a table of the engine of another one; not copied, so they stay until the name is lent anew."""
    backend = beside.get_backend()
    backend.con.register(name, rows)
    return backend.table(name)


def _create(expression: Any, name: str) -> None:
    """Of one statement, where ``create_table`` of ibis takes two and longer for the second than DuckDB for both."""
    backend = expression.get_backend()
    backend.con.execute(f'CREATE TEMP TABLE "{name}" AS {backend.compile(expression)}')


def _query(expression: Any) -> Any:
    """An ibis expression as a query of DuckDB, which gives Arrow without the optional packages of ``to_pyarrow``."""
    backend = expression.get_backend()
    return backend.con.sql(backend.compile(expression))


def write_rows(expression: Any, path: str | Path, contract: Contract, treatments: Sequence[Treatment] = ()) -> int:
    """Write the rows of an ibis expression as a dataset, batch by batch.

    Args:
        expression: On ``connect()``.
        path: Parquet file to write.
        contract: The contract to keep inside the file.
        treatments: What was done to values, to keep there too.

    Returns:
        How many there are.
    """
    done = _TREATMENTS_OF.dump_json([*treatments])
    return write_stream(expression, path, {_CONTRACT: contract.model_dump_json().encode(), _TREATMENTS: done})


def write_stream(expression: Any, path: str | Path, metadata: dict[bytes, bytes] | None = None) -> int:
    """Write the rows of an ibis expression as Parquet, batch by batch, and say how many there are.

    Arrow's writer takes half the time of DuckDB's where most columns are text.

    Args:
        expression: On ``connect()``.
        path: Parquet file to write.
        metadata: To keep inside the file.
    """
    reader = _query(expression).to_arrow_reader(BATCH)
    parts = (pa.Table.from_batches([batch]) for batch in reader)
    return write_parts(path, reader.schema.with_metadata(metadata), parts)


def write_parts(path: str | Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> int:
    """Write a table that comes part by part, in row groups of ``BATCH`` rows where these are no heavy ones.

    Text of few different values has a dictionary, since DuckDB then reads a value once that many rows have; everything
    else is only made larger by one, and slower to write and to read.

    Args:
        path: Parquet file to write.
        schema: Of the file; a column that a part lacks is null there.
        parts: The rows.

    Returns:
        How many there are.
    """
    groups = _row_groups(schema, parts)
    first = next(groups, schema.empty_table())
    rows = len(first)
    with (
        pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=_repetitive(first)) as writer,
        ThreadPoolExecutor(1) as meanwhile,  # one group is written while the next is read
    ):
        written = meanwhile.submit(writer.write_table, first)
        for group in groups:
            rows += len(group)
            written.result()
            written = meanwhile.submit(writer.write_table, group)
        written.result()
    return rows


def _row_groups(schema: pa.Schema, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The parts, put together to as many rows as are written at once."""
    held = schema.empty_table()
    for part in parts:
        held = pa.concat_tables([held, part], promote_options="default")
        if len(held) >= BATCH or held.nbytes >= _HEAVY:
            yield held
            held = schema.empty_table()
    if len(held):
        yield held


def _repetitive(rows: pa.Table) -> list[str]:
    """The columns of text in which a value stands in ten rows or more on average."""
    texts = (field.name for field in rows.schema if pa.types.is_string(field.type))
    return [name for name in texts if pc.count_distinct(rows[name], mode="all").as_py() * 10 <= len(rows)]


def write_table(table: pa.Table, path: str | Path, contract: Contract | None = None) -> None:
    """Write a table as Parquet.

    Args:
        table: The rows.
        path: Where to.
        contract: The contract to keep inside the file.
    """
    if contract is not None:
        table = table.replace_schema_metadata({_CONTRACT: contract.model_dump_json().encode()})
    pq.write_table(table, path, compression="zstd")


def read_contract(path: str | Path) -> Contract:
    """The contract inside a dataset.

    Raises:
        DataError: If the file has none.
    """
    metadata = pq.read_schema(path).metadata or {}
    if _CONTRACT not in metadata:
        raise DataError(f"{path} is not a cleaned dataset", hint="Give the dataset that cleaning wrote.")
    return Contract.model_validate_json(metadata[_CONTRACT])


def read_treatments(path: str | Path) -> list[Treatment]:
    """What was done to the values of a dataset; nothing where its file does not say."""
    return _TREATMENTS_OF.validate_json((pq.read_schema(path).metadata or {}).get(_TREATMENTS, b"[]"))


def file_digest(path: str | Path) -> str:
    """The sha256 of a file, hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def rows_digest(path: str | Path) -> str:
    """A digest of the rows of a cleaned dataset, hex: the same in whatever order and from whatever file they came.

    It is made of how many rows there are and of the sum of their identities, batch by batch.

    Args:
        path: Parquet file that cleaning wrote.
    """
    rows, total = 0, np.zeros(2, dtype="uint64")
    for batch in _alone(path).iter_batches(BATCH, columns=[ROW_ID], use_threads=False):
        digests = pc.binary_slice(batch.column(0).cast("binary"), 0, DIGEST)  # what follows one tells equal rows apart
        numbers = np.frombuffer(unhexlify(digests.buffers()[2])[: DIGEST // 2 * len(batch)], dtype="<u8")
        rows, total = rows + len(batch), total + np.array([numbers[::2].sum(), numbers[1::2].sum()])
    return hashlib.sha256(f"{rows} {total.tolist()}".encode()).hexdigest()


def read_alone(path: str | Path, names: Sequence[str]) -> pd.DataFrame:
    """Some columns of a cleaned dataset, read without starting a thread: this process can be forked as before."""
    rows: pd.DataFrame = _alone(path).read(list(names), use_threads=False).to_pandas(use_threads=False)
    return rows


def _alone(path: str | Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, pre_buffer=False)  # what is read ahead is read by threads


@dataclass(frozen=True)
class Dataset:
    """Cleaned rows with their contract.

    Attributes:
        contract: The data contract.
        rows: The rows, with ``ROW_ID`` and ``SPLIT`` of ``core.own_columns``.
    """

    contract: Contract
    rows: pd.DataFrame

    @classmethod
    def open(cls, path: str | Path, *splits: Split) -> "Dataset":
        """Read a cleaned dataset.

        Args:
            path: Parquet file that cleaning wrote.
            splits: Splits to read; all of them if none is given.

        Raises:
            DataError: If the file is not a cleaned dataset.
        """
        contract = read_contract(path)
        filters = [(SPLIT, "in", list(splits))] if splits else None
        return cls(contract, pq.read_table(path, filters=filters).to_pandas())

    def split(self, *names: Split) -> "Dataset":
        """The rows of one or more splits."""
        return Dataset(self.contract, self.rows[self.rows[SPLIT].isin(names)])

    def sample(self, rows: int, seed: int) -> "Dataset":
        """At most that many rows, drawn without replacement."""
        return self if len(self) <= rows else Dataset(self.contract, self.rows.sample(rows, random_state=seed))

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> pd.Series:
        """One column, shape ``(rows,)``."""
        return self.rows[name].reset_index(drop=True)

    def labels(self) -> pd.Series:
        """The target: class labels as text, or numbers; shape ``(rows,)``."""
        return self.contract.labels(self.column(self.contract.target))

    @property
    def features(self) -> pd.DataFrame:
        """As ``X``, with the rows numbered from 0."""
        return self.X.reset_index(drop=True)

    @cached_property
    def X(self) -> pd.DataFrame:  # noqa: N802  (the name the field uses)
        """The features, shape ``(rows, features)``."""
        return self.contract.frame(self.rows)

    @cached_property
    def y(self) -> Array:
        """The encoded target, shape ``(rows,)``."""
        return self.contract.encode(self.rows[self.contract.target])
