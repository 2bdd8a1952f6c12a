"""Rehearsals: whatever a model file does to the process that loads it, this one only hears of it."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression

from ciclo.components.core.errors import IntegrityError
from ciclo.components.storage.models import dump_model
from ciclo.components.storage.rehearsal import Limits, load_models, rehearse
from tests.depth import some, thorough
from tests.forged_models import costly, hostile

COSTLY = costly()


def _children() -> set[int]:
    """Processes of this one, zombies too."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid():
            found.add(int(folder.name))
    return found


def _rehearsing(before: set[int]) -> int:
    """The child, once it is what it was started to be."""
    for _ in range(600):
        for child in _children() - before:
            if b"ciclo.components.storage.rehearsal" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        threading.Event().wait(0.05)
    raise AssertionError("no rehearsal was started")


@pytest.fixture(autouse=True)
def cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is without the fork of tests/rehearsals.py."""
    monkeypatch.setattr("ciclo.components.storage.rehearsal.subprocess", subprocess)


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    before = _children()
    yield
    assert _children() <= before
    assert not (tmp_path / "mark").exists()


@pytest.fixture
def honest(tmp_path: Path) -> Path:
    path = tmp_path / "honest.skops"
    dump_model(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), path)
    return path


def _interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Have something else stand where the child would."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))


@pytest.mark.slow
@pytest.mark.parametrize("end", some(sorted(COSTLY)))
def test_a_file_that_harms_its_process_is_named_with_the_limit_it_ran_into(
    end: str, honest: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged.skops"
    forged.write_bytes(COSTLY[end])
    before = set(tmp_path.iterdir())
    with pytest.raises(IntegrityError, match=end) as caught:
        rehearse(honest, forged, honest, limits=Limits(cpu=3) if end == "processor time" else Limits())
    assert str(forged) in str(caught.value)
    assert str(honest) not in str(caught.value)
    assert set(tmp_path.iterdir()) == before


@thorough
def test_memory_stays_within_the_limit(honest: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.skops"
    forged.write_bytes(COSTLY["memory"])
    script = """
import resource, sys
from pathlib import Path
from ciclo.components.core.errors import IntegrityError
from ciclo.components.storage.rehearsal import LIMITS, rehearse
def peak(): return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
honest, forged = map(Path, sys.argv[1:])
rehearse(honest)
usual = peak()
try:
    rehearse(forged)
except IntegrityError:
    print(peak() - usual, LIMITS.memory)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, honest, forged], capture_output=True, text=True, check=True, timeout=120
    )
    grown, limit = map(int, done.stdout.split())
    assert limit // 2 < grown <= limit


@thorough
def test_a_hung_child_is_ended_by_the_clock_and_had_nothing_worth_taking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("CICLO_SIGNING_KEY", "hunter2")
    forged = tmp_path / "forged.skops"
    forged.write_bytes(COSTLY["processor time"])
    before = _children()
    with ThreadPoolExecutor(1) as pool:
        rehearsal = pool.submit(rehearse, forged, limits=Limits(wall=2))
        child = _rehearsing(before)
        environment = Path(f"/proc/{child}/environ").read_bytes()
        assert os.readlink(f"/proc/{child}/fd/0") == "/dev/null"
        assert os.getpgid(child) == os.getpgid(0)  # so it ends with a run that is interrupted
    assert b"PYTHONDONTWRITEBYTECODE=" in environment
    assert b"hunter2" not in environment
    with pytest.raises(IntegrityError, match="longer than 4 s"):
        rehearsal.result()


def test_a_child_that_the_kernel_ends_is_told_as_such(tmp_path: Path) -> None:
    forged = tmp_path / "forged.skops"
    forged.write_bytes(COSTLY["processor time"])
    before = _children()
    with ThreadPoolExecutor(1) as pool:
        rehearsal = pool.submit(rehearse, forged)
        os.kill(_rehearsing(before), signal.SIGKILL)
    with pytest.raises(IntegrityError, match="SIGKILL"):
        rehearsal.result()


@pytest.mark.slow
def test_a_file_of_foreign_types_is_refused_as_it_is_without_a_rehearsal(honest: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.skops"
    forged.write_bytes(hostile(f"touch {tmp_path / 'mark'}", honest.read_bytes())["constructor call"])
    with pytest.raises(IntegrityError, match=r"forged\.skops.*posix\.system"):
        load_models([honest, forged])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", some(["pickle", "cut", "huge array", "pickle inside an array", "zip bomb", "empty"], 2)
)
def test_a_file_of_another_format_does_not_get_as_far_as_a_child(
    kind: str, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interpreter(tmp_path, monkeypatch, f"touch {tmp_path / 'mark'}")
    forged = tmp_path / "forged.skops"
    forged.write_bytes(hostile("true", honest.read_bytes())[kind])
    with pytest.raises(IntegrityError, match=r"forged\.skops"):
        rehearse(honest, forged)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("exit 1", "did not start.*code 1"),
        ("kill -SEGV $$", "did not start.*SIGSEGV"),
        ("echo nonsense", "did not start.*nonsense"),
        ("echo ready", r"honest\.skops.*exited without output"),
        ("echo ready; echo nonsense", r"honest\.skops.*nonsense"),
        ("echo ready; echo []; echo '{'", r"honest\.skops"),
        ('echo ready; echo \'{"digest": "%s"}\'; exit 7', r"honest\.skops.*code 7"),
        ('echo ready; echo \'{"digest": "00"}\'', r"honest\.skops.*changed"),
    ],
)
def test_no_end_but_a_good_one_is_taken_for_good(
    script: str, problem: str, honest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _interpreter(tmp_path, monkeypatch, script.replace("%s", hashlib.sha256(honest.read_bytes()).hexdigest()))
    with pytest.raises(IntegrityError, match=problem):
        load_models([honest])


def test_nothing_to_rehearse_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _interpreter(tmp_path, monkeypatch, "exit 1")
    assert rehearse() == []
