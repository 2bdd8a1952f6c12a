"""The README's section "To a cluster" names nothing that does not exist, and can be typed into bash and zsh."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from ciclo.components.core.project_file import read_project
from ciclo.components.core.settings import Settings
from ciclo.components.deployment.seldon import seldon_deployment, service, service_name
from ciclo.pipelines.command.app import app
from tests.manifests.conftest import renderings
from tests.manifests.rendering import name_of
from tests.readme import ROOT, commands, section

MADE = {"wine.yaml", "deploy", ".venv/bin/activate"}
MOST_LINES = 69


def words() -> list[list[str]]:
    """Every command of the section as its words; ``a && b`` is two."""
    found = []
    for line in commands():
        part: list[str] = []
        for word in [*shlex.split(line), "&&"]:
            if word in ("&&", "&"):
                found += [part] if part else []
                part = []
            else:
                part.append(word)
    return found


def those_of(program: str) -> list[list[str]]:
    found = [command[1:] for command in words() if command[0] == program]
    assert found, f"the section has no {program}"
    return found


def test_it_is_short_and_every_shell_can_be_given_its_lines() -> None:
    assert len(section().strip().splitlines()) + 2 <= MOST_LINES
    for line in commands():
        assert "#" not in line, f"a comment is no comment when it is typed into zsh: {line}"


def test_every_file_is_there() -> None:
    files = [
        word.removeprefix("@") for command in words() for word in command if re.match(r"@?(manifests|examples)/", word)
    ]
    links = re.findall(r"\]\(([^)]+)\)", section())
    assert len(files) > 5
    assert links
    assert [name for name in (*files, *links) if not (ROOT / name).exists()] == []
    left = {word for command in words() for word in command if re.fullmatch(r"[\w./-]+\.(yaml|sh)|deploy", word)}
    assert {name for name in left if not (ROOT / name).exists()} <= MADE


def test_every_target_of_make_and_image_is_that_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for targets in those_of("make"):
        for target in targets:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    built = re.findall(r"^(?:SERVING_)?IMAGE \?= (\S+)$", makefile, re.MULTILINE)
    assert those_of("kind") == [["load", "docker-image", *built]]
    named = {command[command.index("--image") + 1] for command in those_of("ciclo") if "--image" in command}
    assert named == {built[0]}


def test_every_command_and_option_is_one_of_ciclo() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    spoken = re.findall(r"`ciclo ([a-z]+)((?: --[a-z-]+)*)", section())
    assert spoken
    for name, *arguments in [*those_of("ciclo"), *([name, *options.split()] for name, options in spoken)]:
        assert name in root.commands, name
        known = {option for parameter in root.commands[name].params for option in parameter.opts}
        assert {word for word in arguments if word.startswith("-")} <= known, f"ciclo {name}"


def test_every_object_is_one_that_the_overlay_or_a_run_makes(tmp_path: Path) -> None:
    objects = renderings()["standalone"].objects
    names = {name_of(one).lower().replace(" ", "/") for one in objects}
    labels = [one["metadata"]["labels"] for one in (seldon_deployment("wine", "n", []), service("wine", "n", "blue"))]
    asked = [word for command in those_of("kubectl") for word in command]
    assert {asked[i + 1] for i, word in enumerate(asked) if word == "-n"} == {"kubeflow"}
    assert {one["metadata"]["namespace"] for one in objects} == {"kubeflow"}
    mine = {f"service/{service_name('wine')}"}
    assert {word for word in asked if re.fullmatch(r"(job|service)/\S+", word)} <= names | mine
    key, _, value = asked[asked.index("-l") + 1].partition("=")
    assert [label[key] for label in labels] == [value, value]
    table = re.findall(r"^\| (ConfigMap|Secret) `([a-z-]+)` \|", section(), re.MULTILINE)
    assert len(table) == 5
    assert {f"{kind}/{name}".lower() for kind, name in table} <= names


def test_every_setting_is_known() -> None:
    fields = {f"CICLO_{name.upper()}" for name in Settings.model_fields}
    found = set(re.findall(r"CICLO_[A-Z0-9_]+", section() + (ROOT / "manifests/connect.sh").read_text())) - {"CICLO_"}
    assert len(found) > 8
    assert found <= fields


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("sed ")])
def test_what_it_changes_in_the_project_makes_it_one_that_a_cluster_can_read(tmp_path: Path, line: str) -> None:
    _, expression, file, _, _ = shlex.split(line)
    _, old, new, _ = expression.split("|")
    text = (ROOT / file).read_text()
    assert text.count(old) == 1
    (tmp_path / "wine.yaml").write_text(text.replace(old, new))
    uploaded = next(command[2] for command in those_of("ciclo") if command[0] == "upload")
    assert read_project(tmp_path / "wine.yaml").data.source == uploaded
