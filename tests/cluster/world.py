"""A namespace of a real cluster: what is in it before anything is deployed, and pods that do one thing."""

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ApiException

from ciclo.components.core.images import CONTAINER_SECURITY, POD_SECURITY
from ciclo.components.core.project_file import project_to_yaml
from tests.tables import project

FOLDER = Path(__file__).parent
SHARED = [FOLDER.parent / "tables.py", FOLDER.parent / "kfp_backend.py"]
READER, READER_KEY = "reader", "read-and-nothing-else"
WRITER, WRITER_KEY = "writer", "reads-and-writes-it-all"
DATABASE = "postgresql+psycopg://ciclo@postgresql:5432/postgres"
Object = dict[str, Any]
ROLE = FOLDER.parents[1] / "manifests" / "base" / "role-deployer.yaml"


@dataclass
class World:
    """A namespace.

    Attributes:
        connection: To the API server.
        namespace: Its name.
        images: By what they are: pipeline, serving, minio, postgresql.
    """

    connection: client.ApiClient
    namespace: str
    images: dict[str, str]
    _numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dynamic = DynamicClient(self.connection)
        self.core = client.CoreV1Api(self.connection)

    def apply(self, body: Object) -> None:
        """Apply an object to the namespace."""
        resource = self._dynamic.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        where = {"namespace": self.namespace} if resource.namespaced else {}
        resource.server_side_apply(body=body, field_manager="test", force_conflicts=True, **where)

    def get(self, version: str, kind: str, name: str) -> Object | None:
        """Read an object, or None."""
        try:
            resource = self._dynamic.resources.get(api_version=version, kind=kind)
            found: Object = resource.get(name=name, namespace=self.namespace).to_dict()
            return found
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    def configure(self, **settings: str) -> None:
        """Write the config map of the settings."""
        data = {
            "CICLO_STORE": "s3://models",
            "CICLO_S3_ENDPOINT": "minio:9000",
            "CICLO_S3_SECURE": "false",
            "CICLO_DEPLOYER": "seldon",
            "CICLO_NAMESPACE": self.namespace,
            "CICLO_SERVING_IMAGE": self.images["serving"],
            "CICLO_PUBLIC_KEYS": json.dumps(["/etc/ciclo/trust/ciclo.pub"]),
            "CICLO_PRIVATE_KEY": "/etc/ciclo/signing/ciclo.key",
            **settings,
        }
        self.config_map("ciclo", data)

    def secret(self, name: str, **values: str) -> None:
        """Write a secret."""
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})

    def furnish(self, private: str, public: str) -> None:
        """Make everything that is there before the first deployment: settings, keys, rights, scripts and stores."""
        self.configure()
        s3 = {"CICLO_S3_ACCESS_KEY": WRITER, "CICLO_S3_SECRET_KEY": WRITER_KEY}
        self.secret("ciclo", **s3, CICLO_PREDICTIONS=DATABASE)
        reads = {"CICLO_S3_ACCESS_KEY": READER, "CICLO_S3_SECRET_KEY": READER_KEY}
        self.secret("ciclo-serving", **reads, CICLO_PREDICTIONS=DATABASE)
        self.secret("ciclo-signing", **{"ciclo.key": private})
        scripts = {path.name: path.read_text() for path in [*SHARED, *sorted((FOLDER / "pods").glob("*.py"))]}
        self.config_map("ciclo-trust", {"ciclo.pub": public})
        self.config_map("scripts", scripts)
        rbac = "rbac.authorization.k8s.io"
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}})
        self.apply(yaml.safe_load(ROLE.read_text()))
        self.apply(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "deployer"},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "ciclo-deployer"},
                "subjects": [{"kind": "ServiceAccount", "name": "deployer"}],
            }
        )
        user = {"MINIO_ROOT_USER": WRITER, "MINIO_ROOT_PASSWORD": WRITER_KEY, "MINIO_BROWSER": "off"}
        self._store("minio", 9000, user)
        self._store("postgresql", 5432, {})
        self.run("stores", READER, READER_KEY)

    def _store(self, name: str, port: int, env: dict[str, str]) -> None:
        labels = {"app": name}
        container = {
            "name": name,
            "image": self.images[name],
            "env": [{"name": key, "value": value} for key, value in env.items()],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
        }
        spec = pod_spec(container, volumes=[{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}])
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec})
        self.service(name, port)

    def start(self, script: str, *args: str, project: str = "", env: dict[str, str] | None = None) -> str:
        """Start a pod that runs one of the scripts.

        Returns:
            Its name.
        """
        self._numbers[script] = self._numbers.get(script, 0) + 1
        name = f"{script}-{self._numbers[script]}"
        if project:
            self.config_map(name, {"project.yaml": project})
        spec = self.task(
            ["python", "-u", f"/scripts/{script}.py", *args], {"/project": name} if project else {}, env or {}
        )
        if script == "deploy":
            spec |= {"serviceAccountName": "deployer", "automountServiceAccountToken": True}
        metadata = {"name": name, "labels": {"app": script}}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        return name

    def task(self, command: list[str], config_maps: dict[str, str], env: dict[str, str]) -> Object:
        """A pod with the image, the settings and the keys of a task of a run.

        Args:
            command: What it runs.
            config_maps: More that is mounted, by folder.
            env: Settings of this pod alone.
        """
        paths = [{"key": path.name, "path": path.name} for path in sorted((FOLDER / "pods").glob("*.py"))]
        paths += [{"key": path.name, "path": f"tests/{path.name}"} for path in SHARED]
        volumes: list[Object] = [
            {"name": "scripts", "configMap": {"name": "scripts", "items": paths}},
            {"name": "trust", "configMap": {"name": "ciclo-trust"}},
            {"name": "signing", "secret": {"secretName": "ciclo-signing"}},
            {"name": "tmp", "emptyDir": {}},
            *({"name": name, "configMap": {"name": name}} for name in config_maps.values()),
        ]
        mounts = {"/scripts": "scripts", "/etc/ciclo/trust": "trust", "/etc/ciclo/signing": "signing", "/tmp": "tmp"}
        container = {
            "name": "main",
            "image": self.images["pipeline"],
            "command": command,
            "env": [{"name": key, "value": value} for key, value in {"PYTHONPATH": "/scripts", **env}.items()],
            "envFrom": [{"configMapRef": {"name": "ciclo"}}, {"secretRef": {"name": "ciclo"}}],
            "volumeMounts": [{"name": name, "mountPath": path} for path, name in (mounts | config_maps).items()],
        }
        return pod_spec(container, volumes=volumes)

    def config_map(self, name: str, data: dict[str, str]) -> None:
        """Write a config map."""
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def service(self, name: str, port: int, app: str = "") -> None:
        """Write a Service of the pods of a script or store."""
        ports = [{"port": port, "targetPort": port, "protocol": "TCP"}]
        spec = {"selector": {"app": app or name}, "ports": ports}
        self.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})

    def log(self, name: str) -> str:
        """What a pod has written so far."""
        found = self.core.read_namespaced_pod_log(name, self.namespace, _preload_content=False)
        return str(found.data.decode())  # as text: the client would read a line of JSON as an object

    def wait(self, name: str, seconds: float = 180) -> tuple[int, str]:
        """Wait for the end of a pod: its exit code and what it wrote."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            statuses = self.core.read_namespaced_pod(name, self.namespace).status.container_statuses or []
            ended = statuses and statuses[0].state.terminated
            if ended:
                return ended.exit_code, self.log(name)
            time.sleep(0.5)
        raise AssertionError(
            f"{name} has not ended after {seconds} s: {self.core.read_namespaced_pod(name, self.namespace).status}"
        )

    def deploy(self, version: int, *when: str, env: dict[str, str] | None = None, **deployment: Any) -> str:
        """Start a pod that makes a version the champion and deploys it; see ``pods/deploy.py``.

        Args:
            version: The version.
            when: A word and a signal.
            env: Settings of this pod alone.
            deployment: That section of the project.
        """
        small = {"resources": {"cpu": "100m", "memory": "512Mi"}}
        text = project_to_yaml(project(deployment={**small, **deployment}))
        return self.start("deploy", str(version), "/project/project.yaml", *when, project=text, env=env)

    def serving(self) -> dict[str, int]:
        """What the registry and the prediction store know: champion, serving, stored, labelled."""
        found: dict[str, int] = json.loads(self.run("serving").splitlines()[-1])
        return found

    def pointed(self) -> str:
        """The slot that clients get answers of; empty if both are."""
        found = self.get("v1", "Service", "unit-serving")
        assert found is not None
        return str(found["spec"]["selector"].get("seldon-app", "")).removeprefix("unit-")

    def slots(self) -> dict[str, int]:
        """The slots of the object, with the version of each."""
        found = self.get("machinelearning.seldon.io/v1", "SeldonDeployment", "unit")
        predictors = found["spec"]["predictors"] if found else []
        return {one["name"]: int(one["labels"]["version"].removeprefix("v")) for one in predictors}

    def run(self, script: str, *args: str, **options: Any) -> str:
        """Run a script to its good end."""
        code, text = self.wait(self.start(script, *args, **options))
        assert code == 0, text
        return text


def pod_spec(container: Object, volumes: list[Object]) -> Object:
    """A pod that Pod Security *restricted* admits."""
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": POD_SECURITY,
        "containers": [
            {
                **container,
                "imagePullPolicy": "IfNotPresent",
                "securityContext": CONTAINER_SECURITY,
            }
        ],
        "volumes": volumes,
    }
