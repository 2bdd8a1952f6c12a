"""``ciclo check``: what the data stages make of a file."""

from pathlib import Path
from typing import Annotated

import typer

from ciclo.components.core.errors import ProjectError

_SHOWN = 20  # columns left out; the report has them all


def check(
    data: Annotated[str, typer.Argument(help="A data file, or any source a project may name.")],
    target: Annotated[
        str, typer.Option(help="The column to predict; by default one that is called target, label or so, or the last.")
    ] = "",
    project: Annotated[
        Path | None, typer.Option(help="The project file whose rules the file is held to; by default they are guessed.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the reports.")] = Path("check"),
) -> None:
    """Read, clean and validate a file, and write reports of it; nothing is trained.

    With a --project its rows are also compared with those of the champion, if there is one in the store.
    Ends with 0 where a model could be trained on it, with 1 where not, with 2 if the project file is wrong.
    """
    from ciclo.components.core.project_file import project_from_yaml, read_project
    from ciclo.components.core.settings import settings
    from ciclo.components.drafting.inference import propose
    from ciclo.components.releases.accepted import last_accepted
    from ciclo.pipelines.checking import check_data, columns_left_out

    if project is not None and target:
        raise ProjectError("a project file names its target itself", hint="Give a --target or a --project, not both.")
    accepted = None
    source, drafted = data if "://" in data else str(Path(data).resolve()), ""
    if project is not None:
        rules = read_project(project)
        asked = rules.data.model_copy(update={"source": source, "query": rules.data.query if "://" in source else ""})
        rules = rules.model_copy(update={"data": asked})
        accepted = last_accepted(rules.name, settings())
    else:
        drafted = propose(source, target)
        rules = project_from_yaml(drafted, origin="the drafted project")
        if not target:
            typer.echo(f"{'target':<12}'{rules.data.target}' is taken for it; name another with --target")
    found = check_data(rules, output, drafted, lambda stage, text: typer.echo(f"{stage:<12}{text}"), accepted)
    if drafted:
        for name, why in [*columns_left_out(rules).items()][:_SHOWN]:
            typer.echo(f"{'left out':<12}'{name}': {why}")
    for warning in found.warnings:
        typer.secho("warning: ", fg="yellow", bold=True, nl=False)
        typer.echo(f"{warning.name}: {warning.message}")
    if not found.passed:
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(f"{found.stage}: {found.reason}", err=True)
    for name, path in found.files.items():
        typer.echo(f"  {name:<11} {path}")
    raise typer.Exit(0 if found.passed else 1)
