"""A namespace of a real cluster: what is in it before anything is deployed, and pods that do one thing."""

import base64
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes import client
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ApiException

from ciclo.components.core.project_file import project_to_yaml
from tests.tables import project

FOLDER = Path(__file__).parent
TABLES = FOLDER.parent / "tables.py"
USER = 65532
READER, READER_KEY = "reader", "read-and-nothing-else"
WRITER, WRITER_KEY = "writer", "reads-and-writes-it-all"
DATABASE = "postgresql+psycopg://ciclo@postgresql:5432/postgres"
Object = dict[str, Any]
# Least rights of the deployer.
RULES = [
    {"apiGroups": ["machinelearning.seldon.io"], "resources": ["seldondeployments"],
     "verbs": ["get", "patch", "create", "delete"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "patch", "create", "delete"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["ciclo", "ciclo-trust"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["ciclo-serving"], "verbs": ["get"]},
]  # fmt: skip


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
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ciclo"}, "data": data})

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
        scripts = {path.name: path.read_text() for path in [TABLES, *sorted((FOLDER / "pods").glob("*.py"))]}
        for name, data in {"ciclo-trust": {"ciclo.pub": public}, "scripts": scripts}.items():
            self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        rbac = "rbac.authorization.k8s.io"
        self.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}})
        self.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": "deployer"}, "rules": RULES})
        self.apply(
            {
                "apiVersion": f"{rbac}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "deployer"},
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "deployer"},
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
        ports = [{"port": port, "targetPort": port, "protocol": "TCP"}]
        spec = {"selector": labels, "ports": ports}
        self.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})

    def start(self, script: str, *args: str, project: str = "", env: dict[str, str] | None = None) -> str:
        """Start a pod that runs one of the scripts with the image of the pipeline, as a task of a run would.

        Returns:
            Its name.
        """
        self._numbers[script] = self._numbers.get(script, 0) + 1
        name = f"{script}-{self._numbers[script]}"
        if project:
            data = {"project.yaml": project}
            self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        paths = [{"key": path.name, "path": path.name} for path in sorted((FOLDER / "pods").glob("*.py"))]
        paths.append({"key": TABLES.name, "path": f"tests/{TABLES.name}"})
        mounts = {"/scripts": "scripts", "/etc/ciclo/trust": "trust", "/etc/ciclo/signing": "signing", "/tmp": "tmp"}
        container = {
            "name": "main",
            "image": self.images["pipeline"],
            "command": ["python", "-u", f"/scripts/{script}.py", *args],
            "env": [{"name": k, "value": v} for k, v in {"PYTHONPATH": "/scripts", **(env or {})}.items()],
            "envFrom": [{"configMapRef": {"name": "ciclo"}}, {"secretRef": {"name": "ciclo"}}],
            "volumeMounts": [
                *({"name": volume, "mountPath": path} for path, volume in mounts.items()),
                *([{"name": "project", "mountPath": "/project"}] if project else []),
            ],
        }
        volumes = [
            {"name": "scripts", "configMap": {"name": "scripts", "items": paths}},
            {"name": "trust", "configMap": {"name": "ciclo-trust"}},
            {"name": "signing", "secret": {"secretName": "ciclo-signing"}},
            {"name": "tmp", "emptyDir": {}},
            *([{"name": "project", "configMap": {"name": name}}] if project else []),
        ]
        spec = pod_spec(container, volumes=volumes)
        if script == "deploy":
            spec |= {"serviceAccountName": "deployer", "automountServiceAccountToken": True}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        return name

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
        """What the registry and the prediction store know: champion, serving, stored."""
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
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                **container,
                "imagePullPolicy": "IfNotPresent",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
            }
        ],
        "volumes": volumes,
    }
