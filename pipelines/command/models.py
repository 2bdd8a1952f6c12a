"""``ciclo models``: look at the versions of a project, and move its champion."""

import getpass
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciclo.components.core.errors import CicloError, NotFoundError, ProjectError

if TYPE_CHECKING:
    from ciclo.components.core.report import Document
    from ciclo.components.core.settings import Settings
    from ciclo.components.releases.names import Alias
    from ciclo.components.releases.registry import Origin, Registry
    from ciclo.components.storage.bundle import Record

app = typer.Typer(help="The versions of a project's model.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The project file, or the name of the project.", metavar="PROJECT")]
Version = Annotated[
    str, typer.Argument(help="A number, or a name: candidate, champion, previous, serving.", metavar="VERSION")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option(help="Why; it is kept in the history.")]
Override = Annotated[
    str, typer.Option(help="A reason to do it though the rules say no; it is kept in the history for good.")
]
By = Annotated[str, typer.Option(help="Who does it; by default the user of this machine.")]


@app.callback()
def _group() -> None:
    """The versions of a project's model."""


@app.command("list")
def list_versions(
    project: Name,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest to show.")] = 20,
    run: Annotated[str, typer.Option(help="Only what this run made; the beginning of its id is enough.")] = "",
    data: Annotated[str, typer.Option(help="Only what was made of data with this digest, or one that begins so.")] = "",
    as_json: Json = False,
) -> None:
    """List versions, newest first."""
    from ciclo.pipelines.command.tables import show_list

    registry, current = open_named(project)
    asked: tuple[tuple[Origin, str], ...] = (("run", run), ("data", data))
    found = [set(registry.find(origin, start)) for origin, start in asked if start]
    versions = sorted(set.intersection(*found)) if found else registry.versions()
    names = _names(registry)
    stories = [_story_of(registry, version, names) for version in reversed(versions[-last:])]
    if as_json:
        _print(stories)
    else:
        show_list(registry.project, current.store_uri, stories, len(versions))
    if any("problem" in version for version in stories):
        raise typer.Exit(1)


@app.command()
def show(project: Name, version: Version = "champion", as_json: Json = False) -> None:
    """Tell what made a version: data, code, images, libraries, parameters, run, parent and verdict; and its moves."""
    from ciclo.components.releases.story import sections, story
    from ciclo.pipelines.command.tables import show_one

    registry, _ = open_named(project)
    number = _number(registry, version)
    record = registry.record(number)
    stories = story(record, names=_names(registry).get(number, []), moves=registry.history())
    if as_json:
        _print(stories)
    else:
        show_one(stories, sections(record))


@app.command()
def diff(
    project: Name,
    a: Annotated[str, typer.Argument(help="A version, as number or name.")],
    b: Annotated[str, typer.Argument(help="Another version.")],
    as_json: Json = False,
) -> None:
    """Show two versions side by side: data, parameters, metrics, verdict and card."""
    from ciclo.components.releases.story import differences, sections
    from ciclo.pipelines.command.tables import show_differences

    registry, _ = open_named(project)
    records = [registry.record(_number(registry, version)) for version in (a, b)]
    left, right = (sections(record, _card(registry, record)) for record in records)
    found = differences(left, right)
    if as_json:
        _print({"versions": [record.version for record in records], "sections": found})
    else:
        show_differences(registry.project, records[0].version, records[1].version, found)


@app.command()
def approve(
    project: Name,
    version: Version,
    by: Annotated[str, typer.Option(help="Who approves.")],
    why: Why = "",
    as_json: Json = False,
) -> None:
    """Approve a version that waits for it, which makes it the champion; `ciclo deploy` or the next run serves it."""
    from ciclo.components.releases import promotion
    from ciclo.components.storage.signing import signer_from

    registry, current = open_named(project)
    number = _number(registry, version)
    moved = promotion.approve(registry, number, by=by, why=why, signer=signer_from(current))
    _say_moved(registry, moved, as_json)


@app.command()
def promote(
    project: Name, version: Version, why: Why = "", override: Override = "", by: By = "", as_json: Json = False
) -> None:
    """Make a version the champion, if its verdict allows it today."""
    from ciclo.components.releases import promotion
    from ciclo.components.storage.signing import signer_from

    registry, current = open_named(project)
    number = _number(registry, version)
    moved = promotion.promote(registry, number, by=person(by), why=why, override=override, signer=signer_from(current))
    _say_moved(registry, moved, as_json)


