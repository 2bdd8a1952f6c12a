"""``ciclo doctor``: one question after another, each with what was seen or with what to do."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ciclo.components.core.errors import CicloError, DeploymentError, SubmissionError
from ciclo.components.core.wording import counted

if TYPE_CHECKING:
    from ciclo.components.core.project import Project
    from ciclo.components.core.settings import Settings
    from ciclo.components.monitoring.submitting.kfp_api import KfpApi
    from ciclo.components.runs.preflight import Finding

SKEW_SECONDS = 60  # S3 refuses a request that is 15 minutes off, a token may be refused after one


def doctor(
    project: Annotated[Path, typer.Argument(help="The project file.", metavar="PROJECT")],
    host: Annotated[
        str, typer.Option(help="Address of the KFP API.", envvar=["CICLO_KFP_HOST", "KF_PIPELINES_ENDPOINT"])
    ] = "",
) -> None:
    """Ask everything that a run, a deployment and the watch need, and say what to do about what is wrong."""
    from ciclo.components.core.project_file import read_project
    from ciclo.components.core.settings import settings

    parsed, current = read_project(project), settings()
    wrong = 0
    for finding in findings(parsed, current, host):
        wrong += bool(finding.problem)
        mark = typer.style("wrong" if finding.problem else "ok", fg="red" if finding.problem else "green")
        typer.echo(f"{finding.about:<17} {mark:<5} {finding.problem or finding.seen}")
    if wrong:
        typer.echo(f"{wrong} to mend")
        raise typer.Exit(1)


def findings(project: "Project", settings: "Settings", host: str) -> "Iterator[Finding]":
    """Every finding about this process and what it talks to, in the order in which one would mend them.

    Args:
        project: The project.
        settings: Those of this process.
        host: Address of the KFP API; empty if there is none.
    """
    from ciclo.components.runs.preflight import Finding, ask, preflight

    yield Finding("project", seen=f"{project.name}, {counted(len(project.data.columns), 'column')}, {project.task}")
    yield from preflight(project, settings)
    if settings.deployer == "process":
        yield ask("serving Python", lambda: _serving_python(settings))
        yield ask("model server", lambda: _server(project, settings))
    if settings.deployer == "seldon":
        yield from _cluster(settings)
    if host:
        yield from _kfp(project, settings, host)
    elif settings.deployer == "seldon":
        yield Finding("KFP", "no address of the KFP API is set, so the watch only recommends. Set CICLO_KFP_HOST.")


def _serving_python(settings: "Settings") -> str:
    from ciclo.components.deployment.process import serving_python

    return str(serving_python(settings))


def _server(project: "Project", settings: "Settings") -> str:
    from ciclo.components.deployment.deployer import endpoint
    from ciclo.components.releases.names import SERVING
    from ciclo.components.releases.registry import open_registry

    running = endpoint(project.name, settings)
    serving = open_registry(project.name, settings).alias(SERVING)
    if running is not None:
        return running.summary
    if serving is None:
        return "nothing serves yet"
    raise DeploymentError(
        f"the server of version {serving.version} does not run on this machine", hint="ciclo deploy starts it again."
    )


def _cluster(settings: "Settings") -> "Iterator[Finding]":
    from ciclo.components.deployment.cluster import Cluster
    from ciclo.components.deployment.inspection import questions
    from ciclo.components.runs.preflight import Finding, ask

    try:
        asked = questions(settings, Cluster())
    except CicloError as error:
        yield Finding("Kubernetes", problem=str(error))
        return
    for about, question in asked:
        finding = ask(about, question)
        yield finding
        if about == "Kubernetes" and finding.problem:
            return  # nobody is there to answer the rest


def _kfp(project: "Project", settings: "Settings", host: str) -> "Iterator[Finding]":
    from ciclo.components.monitoring.submitting.kfp_api import KfpApi
    from ciclo.components.runs.preflight import Finding, ask

    steps: list[tuple[str, Callable[[KfpApi], str]]] = [
        ("KFP", _reached),
        ("KFP sign-in", lambda api: _signed_in(api, project, settings)),
        ("clock", _clock),
    ]
    try:
        api = KfpApi(host, settings, setting="CICLO_KFP_HOST or --host")
    except CicloError as error:
        yield Finding("KFP", problem=str(error))
        return
    for about, step in steps:
        finding = ask(about, lambda step=step: step(api))  # type: ignore[misc]
        yield finding
        if about == "KFP" and finding.problem:
            return


def _reached(api: "KfpApi") -> str:
    api.reach()
    return f"answers at {api.host}"


def _signed_in(api: "KfpApi", project: "Project", settings: "Settings") -> str:
    known = api.experiment_named(project.name, settings.kfp_namespace)
    return f"may read experiments; {project.name} {'is one' if known else 'is none yet: the first run makes it'}"


def _clock(api: "KfpApi") -> str:
    import urllib3

    try:
        answer = urllib3.request("GET", f"{api.host}/apis/v2beta1/healthz", timeout=5.0, retries=False)
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (urllib3.exceptions.HTTPError, KeyError, ValueError) as error:
        return f"not compared: {type(error).__name__}"
    seconds = abs((datetime.now(UTC) - theirs).total_seconds())
    if seconds > SKEW_SECONDS:
        raise SubmissionError(
            f"this clock and that of {api.host} are {seconds:,.0f} s apart", hint="Let both follow a time server."
        )
    return "agrees with that of KFP to within a minute"
