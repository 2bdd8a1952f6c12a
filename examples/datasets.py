"""Write the tables of the small examples from the data sets that scikit-learn ships."""

from pathlib import Path

from sklearn import datasets

FOLDER = Path(__file__).parent


def main() -> None:
    """Write ``data.csv`` beside each project file, with the target as its last column."""
    for name, target in (("breast_cancer", "benign"), ("diabetes", "progression"), ("wine", "cultivar")):
        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        table = bunch.frame.rename(columns={"target": target})
        table.columns = [c.replace("od280/od315_of_diluted_wines", "od280_od315") for c in table.columns]
        if name == "wine":
            table[target] = table[target].map(dict(enumerate(("barolo", "grignolino", "barbera"))))
        table.to_csv(FOLDER / name / "data.csv", index=False)
        print(FOLDER / name / "data.csv")


if __name__ == "__main__":
    main()
