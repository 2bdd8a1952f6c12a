"""``ciclo keys``: the pair of keys that versions are signed and verified with."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The keys that versions are signed and verified with.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The keys that versions are signed and verified with."""


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where the two files are written.")]) -> None:
    """Make a pair: the private key stays where versions are published, the public one goes where they are verified."""
    from components.storage.signing import make_keys

    private, public = make_keys(folder)
    typer.echo(f"CICLO_PRIVATE_KEY={private}\nCICLO_PUBLIC_KEYS='[\"{public}\"]'")
