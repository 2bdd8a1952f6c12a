"""Environments of peers: what we are measured beside lives apart from what we need ourselves."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def interpreter(home: Path, wanted: Sequence[str]) -> Path:
    """The interpreter of an environment, which is made if it is missing.

    Args:
        home: Its folder, below ``build/``.
        wanted: What is installed in it, as pip writes it.
    """
    python, ready = home / "bin" / "python", home / "ready"
    if not ready.exists():
        uv = home.parent / "uv" / "bin" / "uv"
        if uv.exists():
            subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, home], check=True)
            subprocess.run([uv, "pip", "install", "--quiet", "--python", home, *wanted], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        ready.touch()
    return python
