"""``python -m ciclo.components.serving``: the microservice, the same on a laptop and on a cluster.

Without arguments it listens on this machine alone. On a cluster it is started with ``--host 0.0.0.0``; the ports are
those that Seldon's operator gives it.
"""

import argparse
import logging
import multiprocessing
import os
import sys
from typing import Any

DEFAULTS = {
    "GRPC_WORKERS": "0",  # a gRPC child is never told to stop, and the server would live until it is killed
    "GUNICORN_THREADS": "4",  # a long prediction must not fail the probes
    "GUNICORN_KEEPALIVE": "100",
    "OMP_NUM_THREADS": "1",  # several threads for one row only wait for each other
    "INCLUDE_METRICS_IN_CLIENT_RESPONSE": "false",
    "SELDON_LOG_LEVEL": "ERROR",
}
PORTS = (("HTTP", 9000), ("METRICS", 6000))


def main() -> None:
    """Parse the command line and run ``seldon_core.microservice`` within our limits."""
    http, metrics = (int(os.environ.get(f"PREDICTIVE_UNIT_{name}_SERVICE_PORT", port)) for name, port in PORTS)
    parser = argparse.ArgumentParser(prog="python -m ciclo.components.serving", description=__doc__)
    parser.add_argument("--port", type=int, default=http, help="port of predictions, feedback and health")
    parser.add_argument("--metrics-port", type=int, default=metrics, help="port of the Prometheus metrics")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    args = parser.parse_args()
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(level=logging.ERROR)
    from ciclo.components.core.errors import CicloError
    from ciclo.components.core.settings import settings
    from ciclo.components.serving.limits import limit_servers

    try:
        limit_servers(settings())
    except CicloError as error:
        sys.exit(f"error: {error}")
    multiprocessing.set_start_method("fork")  # seldon-core starts its servers from local functions
    listen_on(args.host)
    os.chdir("/")  # seldon-core imports from wherever it is started, which may be a folder of the user's
    sys.argv = [
        "seldon-core-microservice",
        "ciclo.components.serving.model.Model",
        *("--service-type", "MODEL", "--log-level", "ERROR"),
        *("--http-port", str(args.port), "--metrics-port", str(args.metrics_port)),
    ]
    from seldon_core import microservice

    microservice.main()


def listen_on(host: str) -> None:
    """Bind every gunicorn of this process to one address; seldon-core writes 0.0.0.0 into its options."""
    from gunicorn.config import Config

    plain = Config.set

    def set_on_host(config: Any, name: str, value: Any) -> None:
        plain(config, name, f"{host}:{value.rpartition(':')[2]}" if name == "bind" else value)

    Config.set = set_on_host


if __name__ == "__main__":
    main()
