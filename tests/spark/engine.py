"""Spark as an engine of the same expressions: what has to be said to it, and three of the places that ask an engine.

These are ``connect``, ``_create`` and ``_query`` of ``tables.datasets``; but for ``lent``, which is for DuckDB alone,
the rest is expressions that know no engine.
``SparkCompiler`` is the list of what Spark, or ibis on Spark, means otherwise than DuckDB; each entry says what.
"""

import os
import re
import sys
from dataclasses import dataclass
from string import whitespace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import numpy as np
import pyarrow as pa
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.pyspark import PySparkCompiler
from pyspark.sql import SparkSession

from ciclo.components.core.values import NUMBER
from ciclo.components.tables.datasets import _create, _query

CONFIG = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "1g",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # of few rows it takes longer to compile Java than to count
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.session.timeZone": "UTC",  # of times without a zone
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
JAVA = {"Y": "yyyy", "m": "MM", "d": "dd", "H": "HH", "M": "mm", "S": "ss", "f": "SSSSSS"}


def shortest(number: float | None) -> str | None:
    """A number as the shortest text that reads back the same."""
    return None if number is None else str(number)


def shortest_single(number: float | None) -> str | None:
    """The same of a float32, whose shortest text has fewer digits."""
    return None if number is None else str(np.float32(number))


class SparkCompiler(PySparkCompiler):
    """What Spark is told in place of what ibis tells it."""

    __slots__ = ()

    def visit_RegexReplace(self, op: Any, *, arg: Any, pattern: Any, replacement: Any) -> Any:
        """Java has a group of a pattern as ``$1``."""
        instead = re.sub(r"\\([0-9])", r"$\1", op.replacement.value.replace("$", r"\$"))
        return self.f.regexp_replace(arg, pattern, sge.convert(instead))

    def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Java reads ``1d`` and ``0x1p3`` as numbers, and no zone behind a time without seconds."""
        if op.arg.dtype.is_string() and to.is_timestamp():
            seconds = [sge.convert(text) for text in ("([T ][0-9]{2}:[0-9]{2})([Z+-])", "$1:00$2")]
            return super().visit_TryCast(op, arg=self.f.regexp_replace(arg, *seconds), to=to)
        cast = super().visit_TryCast(op, arg=arg, to=to)
        if op.arg.dtype.is_string() and to.is_floating():
            text = self.f.trim(arg, sge.convert(whitespace))
            return self.if_(self.f.regexp_like(text, sge.convert(NUMBER)), cast, sge.Null())
        return cast

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """Java writes ``1.0E20`` for ``1e+20``, and before version 19 more digits than it takes."""
        if op.arg.dtype.is_floating() and to.is_string():
            write = self.f.anon.shortest if op.arg.dtype.is_float64() else self.f.anon.shortest_single
            return write(self.cast(arg, dt.float64))
        return super().visit_Cast(op, arg=arg, to=to)

    def visit_Strftime(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        """Java has letters for all of it, and quotes around its own."""
        form = re.sub("([A-Za-z]+)", r"'\1'", re.sub("%[A-Za-z]", " ", op.format_str.value))
        java = iter(JAVA[code] for code in re.findall("%([A-Za-z])", op.format_str.value))
        return self.f.date_format(arg, sge.convert(re.sub(" ", lambda _: next(java), form)))

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:
        """Of which ibis says that Spark has none."""
        return self.cast(self.f.date_format(arg, sge.convert("SSSSSS")), op.dtype)


def connect() -> Any:
    """A local Spark as an ibis backend."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # which works out ``shortest``
    builder = SparkSession.builder.master("local[2]")
    for name, value in CONFIG.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.udf.register("shortest", shortest)
    session.udf.register("shortest_single", shortest_single)
    backend = ibis.pyspark.connect(session)
    backend.compiler = SparkCompiler()
    ibis.options.sql.fuse_selects = False
    return backend


@dataclass(frozen=True)
class Query:
    """A query of Spark as ``datasets`` asks those of DuckDB."""

    rows: Any

    def to_arrow_table(self) -> pa.Table:
        return self.rows.toArrow()

    def to_arrow_reader(self, batch: int) -> pa.RecordBatchReader:
        return self.to_arrow_table().to_reader(batch)


def create(expression: Any, name: str) -> None:
    """In place of ``datasets._create``, for both engines: Spark has no temporary tables."""
    backend = expression.get_backend()
    if backend.name == "duckdb":
        _create(expression, name)
    else:
        backend._session.sql(backend.compile(expression)).cache().createOrReplaceTempView(name)


def query(expression: Any) -> Any:
    """In place of ``datasets._query``, for both engines."""
    backend = expression.get_backend()
    return _query(expression) if backend.name == "duckdb" else Query(backend._session.sql(backend.compile(expression)))
