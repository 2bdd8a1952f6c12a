"""Fill the empty Secrets of a development installation with random keys; what is filled already stays."""

import base64
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client import ApiException

from ciclo.components.storage.signing import make_keys

TRUST = "ciclo-trust"
NAMES = ("ciclo-postgresql", "ciclo-minio", "ciclo", "ciclo-serving", "ciclo-signing", TRUST)
ATTEMPTS, PAUSE = 10, 1.0
Contents = dict[str, dict[str, str]]


def missing(
    filled: Mapping[str, Mapping[str, str]], random: Callable[[], str], pair: Callable[[str], tuple[str, str]]
) -> Contents:
    """What the objects lack; keys that depend on each other are taken from what is there.

    Args:
        filled: What each object holds.
        random: Makes a password.
        pair: A private key, made if it is empty, and its public key.
    """

    def known(name: str, key: str) -> str:
        return filled.get(name, {}).get(key) or random()

    password = known("ciclo-postgresql", "POSTGRES_PASSWORD")
    database = f"postgresql+psycopg://ciclo:{password}@ciclo-postgresql:5432/ciclo"
    wanted: Contents = {
        "ciclo-postgresql": {"POSTGRES_PASSWORD": password},
        "ciclo-minio": {
            "MINIO_ROOT_USER": "ciclo-root",
            "MINIO_ROOT_PASSWORD": known("ciclo-minio", "MINIO_ROOT_PASSWORD"),
        },
    }
    for name, user in (("ciclo", "ciclo-pipeline"), ("ciclo-serving", "ciclo-serving")):
        wanted[name] = {
            "CICLO_S3_ACCESS_KEY": user,
            "CICLO_S3_SECRET_KEY": known(name, "CICLO_S3_SECRET_KEY"),
            "CICLO_PREDICTIONS": database,
        }
    private, public = pair(filled.get("ciclo-signing", {}).get("private.pem", ""))
    wanted |= {"ciclo-signing": {"private.pem": private}, TRUST: {"public.pem": public}}
    found = {name: {k: v for k, v in keys.items() if filled.get(name, {}).get(k) != v} for name, keys in wanted.items()}
    return {name: keys for name, keys in found.items() if keys}


def pair_of_keys(private: str = "") -> tuple[str, str]:
    """A private key, made if none is given, and its public key."""
    with tempfile.TemporaryDirectory() as folder:
        if private:
            (Path(folder) / "private.pem").write_text(private)
        both = make_keys(Path(folder))
        return both[0].read_text(), both[1].read_text()


def fill(api: Any, namespace: str) -> list[str]:
    """Fill what is empty and give the names of the objects that were changed.

    Args:
        api: ``CoreV1Api``.
        namespace: Where the objects are.
    """
    read: dict[str, Any] = {
        name: (api.read_namespaced_config_map if name == TRUST else api.read_namespaced_secret)(name, namespace)
        for name in NAMES
    }
    filled = {
        name: {
            key: value if name == TRUST else base64.b64decode(value).decode()
            for key, value in (found.data or {}).items()
        }
        for name, found in read.items()
    }
    lacking = missing(filled, lambda: secrets.token_urlsafe(24), pair_of_keys)
    for name in (name for name in NAMES if name in lacking):
        # With the version that was read, so that two of us never mix their keys.
        version = {"resourceVersion": read[name].metadata.resource_version}
        if name == TRUST:
            api.patch_namespaced_config_map(name, namespace, {"metadata": version, "data": lacking[name]})
        else:
            api.patch_namespaced_secret(name, namespace, {"metadata": version, "stringData": lacking[name]})
    return [name for name in NAMES if name in lacking]


def main() -> int:
    """Fill them, again if somebody else did at the same moment."""
    config.load_incluster_config()
    namespace = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text()
    for attempt in range(ATTEMPTS):
        try:
            print("filled:", ", ".join(fill(client.CoreV1Api(), namespace)) or "nothing, all keys are there")
        except ApiException as error:
            seen = f"{error.status} {error.reason}"
            time.sleep(PAUSE * attempt)
        else:
            return 0
    print(f"error: the keys cannot be written: {seen}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
