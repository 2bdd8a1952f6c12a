"""What a cluster has to say: which versions stand in which slot, and whether a deployment could work at all."""

from collections.abc import Callable

from ciclo.components.core.errors import DeploymentError, SettingsError
from ciclo.components.core.settings import Settings
from ciclo.components.deployment.cluster import (
    CONFIG_MAP,
    DEPLOYMENT,
    SECRET,
    SELDON,
    SERVICE,
    Cluster,
    RefusedByClusterError,
)
from ciclo.components.deployment.seldon import (
    CONFIG,
    KEYS,
    LIVE,
    SECRETS,
    SETTINGS,
    TRUST,
    deployment_name,
    service_name,
    slot_label,
)
from ciclo.components.deployment.trouble import pod_trouble, trouble

GROUP = "/apis/machinelearning.seldon.io"  # everybody may ask which versions of it there are
# Addresses and paths are of the machine that reads them.
OF_THE_PLACE = {"CICLO_PUBLIC_KEYS", "CICLO_S3_CA_FILE", "CICLO_S3_ENDPOINT", "CICLO_S3_SECURE"}
VERSION, REVIEWS = "/version", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
NAMESPACE = "/api/v1/namespaces/{name}"
# What a deployment does, as group, resource or resource/name, and verbs.
RIGHTS = (
    ("machinelearning.seldon.io", "seldondeployments", ("get", "patch", "create", "delete")),
    ("", "services", ("get", "patch", "create", "delete")),
    ("apps", "deployments", ("get",)),
    ("", "pods", ("list",)),
    ("coordination.k8s.io", "leases", ("get", "create", "update")),
    ("", f"configmaps/{CONFIG}", ("get",)),
    ("", f"configmaps/{TRUST}", ("get",)),
    ("", f"secrets/{KEYS}", ("get",)),
)


def slots(project: str, settings: Settings, cluster: Cluster) -> list[str]:
    """The slots of a project that are taken, one line each: version, pods, whether clients get it.

    Raises:
        DeploymentError: If the API server does not answer or refuses.
    """
    namespace = settings.serving_namespace
    made = cluster.get(SELDON, name=project, namespace=namespace) or {"spec": {"predictors": []}}
    service = cluster.get(SERVICE, name=service_name(project), namespace=namespace) or {"metadata": {}, "spec": {}}
    live = (service["metadata"].get("annotations") or {}).get(LIVE)
    pinned = "seldon-app" in (service["spec"].get("selector") or {})
    lines = []
    for one in made["spec"]["predictors"]:
        found = cluster.get(DEPLOYMENT, name=deployment_name(project, one["name"]), namespace=namespace) or {}
        ready = (found.get("status") or {}).get("availableReplicas", 0)
        role = "serves" if one["name"] == live else "is a canary" if live and not pinned else "serves nobody yet"
        problem = trouble(found, cluster.pods(namespace, slot_label(project, one["name"]))) if found else None
        text = f"{one['name']}: {one['labels'].get('version', '?')}, {ready} of {one['replicas']} pods ready, {role}"
        lines.append(f"{text}; {problem.seen}" if problem else text)
    return lines


def questions(settings: Settings, cluster: Cluster) -> list[tuple[str, Callable[[], str]]]:
    """What to ask a cluster before anything is deployed to it; each answers with what it saw, or raises."""
    return [
        ("Kubernetes", lambda: _version(cluster)),
        ("Seldon Core", lambda: _definition(cluster)),
        ("namespace there", lambda: _namespace(settings, cluster)),
        ("rights", lambda: _rights(settings, cluster)),
        ("settings of pods", lambda: _settings(settings, cluster)),
        ("secret of pods", lambda: _keys(settings, cluster)),
        ("objects of runs", lambda: _of_runs(settings, cluster)),
        ("pods", lambda: _pods(settings, cluster)),
    ]


def _version(cluster: Cluster) -> str:
    found = cluster.get(VERSION) or {}
    return f"{found.get('gitVersion', 'of an unknown version')} answers"


def _definition(cluster: Cluster) -> str:
    found = cluster.get(GROUP)
    if found is None:
        raise DeploymentError("there is no SeldonDeployment here", hint="Install Seldon Core 1.17.1 with its CRD.")
    served = [str(one["version"]) for one in found["versions"]]
    if "v1" not in served:
        raise DeploymentError("SeldonDeployment has no version v1", seen=", ".join(served), hint="Install 1.17.1.")
    return f"SeldonDeployment {', '.join(served)}"


