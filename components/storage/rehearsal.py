"""Rehearsals: a child process loads a model file that nobody vouches for before this process does.

The child imports what it needs, then gives up memory, processor time, files and processes beyond its limits, then
loads. Whatever the file does to it (crash it, fill its memory, keep it busy) ends with the child, and is told as an
``IntegrityError`` that names the file and the limit. The child has nothing worth taking: no credentials in its
environment, no input, no files but the models.

A file that passed is harmless to load, not to use: a forged tree is followed only when it predicts.

The limit on memory is on address space and needs Linux.
"""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciclo.components.core.errors import CicloError, IntegrityError
from ciclo.components.storage.archive import check_archive
from ciclo.components.storage.models import parse_model

GROWTH = 6  # address space over unpacked size; fitted forests need up to 4
ENVIRONMENT = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
READY = "ready"
OPEN_FILES = 32


@dataclass(frozen=True)
class Limits:
    """What a rehearsal may cost.

    Attributes:
        memory: Bytes of address space that loading may add, or a few times the unpacked file if that is more.
        cpu: Seconds of processor time for each file.
        wall: Seconds on the clock for the start and for each file; a busy machine takes ten to start.
    """

    memory: int = 256 << 20
    cpu: int = 30
    wall: float = 60.0


LIMITS = Limits()


def rehearse(*paths: Path, limits: Limits = LIMITS) -> list[str]:
    """Load model files in one child process within limits, and forget them.

    Args:
        paths: The files.
        limits: What it may cost.

    Returns:
        sha256 of what was loaded from each file, hex.

    Raises:
        IntegrityError: If one is anything but a skops archive of trusted types that loads within the limits.
    """
    if not paths:
        return []
    unpacked = max(_check(path) for path in paths)
    memory = max(limits.memory, GROWTH * unpacked)
    arguments = [str(memory), str(limits.cpu), *(os.path.abspath(path) for path in paths)]
    # The child stays in the process group of its parent, so that whoever ends a run by its group ends a rehearsal too.
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", "ciclo.components.storage.rehearsal", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=_environment(),
    )
    try:
        output, _ = process.communicate(timeout=limits.wall * (1 + len(paths)))
        late = False
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        late = True
    except BaseException:
        process.kill()
        process.communicate()
        raise
    lines = output.decode(errors="replace").splitlines()
    end = f"it took longer than {limits.wall * (1 + len(paths)):g} s" if late else _end(process.returncode, limits)
    return _digests(paths, lines, end, memory)


def load_models(paths: Iterable[str | Path]) -> list[Any]:
    """Read fitted estimators from files that nobody vouches for, after one rehearsal of them all.

    Raises:
        IntegrityError: If a file, which is named, is anything but a skops archive of trusted types, or its rehearsal
            failed.
    """
    files = [Path(path) for path in paths]
    models = []
    for file, digest in zip(files, rehearse(*files), strict=True):
        data = file.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise IntegrityError(f"the model file '{file}' was changed while it was being read")
        models.append(parse_model(data))
    return models


def _check(path: Path) -> int:
    try:
        return check_archive(path.read_bytes())
    except IntegrityError as error:
        raise IntegrityError(f"{error.problem}: '{path}'", seen=error.seen) from error


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {**kept, **threads, "PYTHONDONTWRITEBYTECODE": "1"}


def _end(code: int, limits: Limits) -> str:
    """How the child ended, empty if well."""
    if code >= 0:
        return f"it ended with code {code}" if code else ""
    name = signal.Signals(-code).name
    if name == "SIGXCPU":
        return f"it took more than {limits.cpu} s of processor time"
    return f"it was ended by {name}"


def _digests(paths: Sequence[Path], lines: list[str], end: str, memory: int) -> list[str]:
    """The digests that the child printed.

    Raises:
        IntegrityError: If it did not say one for every file and end well.
    """
    if lines[:1] != [READY]:
        raise IntegrityError(
            "no model file could be rehearsed: the process that loads it first did not start",
            seen=end or lines[:1],
            hint="Give this machine more memory and time, and check that the environment is whole.",
        )
    digests: list[str] = []
    for line in lines[1:]:
        answer = _answer(line)
        if "digest" not in answer:
            limit = f"it needs more than {memory >> 20} MiB of memory" if answer.get("memory") else ""
            raise _refused(paths[len(digests)], limit or answer.get("refused", line[:100]))
        digests.append(str(answer["digest"]))
        if len(digests) == len(paths):
            break
    if end or len(digests) != len(paths):
        raise _refused(paths[min(len(digests), len(paths) - 1)], end or "it exited without output")
    return digests


def _answer(line: str) -> dict[str, object]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(path: Path, seen: object) -> IntegrityError:
    return IntegrityError(
        f"the model file '{path}' cannot be trusted: loading it failed in a process of its own",
        seen=seen,
        hint="Train again; do not use this file.",
    )


# What the child does.


def _limit(kind: int, most: int, spare: int = 0) -> None:
    _, hard = resource.getrlimit(kind)
    ceiling = most + spare if hard == resource.RLIM_INFINITY else min(most + spare, hard)
    resource.setrlimit(kind, (min(most, ceiling), ceiling))


def _seconds() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int(used.ru_utime + used.ru_stime) + 1


def _confine(memory: int) -> None:
    with open("/proc/self/statm") as status:
        now = int(status.read().split()[0]) * resource.getpagesize()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_AS, now + memory)


def _load(path: str) -> dict[str, object]:
    """Load a file and forget it; what there is to say of it."""
    try:
        data = Path(path).read_bytes()
        model = parse_model(data)
        model.get_params()
        del model
        return {"digest": hashlib.sha256(data).hexdigest()}
    except Exception as error:  # a forged model may raise anything when it is asked for its parameters
        memory = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
        seen = error.seen if isinstance(error, CicloError) and error.seen is not None else error
        return {"refused": str(seen)[:300], "memory": memory}


def _main(memory: int, cpu: int, paths: Sequence[str]) -> None:
    import skops.io  # noqa: F401  and with it every estimator there is

    _confine(memory)
    _limit(resource.RLIMIT_CPU, _seconds() + cpu, spare=cpu * len(paths))
    print(READY, flush=True)
    for path in paths:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (min(_seconds() + cpu, hard), hard))
        answer = _load(path)
        print(json.dumps(answer), flush=True)
        if "digest" not in answer:
            return


if __name__ == "__main__":
    _main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
