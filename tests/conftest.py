"""Real servers for tests: started when first asked for, on 127.0.0.1, stopped by their process."""

import gc
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from ciclo.components.core.settings import Settings
from tests.depth import rounds
from tests.rehearsals import rehearse_warm

rehearse_warm()
# No test may depend on how fast a machine is.
calm = settings(max_examples=rounds(25, 100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("calm", calm, print_blob=True)
settings.load_profile("calm")
# Two tests run at a time: the threads of their small models would only wait for each other.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
# The tests of these fork what they start off one process, which took seconds to start.
TOGETHER = ("tests/local/", "tests/unit/training/")


class _ByFile(LoadFileScheduling):
    """Of each file all tests on one worker, and of some folders all files."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in TOGETHER if nodeid.startswith(folder)), super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of slow tests come first: a worker that gets one of them last ends long after the others."""
    slow = Counter(item.path for item in items if "unit" not in item.path.parts or item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """What the tests have imported stays: to walk it again and again is a twentieth of their time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the S3 emulator did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one, for tests that sync files thousands of times."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of an S3 emulator."""
    port, folder = _free_port(), tmp_path_factory.mktemp("s3")
    environment = {
        **os.environ,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    log = folder / "log"
    with log.open("wb") as output:
        command = [sys.executable, "-m", "ministack"]
        server = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        try:
            _wait_for(port, server, log)
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture
def s3_settings(s3_endpoint: str, tmp_path: Path) -> Settings:
    """Settings of a process whose store is a new bucket of the emulator."""
    from ciclo.components.storage.s3 import s3_client

    bucket = f"test-{uuid.uuid4().hex}"
    settings = Settings(
        home=tmp_path / "home",
        store=f"s3://{bucket}/ciclo",
        s3_endpoint=s3_endpoint,
        s3_access_key="test",
        s3_secret_key="test-secret",
        s3_secure=False,
    )
    s3_client(settings).make_bucket(bucket)
    return settings
