"""What every place of data promises, as tests; a place says how a file is put there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from ciclo.components.core.errors import DataError
from ciclo.components.core.settings import Settings
from ciclo.components.sources.layout import Source, open_source
from ciclo.components.sources.places.place import Asked
from ciclo.components.tables.datasets import collect

TABLE = "at,n,word\n" + "".join(f"2026-01-{day:02},{day}.5,w{day}\n" for day in range(1, 21))


class Shelf(Protocol):
    """A place that tests can put files into."""

    settings: Settings

    def put(self, name: str, data: bytes) -> str:
        """Put a file there, and give its address."""

    def missing(self) -> str:
        """The address of something that is not there."""


@dataclass
class Read:
    """What came of a source."""

    source: Source
    rows: list[dict[str, object]]


def read(shelf: Shelf, address: str, folder: Path, **asked: object) -> Read:
    folder.mkdir(exist_ok=True)
    source = open_source(address, folder, asked=Asked(shelf.settings, **asked))  # type: ignore[arg-type]
    table = collect(source.table).to_pylist()
    source.require_unchanged()
    return Read(source, sorted(table, key=str))


class Promises:
    """To be inherited, with a fixture ``shelf``."""

    @pytest.fixture
    def shelf(self) -> Iterator[Shelf]:
        raise NotImplementedError

    def test_a_file_comes_whole_and_the_same_each_time(self, shelf: Shelf, tmp_path: Path) -> None:
        address = shelf.put("table.csv", TABLE.encode())
        first, again = (read(shelf, address, tmp_path / name) for name in "ab")
        assert first.source.rows == len(first.rows) == 20
        assert {row["word"] for row in first.rows} == {f"w{day}" for day in range(1, 21)}
        assert first.rows == again.rows
        assert first.source.digest == again.source.digest

    def test_other_contents_have_another_digest(self, shelf: Shelf, tmp_path: Path) -> None:
        found = set()
        for number in range(2):
            address = shelf.put("table.csv", TABLE.replace("1.5", f"{number}.25").encode())
            found.add(read(shelf, address, tmp_path / str(number)).source.digest)
        assert len(found) == 2

    def test_what_is_not_there_is_named(self, shelf: Shelf, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            read(shelf, shelf.missing(), tmp_path / "a")
        assert caught.value.hint or caught.value.seen

    def test_nothing_is_no_table(self, shelf: Shelf, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"empty|no rows"):
            read(shelf, shelf.put("table.csv", b""), tmp_path / "a")

    def test_the_largest_download_is_that_of_the_settings(self, shelf: Shelf, tmp_path: Path) -> None:
        address = shelf.put("table.csv", TABLE.encode())
        if address.startswith("/"):
            pytest.skip("a file of this machine is read where it is")
        shelf.settings = shelf.settings.model_copy(update={"source_bytes": len(TABLE) - 1})
        with pytest.raises(DataError, match="larger than a source may be"):
            read(shelf, address, tmp_path / "a")


class FolderPromises(Promises):
    """Those of a place that has folders."""

    def rows(self, shelf: Shelf, source: str, folder: Path) -> list[tuple[object, ...]]:
        found = read(shelf, source, folder)
        assert found.source.rows == len(found.rows)
        return sorted({(row.get("year"), row.get("a b"), row["n"]) for row in found.rows}, key=str)

    def test_folders_that_name_a_column_are_read_with_it(self, shelf: Shelf, tmp_path: Path) -> None:
        names = (
            "year=2025/a%20b=x%2Fy/1.csv",
            "year=2026/a%20b=__HIVE_DEFAULT_PARTITION__/1.csv",
            "year=2026/a%20b=/2.csv",
        )
        for number, name in enumerate(names):
            address = shelf.put(f"table/{name}", f"at,n\n2026-01-01,{number}\n".encode())
        shelf.put("table/year=2025/a%20b=x%2Fy/_SUCCESS", b"")
        shelf.put("table/_SUCCESS", b"")
        shelf.put("table/_temporary/3.csv", TABLE.encode())
        root = address[: address.index("year=")]
        wanted = [("2025", "x/y", "0"), ("2026", None, "1"), ("2026", None, "2")]
        assert self.rows(shelf, root, tmp_path / "a") == wanted
        assert self.rows(shelf, f"{root}year=*/*/*.csv", tmp_path / "b") == wanted
        assert self.rows(shelf, f"{root}year=2026/*/2.csv", tmp_path / "c") == [(None, None, "2")]
        assert self.rows(shelf, f"{root}year=202[6]/a%20b=/*", tmp_path / "d") == [("2026", None, "2")]

    def test_a_file_that_moves_to_another_folder_is_another_source(self, shelf: Shelf, tmp_path: Path) -> None:
        found = set()
        for year in (2025, 2026):
            address = shelf.put(f"{year}/year={year}/table.csv", TABLE.encode())
            source = read(shelf, address[: address.index("year=")], tmp_path / str(year)).source
            assert source.folders == ("year",)
            found.add(source.digest)
        assert len(found) == 2

    @pytest.mark.parametrize("other", ["1.csv", "2025/1.csv", "year=2026/more/1.csv"])
    def test_files_beside_folders_that_name_a_column_are_refused(
        self, shelf: Shelf, tmp_path: Path, other: str
    ) -> None:
        address = shelf.put(f"table/{other}", TABLE.encode())
        shelf.put("table/year=2026/2.csv", TABLE.encode())
        with pytest.raises(DataError, match="other data files beside those of folders") as caught:
            read(shelf, address.removesuffix(other), tmp_path / "a")
        assert caught.value.seen == f"{other}, year=2026/2.csv"

    @pytest.mark.parametrize(
        ("name", "word"),
        [
            ("year=1/year=2", "two folders"),
            ("n=%E9", "not named in UTF-8"),
            ("%20=1", "no column"),
            ("n=%00", "no column"),
        ],
    )
    def test_folders_that_name_nothing_that_can_be_read_are_refused(
        self, shelf: Shelf, tmp_path: Path, name: str, word: str
    ) -> None:
        address = shelf.put(f"table/{name}/1.csv", TABLE.encode())
        with pytest.raises(DataError, match=word):
            read(shelf, address[: address.index(name)], tmp_path / "a")

    def test_a_column_of_the_file_is_not_that_of_its_folder(self, shelf: Shelf, tmp_path: Path) -> None:
        address = shelf.put("table/word=other/1.csv", TABLE.encode())
        found = read(shelf, address[: address.index("word=")], tmp_path / "a")
        assert {row["word"] for row in found.rows} == {f"w{day}" for day in range(1, 21)}
        assert found.source.folders == ()

    @pytest.mark.parametrize(
        "name", ["My data (1).csv", "half 50%.csv", "a%20b.csv", "what?.csv", "n#1.csv", "[1].csv", "é.csv"]
    )
    def test_a_file_may_have_any_name(self, shelf: Shelf, tmp_path: Path, name: str) -> None:
        assert read(shelf, shelf.put(f"deeper/{name}", TABLE.encode()), tmp_path / "a").source.rows == 20
