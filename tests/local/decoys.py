"""A folder in which modules lie that leave a mark when somebody imports them."""

from pathlib import Path

PACKAGES = ("ciclo", "components", "pipelines", "tests", "kfp", "sklearn")
MODULES = (
    "pandas", "numpy", "yaml", "json", "typing_extensions", "pydantic", "pydantic_settings", "typer", "rich", "click",
    "structlog", "pyarrow", "duckdb", "ibis", "skops", "scipy", "optuna", "minio", "apprise", "kubernetes", "random",
    "sqlalchemy", "cryptography", "joblib", "seldon_core", "kfp_server_api", "sitecustomize", "usercustomize",
    "logging",
)  # fmt: skip


def lay_out(folder: Path) -> Path:
    """Write the decoys and give the folder that takes their marks."""
    marks = folder / "marks"
    marks.mkdir(parents=True)
    for name in (*PACKAGES, *MODULES):
        path = folder / name / "__init__.py" if name in PACKAGES else folder / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"open({str(marks / name)!r}, 'w').close()\nraise SystemExit('a decoy was imported: {name}')\n")
    for name in ("training/pipeline.py", "compile.py", "backends/local.py", "command/app.py"):
        (folder / "pipelines" / name).parent.mkdir(exist_ok=True)
        (folder / "pipelines" / name).write_text((folder / "pipelines/__init__.py").read_text())
    return marks
