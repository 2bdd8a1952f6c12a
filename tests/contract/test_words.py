"""One word for one thing: names in the code keep to the glossary of CONTRIBUTING.md."""

import ast
import functools
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [p for folder in ("components", "pipelines", "examples") for p in sorted((ROOT / folder).rglob("*.py"))]
PRODUCT = [p for p in FILES if p.relative_to(ROOT).parts[0] != "examples"]
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


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


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
    for name, line, of_object in names(parsed(path)):
        retired = RETIRED if of_object else RETIRED | EMPTY
        found += [f"line {line}: {name}; say {retired[word]}" for word in sorted(parts(name) & set(retired))]
    assert not found


# What is counted in messages; `counted` of core.wording knows one from several.
SEVERAL = re.compile(
    " (?:(?:more|other|test|labelled|newest|training|validation|different|whole) )?(?:rows|columns|values|days|runs"
    "|versions|features|classes|windows|predictions|labels|trials|lines|records|models|folds|times|characters|parts|ticks|requests"
    "|slices|others|patterns|bytes|checks|reasons|hours|minutes)(?![a-z])"
)


def countings(tree: ast.AST) -> Iterator[str]:
    """Every place of a message that puts a word for several after a number it was given, be it one or not.

    Shares, limits that are constants and text in quotes are none.
    """
    for message in ast.walk(tree):
        for given, then in pairwise(message.values if isinstance(message, ast.JoinedStr) else ()):
            match given, then:
                case ast.FormattedValue(conversion=-1), ast.Constant(str(words)) if SEVERAL.match(words):
                    value = ast.unparse(given.value)
                    form = "" if given.format_spec is None else ast.unparse(given.format_spec)
                    if not (value.rpartition(".")[2].isupper() or "%" in form or ".1f" in form):
                        yield f"line {given.lineno}: {value}{words}"


@pytest.mark.parametrize("path", PRODUCT, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_message_that_counts_says_one_where_there_is_one(path: Path) -> None:
    assert not [f"{place!r}; say counted(…)" for place in countings(parsed(path))]


@pytest.mark.parametrize("wrong", ["{n} rows", "{len(n):,} more columns.", "{a.days:g} days", "{n} of {m} runs"])
def test_a_message_that_only_knows_several_is_found(wrong: str) -> None:
    assert len([*countings(ast.parse(f"f'{wrong}'"))]) == 1


@pytest.mark.parametrize(
    "fine", ["{counted(n, 'row')} left", "{MOST} rows", "{n:.0%} rows", "{n!r} runs", "{n} rowsets"]
)
def test_a_message_that_counts_right_or_not_at_all_is_fine(fine: str) -> None:
    assert not [*countings(ast.parse(f'f"{fine}"'))]


def test_there_are_files_and_names_to_look_at() -> None:
    assert len(FILES) > 100
    assert parts("_judged_rows") >= {"judged"}
    assert parts("TOLD") == {"told"}
    assert parts("writePage") == {"write", "page"}


@pytest.mark.slow
def test_every_word_of_the_glossary_is_spoken_by_the_code() -> None:
    words = glossary()
    assert len(words) >= 25
    spoken = {word for path in FILES for name, _, _ in names(parsed(path)) for word in parts(name)}
    silent = [word for word in words if not {*word.split()} & (spoken | {w.removesuffix("s") for w in spoken})]
    assert not silent