@app.command()
def rollback(
    project: Name,
    why: Why,
    to: Annotated[str, typer.Option(help="An earlier champion; by default the last that was not rolled back.")] = "",
    override: Override = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Make an earlier champion the champion again; what was rolled back is not promoted again."""
    from ciclo.components.releases import promotion
    from ciclo.components.storage.signing import signer_from

    registry, current = open_named(project)
    moved = promotion.rollback(
        registry,
        to=_number(registry, to) if to else None,
        by=person(by),
        why=why,
        override=override,
        signer=signer_from(current),
    )
    _say_moved(registry, moved, as_json)


@app.command()
def restore(project: Name, why: Why, by: By = "", as_json: Json = False) -> None:
    """Make the tested model of the champion the champion, in place of the one that was fitted anew on all rows."""
    from ciclo.components.publishing import restoring
    from ciclo.components.storage.signing import signer_from

    registry, current = open_named(project)
    moved = restoring.restore(registry, by=person(by), why=why, signer=signer_from(current))
    _say_moved(registry, moved, as_json)


@app.command()
def repair(project: Name, as_json: Json = False) -> None:
    """Put the newest signed move back where a name's pointer is gone or damaged; set damaged moves aside."""
    registry, _ = open_named(project)
    repaired, damaged = registry.repair(), registry.set_aside()
    for key in damaged:
        typer.echo(f"{key} could not be trusted and was set aside", err=as_json)
    if as_json:
        _print({name: asdict(alias) for name, alias in repaired.items()})
        return
    for name, alias in repaired.items():
        typer.echo(f"{name} points at version {alias.version} again, as {alias.by} moved it on {alias.moved_at[:19]}")
    if not repaired and not damaged:
        typer.echo(f"{registry.project}: nothing had to be, or could be, put back")


@app.command()
def prune(
    project: Name,
    keep: Annotated[int, typer.Option(help="How many of the newest versions to keep whole.")] = 20,
    run_days: Annotated[
        int | None, typer.Option(min=1, help="Also delete what the stages of runs older than so many days wrote down.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    by: By = "",
    as_json: Json = False,
) -> None:
    """Delete old versions; what a name points at stays, and of its ancestors their lineage and verdict."""
    from ciclo.components.releases import retention
    from ciclo.components.runs.records import forget
    from ciclo.pipelines.command.tables import show_pruned

    registry, _ = open_named(project)
    pruned = retention.prune(registry, keep=keep, by=person(by), dry_run=dry_run)
    runs = []
    if run_days is not None:
        before = datetime.now(UTC) - timedelta(days=run_days)
        runs = forget(registry.store, registry.project, before, dry_run=dry_run)
    if as_json:
        _print({**asdict(pruned), "runs": runs})
    else:
        show_pruned(pruned, runs, dry_run=dry_run)


@app.command()
def export(
    project: Name,
    version: Version,
    to: Annotated[str, typer.Option(help="Address of a Kubeflow Model Registry, http://host:port or https://...")],
    token: Annotated[str, typer.Option(help="What it lets you in with; better in CICLO_MODEL_REGISTRY_TOKEN.")] = "",
    ca: Annotated[Path | None, typer.Option(help="PEM file of the authorities to trust.")] = None,
    storage_key: Annotated[str, typer.Option(help="Kubernetes secret with which KServe reads the store.")] = "",
    by: By = "",
    as_json: Json = False,
) -> None:
    """Describe a version in a Kubeflow Model Registry (needs the extra `model-registry`)."""
    from ciclo.components.publishing import kubeflow

    registry, current = open_named(project)
    token = token or current.model_registry_token.get_secret_value()
    record = registry.record(_number(registry, version))
    uri = f"{current.store_uri.rstrip('/')}/{registry.root}/versions/{record.version}/{record.served}"
    exported = kubeflow.export(record, uri, to, author=person(by), token=token, ca=ca, storage_key=storage_key)
    if as_json:
        _print(asdict(exported))
    else:
        typer.echo(f"version {record.version} of {record.project} is model version {exported.version} at {to}")


def open_named(project: str) -> "tuple[Registry, Settings]":
    """The registry of a project that is given by its file or its name, and the settings."""
    from ciclo.components.core.settings import settings
    from ciclo.components.releases.registry import open_registry

    name, path = project, Path(project)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        from ciclo.components.core.project_file import read_project

        name = read_project(path).name
    from ciclo.components.core.project import NAME

    if not NAME.fullmatch(name):
        raise ProjectError("this is an invalid project name", seen=repr(project), hint="Give it, or its project file.")
    return open_registry(name, settings()), settings()


def _number(registry: "Registry", version: str) -> int:
    if version.isdecimal():
        return int(version)
    found = registry.alias(version) if version.isidentifier() else None
    if found is None:
        raise NotFoundError(
            f"{registry.project} has no version '{version}'",
            seen=f"names: {', '.join(registry.aliases()) or 'none'}",
            hint="See `ciclo models list`.",
        )
    return found.version


def _names(registry: "Registry") -> dict[int, list[str]]:
    """What to call versions: the names that point at them, and which were pruned."""
    names: dict[int, list[str]] = {}
    for name, alias in registry.aliases().items():
        names.setdefault(alias.version, []).append(name)
    for version in registry.numbers("pruned"):
        names.setdefault(version, []).append("pruned")
    return names


def _story_of(registry: "Registry", version: int, names: dict[int, list[str]]) -> dict[str, Any]:
    """What is known of a version, or why nothing is."""
    from ciclo.components.releases.story import story

    try:
        return story(registry.record(version), names=names.get(version, []))
    except CicloError as error:
        return {"version": version, "names": names.get(version, []), "problem": str(error)}


def _card(registry: "Registry", record: "Record") -> "Document | None":
    from ciclo.components.core.report import Document
    from ciclo.components.storage.bundle import CARD_DATA

    try:
        return Document.model_validate_json(registry.read(record, CARD_DATA))
    except NotFoundError:  # pruned
        return None


def _say_moved(registry: "Registry", moved: "Alias", as_json: bool) -> None:
    if as_json:
        _print(asdict(moved))
        return
    typer.echo(f"{registry.project}: version {moved.version} is the champion (move {moved.sequence}, by {moved.by})")
    typer.echo("What serves is not changed by this. To serve it: ciclo deploy PROJECT")


def person(by: str) -> str:
    """Who does something: whom the option names, else the user of this machine."""
    return by or _user()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        return f"user {os.getuid()}"


def _print(document: object) -> None:
    typer.echo(json.dumps(document, indent=2))
