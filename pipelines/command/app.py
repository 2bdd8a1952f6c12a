"""The ``ciclo`` command. Heavy imports wait until a command needs them."""

import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciclo.components.core.errors import CicloError, NotFoundError, ProjectError, SettingsError
from ciclo.pipelines.command import check, doctor, history, keys, manifests, models, status, watch

if TYPE_CHECKING:
    from ciclo.components.core.project import Project

app = typer.Typer(
    name="ciclo",
    help="The whole life of a tabular model as a cycle: train, gate, serve, watch, retrain.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ProjectFile = Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")]
Image = Annotated[str, typer.Option(help="Image of the components, with a tag that never moves.", envvar="CICLO_IMAGE")]
Start = Annotated[str, typer.Option(help="Read rows from this ISO time on.")]
End = Annotated[str, typer.Option(help="Read rows before this ISO time.")]
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.command()(manifests.manifests)
app.command()(manifests.register)
app.command()(check.check)
app.command()(status.status)
app.command()(history.history)
app.command()(doctor.doctor)
for command in (watch.watch, watch.log, watch.replay, watch.allow, watch.acknowledge):
    app.command()(command)


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show the traceback of an unexpected error.")] = False) -> None:
    """The whole life of a tabular model as a cycle: train, gate, serve, watch, retrain."""


@app.command()
def init(
    data: Annotated[str, typer.Argument(help="A CSV, JSON lines or Parquet file, or any source a project may name.")],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Project file to write.")] = Path("project.yaml"),
    name: Annotated[str, typer.Option(help="Name of the project; by default that of the data file.")] = "",
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first record of a CSV file names the columns."),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="What stands between two fields of a CSV file, where it is none of , ; tab and |."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Look at a data file and write a first project file for it."""
    from ciclo.components.drafting.inference import propose

    if output.exists() and not force:
        raise ProjectError(f"{output} exists already", hint="Give another --output, or --force to replace it.")
    inside = output.parent.resolve() == Path.cwd()  # a relative source is looked up beside the project file
    text = propose(data if inside or "://" in data else Path(data).resolve(), target, name or None, header, delimiter)
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"{output} cannot be written", seen=error.strerror) from error
    typer.echo(f"{output} written. Read it, it is yours now; then: ciclo run {output}")


@app.command()
def run(project: ProjectFile, window_start: Start = "", window_end: End = "", trigger: str = "manual") -> None:
    """Run the training pipeline on this machine."""
    from ciclo.pipelines.backends.local import run_pipeline
    from ciclo.pipelines.command.console import progress, show_result

    console, errors = _console(), _console(stderr=True)
    parsed = _read(project)
    try:
        with progress(console) as on_event:
            result = run_pipeline(
                parsed, window_start=window_start, window_end=window_end, trigger=trigger, on_event=on_event
            )
    except KeyboardInterrupt:
        _say("error", "interrupted; every task of the run was stopped", "red")
        raise typer.Exit(130) from None
    show_result(result, console, errors)
    raise typer.Exit(result.exit_code)


@app.command()
def upload(
    file: Annotated[Path, typer.Argument(help="A data file.")],
    address: Annotated[str, typer.Argument(help="Where it goes: s3://bucket/key.")],
) -> None:
    """Put a data file into the bucket service of CICLO_S3_*, from where a cluster can read it."""
    from ciclo.components.core.settings import settings
    from ciclo.components.storage.store import open_store

    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not (address.startswith("s3://") and bucket and key):
        raise SettingsError("this is no address of an object", seen=address, hint="Give s3://bucket/key.")
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    open_store(f"s3://{bucket}", settings()).put_file(key, file)
    typer.echo(f"{file} is at {address}")


@app.command()
def compile(
    project: ProjectFile,
    image: Image,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")] = Path("pipeline.yaml"),
) -> None:
    """Compile the training pipeline of a project for a cluster."""
    from ciclo.pipelines.compile import compile_pipeline

    parsed = _read(project)
    _warn_of_cluster(parsed)
    compile_pipeline(parsed, image, output)
    typer.echo(f"{output} written for {image}")


