"""An answered prediction is stored exactly once, whatever dies in between."""

import os
import signal
import threading
import time
from http.client import HTTPException

from ciclo.components.deployment import process
from tests.depth import thorough
from tests.serving.conftest import publish, serve


def kill(server):
    """Let the whole process group die at once, without a chance to write or send anything."""
    os.killpg(server.endpoint.pid, signal.SIGKILL)
    while process.alive(server.endpoint):
        time.sleep(0.02)
    os.waitpid(server.endpoint.pid, 0)


def ask_until_it_dies(server, name, acknowledged):
    rows = server.published.requests(3)
    for n in range(100_000):
        request_id = f"{name}-{n}"
        try:
            server.predict(rows, puid=request_id)
        except (OSError, HTTPException, ValueError):
            return
        acknowledged.append(request_id)


@thorough
def test_kill_9_under_load_with_the_database_down_loses_nothing(tmp_path):
    published = publish(tmp_path, estimator="logistic_regression")
    folder = tmp_path / "database"
    folder.write_text("a file where the database's folder should be: it is down")
    down = {"predictions": f"sqlite:///{folder}/predictions.sqlite"}

    server = serve(published, **down)
    acknowledged: list[str] = []
    clients = [threading.Thread(target=ask_until_it_dies, args=(server, f"client{n}", acknowledged)) for n in range(3)]
    for client in clients:
        client.start()
    while len(acknowledged) < 60:
        time.sleep(0.02)
    kill(server)
    for client in clients:
        client.join()

    server = serve(published, **down)
    try:
        server.predict(server.published.requests(3), puid="after-the-kill")
        folder.unlink()
        wanted = {*acknowledged, "after-the-kill"}
        stored = server.recorded(lambda found: wanted <= set(found["request_id"]))
    finally:
        process.stop(server.endpoint)
    rows = stored.groupby("request_id")["row"].agg(sorted)
    assert all(rows[request_id] == [0, 1, 2] for request_id in wanted)
    assert len(rows) <= len(wanted) + len(clients)  # the last request of each may be stored unanswered
    assert list((tmp_path / "spool" / "unit").iterdir()) == []
