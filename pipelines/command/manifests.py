"""``ciclo manifests`` and ``ciclo register``: a project on a cluster, as files and in the dashboard of KFP."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Annotated

import typer

ProjectFile = Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")]


def manifests(
    project: ProjectFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    image: Annotated[str, typer.Option(help="Image of the components, by digest if it can be.", envvar="CICLO_IMAGE")],
    namespace: Annotated[str, typer.Option(help="Namespace that the runs of KFP run in.")] = "ciclo",
    multi_user: Annotated[bool, typer.Option("--multi-user", help="KFP asks who calls: give pods a token.")] = False,
    gateway: Annotated[str, typer.Option(help="Istio's gateway, NAMESPACE/NAME, to reach the model through.")] = "",
    overlay: Annotated[str, typer.Option(help="Overlay to install with the project: a folder or an address.")] = "",
) -> None:
    """Write the Kubernetes objects of a project: its pipeline, its watch, its registration."""
    from ciclo.components.core.project_file import read_project_as_written
    from ciclo.pipelines.compile import cluster_warnings, compile_pipeline
    from ciclo.pipelines.manifests import Installation, overlay_for, project_files, write_files

    parsed = read_project_as_written(project)
    installation = Installation(namespace, image, multi_user=multi_user, gateway=gateway)
    if overlay:
        named = overlay_for(overlay, namespace, output)
        installation = dataclasses.replace(installation, overlay=named)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        compile_pipeline(parsed, image, package)
        files = project_files(parsed, project.read_bytes(), package.read_bytes(), installation)
    write_files(files, output)
    for warning in cluster_warnings(parsed):
        typer.secho("warning: ", fg="yellow", bold=True, nl=False, err=True)
        typer.echo(warning, err=True)
    typer.echo(f"{output} written: {', '.join(sorted(files))}\nkubectl apply -k {output}")


def register(
    project: ProjectFile,
    package: Annotated[Path, typer.Option(help="Its compiled pipeline.")],
    host: Annotated[str, typer.Option(help="Address of the KFP API; by default that of CICLO_KFP_HOST.")] = "",
    namespace: Annotated[str, typer.Option(help="Profile namespace; by default that of CICLO_KFP_NAMESPACE.")] = "",
) -> None:
    """Make the compiled pipeline of a project and its experiment known to KFP; doing it again changes nothing."""
    from ciclo.components.core.project_file import read_project_as_written
    from ciclo.components.core.settings import settings
    from ciclo.pipelines.backends.registration import Registrar
    from ciclo.pipelines.backends.registration import register as make_known

    parsed, current = read_project_as_written(project), settings()
    api = Registrar(host or current.kfp_host, current, setting="--host" if host else "CICLO_KFP_HOST or --host")
    known = make_known(api, parsed, package, namespace=namespace or current.kfp_namespace)
    typer.echo(f"pipeline {known.pipeline_id} ({parsed.name})")
    typer.echo(f"version {known.version_id} ({known.version}), {'uploaded' if known.fresh else 'there already'}")
    typer.echo(f"experiment {known.experiment_id} ({parsed.name})")