@app.command()
def submit(
    project: ProjectFile,
    image: Image,
    host: Annotated[
        str, typer.Option(help="Address of the KFP API.", envvar=["CICLO_KFP_HOST", "KF_PIPELINES_ENDPOINT"])
    ],
    namespace: Annotated[
        str, typer.Option(help="Profile namespace of a multi-user installation.", envvar="CICLO_KFP_NAMESPACE")
    ] = "",
    experiment: Annotated[str, typer.Option(help="Experiment; by default the name of the project.")] = "",
    key: Annotated[str, typer.Option(help="What stands for this run: of one key there is one run.")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Show its tasks and wait for its end.")] = False,
    window_start: Start = "",
    window_end: End = "",
    trigger: str = "manual",
) -> None:
    """Compile the training pipeline and run it on a cluster."""
    from ciclo.pipelines.backends import kfp

    parsed = _read(project)
    _warn_of_cluster(parsed)
    created = kfp.submit(
        parsed,
        image,
        host,
        namespace=namespace,
        experiment=experiment,
        key=key,
        trigger=trigger,
        window_start=window_start,
        window_end=window_end,
    )
    typer.echo(f"run {created.run_id}" + ("" if created.is_new else f", which exists already under the key {key}"))
    if created.url:
        typer.echo(created.url)
    if wait:
        end = kfp.wait(created, lambda task, state: typer.echo(f"{task:<40} {state}"))
        typer.echo(f"the run {'was cancelled' if end == 'cancelled' else end}")
        raise typer.Exit({"succeeded": 0, "failed": 1, "cancelled": 4}[end])


@app.command()
def deploy(project: ProjectFile) -> None:
    """Serve the champion: bring it up where CICLO_DEPLOYER says, check it live, and switch to it."""
    from ciclo.components.core.settings import settings
    from ciclo.components.deployment import deployer
    from ciclo.components.releases.names import CHAMPION
    from ciclo.components.releases.registry import open_registry

    parsed, current = _read(project), settings()
    champion = open_registry(parsed.name, current).alias(CHAMPION)
    if champion is None:
        raise NotFoundError(f"{parsed.name} has no champion", hint="Run the pipeline first: ciclo run PROJECT")
    typer.echo(deployer.deploy(parsed, champion.version, current).summary)


@app.command()
def stop(project: ProjectFile) -> None:
    """Stop the model server of a project on this machine."""
    from ciclo.components.core.settings import settings
    from ciclo.components.deployment import deployer

    parsed, current = _read(project), settings()
    served = deployer.endpoint(parsed.name, current)
    deployer.stop(parsed.name, current)
    typer.echo(f"{parsed.name}: {f'{served.url} is stopped' if served else 'nothing was running'}")


def _read(path: Path) -> "Project":

    from ciclo.components.core.project_file import read_project

    return read_project(path)


def _warn_of_cluster(project: "Project") -> None:
    from ciclo.pipelines.compile import cluster_warnings

    for warning in cluster_warnings(project):
        _say("warning", warning, "yellow")


def _console(*, stderr: bool = False) -> Any:
    from rich.console import Console

    return Console(stderr=stderr)


def _say(kind: str, text: str, colour: str) -> None:
    typer.secho(f"{kind}: ", fg=colour, bold=True, nl=False, err=True)
    typer.echo(text, err=True)


def main() -> None:
    """Run the command; an expected error is one sentence, an unexpected one says where its traceback is."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a run is ended, not orphaned
    try:
        app()
    except CicloError as error:
        _say("error", str(error), "red")
        sys.exit(2 if isinstance(error, ProjectError | SettingsError) else 1)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        problem = f"this is a bug in ciclo: {type(error).__name__}: {error}"
        _say("error", f"{problem}. Please report it with {_keep_traceback()}", "red")
        sys.exit(3)


def _keep_traceback() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="ciclo-", suffix=".log", delete=False) as log:
        log.write(traceback.format_exc())
    return log.name


if __name__ == "__main__":
    main()
