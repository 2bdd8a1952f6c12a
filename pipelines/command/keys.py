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
    from ciclo.components.storage.signing import make_keys

    private, public = make_keys(folder)
    typer.echo(f"CICLO_PRIVATE_KEY={private}\nCICLO_PUBLIC_KEYS='[\"{public}\"]'")


@app.command()
def renew(
    project: Annotated[str, typer.Argument(help="The project file, or the name of the project.", metavar="PROJECT")],
) -> None:
    """Sign all versions and moves again with today's private key, so that an older public key can be taken away."""
    from ciclo.components.core.errors import SettingsError
    from ciclo.components.releases.rotation import sign_again
    from ciclo.components.storage.signing import signer_from, trust_from
    from ciclo.pipelines.command.models import open_named

    registry, current = open_named(project)
    signer = signer_from(current)
    if signer is None:
        raise SettingsError("signatures are off, so there is nothing to sign with", hint="Unset CICLO_UNSIGNED.")
    count = sign_again(registry, trust_from(current), signer)
    typer.echo(f"{registry.project}: {count} signatures replaced; all are by one key now")
