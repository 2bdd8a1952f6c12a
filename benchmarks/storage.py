"""What the registry costs over a bare copy: publish, fetch and load of a version with a model of 10 MB, and listing.

    python -m benchmarks.storage                      # a folder; and a bucket, if CICLO_S3_ENDPOINT is set

Every round does each kind of work once, the bare copy and the registry's one after the other, on the same files. Times
are medians of the rounds. A ratio is the median of the ratios of each round: neighbours in time share their noise.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from minio.deleteobjects import DeleteObject
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestRegressor

from ciclo.components.core.settings import Settings
from ciclo.components.releases.registry import open_registry
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.s3 import s3_client
from ciclo.components.storage.signing import make_keys, signer_from
from ciclo.components.storage.store import open_store
from tests.versions import files

ROUNDS = 9
LISTED = 10_000
MODEL_MB = 10
Work = Callable[[int], object]


def main() -> None:
    """Print one table for each store there is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        contents = _contents(folder / "files")
        size = sum(path.stat().st_size for path in contents.values())
        print(
            f"{len(contents)} files, {size / 1e6:.1f} MB, model {contents['model.skops'].stat().st_size / 1e6:.1f} MB"
        )
        settings = Settings(home=folder / "home", store=f"file://{folder}/store", private_key=None)
        _report("a folder", settings, contents, *_copies_in_a_folder(folder, contents))
        if Settings().s3_endpoint:
            with _bucket(folder) as settings:
                _report("a bucket", settings, contents, *_copies_in_a_bucket(folder, settings, contents))
        else:
            print("CICLO_S3_ENDPOINT is not set: no bucket was measured")


def _contents(folder: Path) -> dict[str, Path]:
    """The files of a version whose model is a forest of about the wanted size."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 10))
    y = X[:, 0] + rng.normal(size=len(X))
    trees, size = 4, 0
    while size < 0.95 * MODEL_MB * 1e6:
        trees = max(trees + 1, int(trees * MODEL_MB * 1e6 / size)) if size else trees
        dump_model(RandomForestRegressor(trees, max_leaf_nodes=2_000, random_state=0).fit(X, y), folder / "model.skops")
        size = (folder / "model.skops").stat().st_size
    for name, data in files().items():
        if name != "model.skops":
            (folder / name).write_bytes(data)
    return {path.name: path for path in sorted(folder.iterdir())}


@contextmanager
def _bucket(folder: Path) -> Iterator[Settings]:
    given, name = Settings(), f"ciclo-benchmark-{uuid.uuid4().hex[:8]}"
    client = s3_client(given)
    client.make_bucket(name)
    private, public = make_keys(folder / "keys")
    try:
        yield given.model_copy(update={"store": f"s3://{name}/ciclo", "private_key": private, "public_keys": (public,)})
    finally:
        found = client.list_objects(name, recursive=True)
        list(client.remove_objects(name, (DeleteObject(item.object_name) for item in found)))
        client.remove_bucket(name)


def _copies_in_a_folder(folder: Path, contents: dict[str, Path]) -> tuple[Work, Work]:
    def put(number: int) -> None:
        (folder / "bare" / str(number)).mkdir(parents=True)
        for name, path in contents.items():
            shutil.copyfile(path, folder / "bare" / str(number) / name)

    def get(number: int) -> None:
        shutil.copytree(folder / "bare" / str(number), folder / "copies" / str(number))

    return put, get


def _copies_in_a_bucket(folder: Path, settings: Settings, contents: dict[str, Path]) -> tuple[Work, Work]:
    client, bucket = s3_client(settings), settings.store.removeprefix("s3://").partition("/")[0]

    def put(number: int) -> None:
        for name, path in contents.items():
            client.fput_object(bucket, f"bare/{number}/{name}", str(path))

    def get(number: int) -> None:
        for name in contents:
            client.fget_object(bucket, f"bare/{number}/{name}", str(folder / "fetched" / str(number) / name))

    return put, get


def _report(where: str, settings: Settings, contents: dict[str, Path], put: Work, get: Work) -> None:
    registry, signer = open_registry("benchmark", settings), signer_from(settings)
    with tempfile.TemporaryDirectory() as name:
        fetched: list[Any] = []
        times = _measure(
            {
                "bare copy in": put,
                "publish": lambda _: registry.publish(contents, signer=signer, parent=None),
                "bare copy out": get,
                "fetch and verify": lambda n: fetched.append(registry.fetch(n + 1, Path(name) / str(n))),
                "load the model": lambda _: fetched.pop().model(),
            }
        )
    peers = {"publish": "bare copy in", "fetch and verify": "bare copy out"}
    table = Table(title=f"{where}: medians of {ROUNDS} rounds", title_justify="left", box=None)
    for column in ("", "ms", "times the bare copy"):
        table.add_column(column, justify="right" if column else "left")
    for work, seconds in times.items():
        ratios = [a / b for a, b in zip(seconds, times[peers[work]], strict=True)] if work in peers else []
        table.add_row(
            work, f"{1e3 * statistics.median(seconds):,.0f}", f"{statistics.median(ratios):.1f}" if ratios else ""
        )
    _list(settings, contents, table)
    Console(width=100).print(table)


def _measure(work: dict[str, Work]) -> dict[str, list[float]]:
    """Seconds of each kind of work in each round; a first round warms up and is forgotten."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for number in range(ROUNDS + 1):
        for name, action in work.items():
            start = time.perf_counter()
            action(number)
            times[name].append(time.perf_counter() - start)
    return {name: seconds[1:] for name, seconds in times.items()}


def _list(settings: Settings, contents: dict[str, Path], table: Table) -> None:
    """Fill the registry up with markers and one more version, and list it: in this process, and with the command."""
    store, registry = open_store(settings.store_uri, settings), open_registry("benchmark", settings)
    newest = registry.versions()[-1]
    marker = store.get(f"{registry.root}/published/{newest}").data
    store.put(f"{registry.root}/numbers/{LISTED - 1}", b"")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.put(f"{registry.root}/published/{n}", marker), range(newest + 1, LISTED)))
    registry.publish(contents, signer=signer_from(settings), parent=None)
    command = [sys.executable, "-P", "-m", "ciclo.pipelines.command.app", "models", "list", "benchmark", "--last", "1"]
    environment = {**os.environ, **settings.environment()}
    times = _measure(
        {
            f"list {LISTED:,} versions": lambda _: registry.versions(),
            "the same, by `ciclo models list`": lambda _: subprocess.run(
                command, env=environment, capture_output=True, check=True
            ),
        }
    )
    if len(registry.versions()) != LISTED:
        raise SystemExit(f"there are {len(registry.versions())} versions, not {LISTED}")
    for work, seconds in times.items():
        table.add_row(work, f"{1e3 * statistics.median(seconds):,.0f}", "")


if __name__ == "__main__":
    main()
