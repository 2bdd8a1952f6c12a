"""One word for one thing: names in the code keep to the glossary of CONTRIBUTING.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [p for folder in ("components", "pipelines", "examples") for p in sorted((ROOT / folder).rglob("*.py"))]
# Words that stood for several things, and what to say instead.
RETIRED = {
    "page": "report (HTML about a stage), or alert (a message to people)",
    "pages": "reports or alerts",
    "judge": "check, compare, decide or assess",
    "judged": "checked, compared, decided or assessed",
    "said": "predicted, answered, or the name of what it is",
    "told": "alerted, notified, or the name of what it is",
}
# Free words that are fine as a method of others (numpy.where) and say nothing as a name of ours.
EMPTY = {"where": "field, path, place or settings", "here": "settings, or the name of the place"}


def glossary() -> dict[str, str]:
    """The words of the glossary and what they mean."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = text.partition("## Glossary")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z ,]+) \| (.+?) \|$", table, flags=re.MULTILINE)
    return {word.strip(): meaning for words, meaning in rows for word in words.split(",") if word.strip() != "word"}


def names(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Every name that is given in a file: the name, its line, and whether it belongs to an object."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name, node.lineno, False
            case ast.Name():
                yield node.id, node.lineno, False
            case ast.arg():
                yield node.arg, node.lineno, False
            case ast.Attribute():
                yield node.attr, node.lineno, True


def parts(name: str) -> set[str]:
    """The words of a name."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_name_is_made_of_a_retired_word(path: Path) -> None:
    found = []
    for name, line, of_object in names(ast.parse(path.read_text())):
        retired = RETIRED if of_object else RETIRED | EMPTY
        found += [f"line {line}: {name}; say {retired[word]}" for word in sorted(parts(name) & set(retired))]
    assert not found


def test_there_are_files_and_names_to_look_at() -> None:
    assert len(FILES) > 100
    assert parts("_judged_rows") >= {"judged"}
    assert parts("TOLD") == {"told"}
    assert parts("writePage") == {"write", "page"}


@pytest.mark.slow
def test_every_word_of_the_glossary_is_spoken_by_the_code() -> None:
    words = glossary()
    assert len(words) >= 25
    spoken = {word for path in FILES for name, _, _ in names(ast.parse(path.read_text())) for word in parts(name)}
    silent = [word for word in words if not {*word.split()} & (spoken | {w.removesuffix("s") for w in spoken})]
    assert not silent