def _rights(settings: Settings, cluster: Cluster) -> str:
    missing = [
        f"{verb} {resource}"
        for group, resource, verbs in RIGHTS
        for verb in verbs
        if not _may(cluster, settings.serving_namespace, group, resource, verb)
    ]
    if missing:
        raise DeploymentError(
            f"who asks may not deploy to {settings.serving_namespace}",
            seen=f"no right to {', '.join(missing)}",
            hint="Bind the role ciclo-deployer (manifests/base) to the service account of the runs.",
        )
    return f"all that a deployment does in {settings.serving_namespace}"


def _namespace(settings: Settings, cluster: Cluster) -> str:
    name = settings.serving_namespace
    try:
        if cluster.get(NAMESPACE, name=name) is None:
            raise DeploymentError(f"there is no namespace {name}", hint="Make it, or set CICLO_NAMESPACE.")
    except RefusedByClusterError as error:
        if error.status != 403:
            raise
        return f"{name}, which who asks may not look at"
    return name


def _of_runs(settings: Settings, cluster: Cluster) -> str:
    """Whether the Secrets and the ConfigMap that runs read are there; their contents are not asked for."""
    namespace, names = settings.serving_namespace, {SECRET: ("ciclo", "ciclo-signing"), CONFIG_MAP: (TRUST,)}
    wanted = [
        (path, name) for path, found in names.items() for name in found if not (settings.unsigned and "-" in name)
    ]
    try:
        gone = [n for path, n in wanted if cluster.get(path, metadata=True, namespace=namespace, name=n) is None]
    except RefusedByClusterError as error:
        if error.status != 403:
            raise
        return "who asks may not look at them"
    if gone:
        raise SettingsError(f"{', '.join(gone)} not in {namespace}", hint="manifests/README.md lists what runs read.")
    return ", ".join(name for _, name in wanted)


def _may(cluster: Cluster, namespace: str, group: str, resource: str, verb: str) -> bool:
    kind, _, name = resource.partition("/")
    asked = {"namespace": namespace, "group": group, "resource": kind, "name": name, "verb": verb}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked},
    }
    return bool(cluster.create(REVIEWS, body)["status"]["allowed"])


def _settings(settings: Settings, cluster: Cluster) -> str:
    found = cluster.get(CONFIG_MAP, namespace=settings.serving_namespace, name=CONFIG)
    if found is None:
        raise SettingsError(
            f"there is no ConfigMap {CONFIG} in {settings.serving_namespace}", hint="manifests/ has one to apply."
        )
    ours, theirs = settings.environment(), Settings.model_construct().environment() | (found.get("data") or {})
    agreeing = [name for name in (*SETTINGS, "CICLO_SERVING_IMAGE", "CICLO_NAMESPACE") if name not in OF_THE_PLACE]
    differ = [name for name in agreeing if theirs.get(name, "").lower() != ours.get(name, "").lower()]
    if differ:
        shown = ", ".join(f"{name}={theirs.get(name, '')!r} there and {ours.get(name, '')!r} here" for name in differ)
        raise SettingsError("the cluster has other settings than this process", seen=shown, hint="Make them agree.")
    return f"ConfigMap {CONFIG} agrees with the settings here"


def _keys(settings: Settings, cluster: Cluster) -> str:
    found = cluster.get(SECRET, namespace=settings.serving_namespace, name=KEYS)
    if found is None:
        raise SettingsError(
            f"there is no Secret {KEYS} in {settings.serving_namespace}",
            hint=f"Model pods read {', '.join(SECRETS)} from it.",
        )
    missing = [name for name in SECRETS if not (found.get("data") or {}).get(name)]
    if missing:
        raise SettingsError(f"the Secret {KEYS} has no {', '.join(missing)}", hint="Add what is missing.")
    return f"Secret {KEYS} has {', '.join(SECRETS)}"


def _pods(settings: Settings, cluster: Cluster) -> str:
    """Whether any model server cannot start: its image cannot be pulled, it has no node, it crashes."""
    namespace = settings.serving_namespace
    pods = cluster.pods(namespace, {"app.kubernetes.io/part-of": "ciclo", "seldon.io/model": "true"})
    seen = [(pod["metadata"]["name"], found) for pod in pods for found in pod_trouble(pod)]
    if seen:
        name, found = seen[0]
        raise DeploymentError(f"the pod {name} does not run", seen=found.seen, hint=found.hint)
    return f"{len(pods)} model servers in {namespace}, none in trouble"
