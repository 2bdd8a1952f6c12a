"""The section of the README that leads to a cluster, as its reader would type it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def section() -> str:
    """Its text."""
    _, found, rest = (ROOT / "README.md").read_text().partition("\n## To a cluster\n")
    assert found, "the README has no such section"
    return rest.partition("\n## ")[0]


def commands() -> list[str]:
    """The lines of its blocks of code, in order."""
    blocks = re.findall(r"^```\n(.*?)^```$", section(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 4, "blocks of code"
    return [line for block in blocks for line in block.splitlines() if line]
