"""What has to be true of rendered objects; every check gives its findings as text that begins with its name."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from ciclo.components.core.settings import Settings
from ciclo.components.deployment import seldon
from ciclo.pipelines import tasks
from ciclo.pipelines.compile import check_image
from tests.manifests import metrics, schemas
from tests.manifests.network import OF_THE_OPERATOR, edges, our_pods, selects
from tests.manifests.pod_security import violations
from tests.manifests.rendering import Manifest, containers, find, name_of, pod_templates

# What holds keys, and which; made by a component, or by whoever runs the cluster.
KEYS = {
    ("Secret", "ciclo"): {*tasks.STORE_KEYS, *tasks.DATABASE_KEYS, *tasks.SOURCE_KEYS, *tasks.ALERT_KEYS, "OPS_ALERTS"},
    ("Secret", seldon.KEYS): {*seldon.SECRETS},
    ("Secret", tasks.SIGNING): {"private.pem"},
    ("Secret", "ciclo-minio"): {"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
    ("Secret", "ciclo-postgresql"): {"POSTGRES_PASSWORD"},
    ("ConfigMap", tasks.TRUST): {"public.pem"},
}
ELSEWHERE = {
    ("ConfigMap", "ciclo"),
    ("Secret", "ciclo"),
    ("Secret", seldon.KEYS),
    ("Secret", tasks.SIGNING),
    ("ConfigMap", tasks.TRUST),
}
# What base/settings.env leaves to those who need it.
LEFT_OUT = {
    "CICLO_S3_CA_FILE": "a private authority; the file has to be mounted first",
    "CICLO_UNSIGNED": "nobody should find it by chance",
    "CICLO_DEADLINE_SECONDS": "the default fits the time that the Job has",
    "CICLO_PUSHGATEWAY": "not every cluster has one",
}
WITH_TOKEN = {"ciclo-dev-keys": "it fills the Secrets through the API server"}
MODEL = {"app.kubernetes.io/name": "loans", **seldon.PART_OF, **OF_THE_OPERATOR}
RUN = dict(tasks.LABELS)
# Accounts that base makes for projects, and the pods that are there once a project is.
OF_BASE = {"ciclo-watch", "ciclo-register"}
LATER = [MODEL, RUN, *({**seldon.PART_OF, "app.kubernetes.io/component": one} for one in ("watch", "register"))]
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
SENSITIVE = re.compile(r"(?i)(secret|password|passwd|token|access_?key|predictions|alerts)$")


def known_settings() -> set[str]:
    return {f"CICLO_{name.upper()}" for name in Settings.model_fields}


def secret_settings() -> set[str]:
    fields = Settings.model_fields.items()
    return {f"CICLO_{n.upper()}" for n, f in fields if isinstance(f.default, SecretStr)} | {"CICLO_S3_ACCESS_KEY"}


def schema(objects: list[Manifest]) -> Iterator[str]:
    for manifest in objects:
        yield from (f"{name_of(manifest)}: {problem}" for problem in schemas.problems(manifest))
    names = [(name_of(o), o["metadata"].get("namespace")) for o in objects]
    yield from (f"{name[0]} is there twice" for name in {n for n in names if names.count(n) > 1})


def pods(objects: list[Manifest]) -> Iterator[str]:
    for name, template in pod_templates(objects):
        yield from (f"{name}: {problem}" for problem in violations(template["spec"]))


def hygiene(objects: list[Manifest]) -> Iterator[str]:
    """What a careful person would ask of a pod, beside what admission does."""
    for name, template in pod_templates(objects):
        spec = template["spec"]
        if spec.get("automountServiceAccountToken") is not False and spec.get("serviceAccountName") not in WITH_TOKEN:
            yield f"{name}: gets a token of the API server"
        empty = {volume["name"] for volume in spec.get("volumes", []) if "emptyDir" in volume}
        for container in containers(spec):
            at = f"{name}: {container['name']}"
            mounts = {mount["mountPath"]: mount["name"] for mount in container.get("volumeMounts", [])}
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
                yield f"{at}: may write its root"
            if mounts.get("/tmp") not in empty:
                yield f"{at}: has no /tmp to write"
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get(
                "limits", {}
            ):
                yield f"{at}: asks for no resources, or may take all memory"
        if template["metadata"]["labels"].get("app.kubernetes.io/part-of") != "ciclo":
            yield f"{name}: no network policy knows its pods"
        if "seldon" not in name.lower() and template["metadata"]["labels"].get("sidecar.istio.io/inject") != "false":
            yield f"{name}: may get a sidecar"
    for manifest in objects:
        yield from (f"{name_of(manifest)}: {problem}" for problem in _of_jobs(manifest))


def _of_jobs(manifest: Manifest) -> Iterator[str]:
    spec = manifest.get("spec", {})
    if manifest["kind"] == "ServiceAccount" and manifest.get("automountServiceAccountToken") is not False:
        yield "hands out its token by itself"
    if manifest["kind"] == "Job" and not ("backoffLimit" in spec and "ttlSecondsAfterFinished" in spec):
        yield "is tried for ever, or never cleaned up"
    if manifest["kind"] == "CronJob":
        if spec.get("concurrencyPolicy") != "Forbid":
            yield "two ticks may run at once"
        if spec.get("startingDeadlineSeconds", 0) < 60:
            yield "a missed tick is not caught up, or all of them are"
        if not {"successfulJobsHistoryLimit", "failedJobsHistoryLimit"} <= spec.keys():
            yield "keeps its Jobs as it likes"
        if spec.get("suspend"):
            yield "is suspended"
    job = spec.get("jobTemplate", manifest).get("spec", {})
    if manifest["kind"] in ("Job", "CronJob") and "activeDeadlineSeconds" not in job:
        yield "may run for ever"


def images(objects: list[Manifest], *, by_digest: bool) -> Iterator[str]:
    found = [(name, c["image"]) for name, t in pod_templates(objects) for c in containers(t["spec"])]
    for manifest in objects:
        if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == "ciclo":
            found.append((name_of(manifest), manifest["data"]["CICLO_SERVING_IMAGE"]))
    for name, image in found:
        try:
            check_image(image)
        except Exception as error:
            yield f"{name}: {image!r}: {error}"
        if by_digest and not re.search(r"@sha256:[0-9a-f]{64}$", image):
            yield f"{name}: {image!r} is not named by its digest"


def secrecy(objects: list[Manifest]) -> Iterator[str]:
    for manifest in objects:
        if manifest["kind"] == "Secret" and (manifest.get("data") or manifest.get("stringData")):
            yield f"{name_of(manifest)}: holds values"
        if PEM.search(json.dumps(manifest)):
            yield f"{name_of(manifest)}: holds a private key"
        for key, value in manifest.get("data", {}).items() if manifest["kind"] == "ConfigMap" else ():
            if _is_sensitive(key) and value:
                yield f"{name_of(manifest)}: {key} belongs into a Secret"
            if re.search(r"://[^/\s{]+:[^@/\s{]+@", value):
                yield f"{name_of(manifest)}: {key} holds an address with a password"
    for name, template in pod_templates(objects):
        yield from (f"{name}: {problem}" for problem in _written_out(template["spec"]))


def _written_out(spec: Manifest) -> Iterator[str]:
    for entry in (entry for c in containers(spec) for entry in c.get("env", [])):
        if "value" in entry and _is_sensitive(entry["name"]):
            yield f"{entry['name']} is written out"
        if entry["name"] in secret_settings() and "configMapKeyRef" in entry.get("valueFrom", {}):
            yield f"{entry['name']} is read from a ConfigMap"


def _is_sensitive(key: str) -> bool:
    return key in secret_settings() or SENSITIVE.search(key) is not None


def placed(objects: list[Manifest], namespace: str | None) -> Iterator[str]:
    """Whether everything is in one namespace; with None, whether nothing is in any."""
    for manifest in objects:
        own = manifest["metadata"].get("namespace")
        if manifest["kind"] in schemas.NOT_NAMESPACED:
            if namespace is None or manifest["metadata"]["name"] != namespace:
                yield f"{name_of(manifest)}: a namespace of its own"
            continue
        if own != namespace:
            yield f"{name_of(manifest)}: is in {own}, not in {namespace}"
        for subject in manifest.get("subjects", []):
            if subject.get("namespace") != namespace:
                yield f"{name_of(manifest)}: binds somebody of {subject.get('namespace')}"
        if manifest["kind"] in ("ClusterRole", "ClusterRoleBinding"):
            yield f"{name_of(manifest)}: reaches over the namespace"


def configured(objects: list[Manifest], namespace: str | None) -> Iterator[str]:
    """Whether the ConfigMap is what `Settings` reads."""
    data = find(objects, "ConfigMap", "ciclo")["data"]
    yield from (f"{key} is read by nobody" for key in sorted(data.keys() - known_settings()))
    read = {*tasks.SETTING_KEYS, *seldon.SETTINGS, "CICLO_KFP_HOST"}
    yield from (f"{key} is missing" for key in sorted(read - data.keys() - LEFT_OUT.keys()))
    yield from (f"{key} is for nobody to read here" for key in sorted(data.keys() & known_settings() - read))
    if (data.get("CICLO_NAMESPACE") or None) != namespace:
        yield f"CICLO_NAMESPACE is {data.get('CICLO_NAMESPACE')!r}, not {namespace!r}"
    if namespace is None:
        return
    try:
        values = {key.removeprefix("CICLO_").lower(): value for key, value in data.items()}
        current = Settings(**{**values, "public_keys": json.loads(values["public_keys"])})
    except (ValueError, KeyError) as error:
        yield f"the settings are not valid: {error}"
        return
    wanted = {
        "deployer": current.deployer == "seldon",
        "store": bool(re.fullmatch(r"s3://[a-z0-9.-]+(/\S*)?", current.store)),
        "s3_endpoint": bool(re.fullmatch(r"[a-z0-9.-]+(:\d+)?", current.s3_endpoint)),
        "serving_image": bool(current.serving_image),
        "kfp_host": bool(re.fullmatch(r"https?://[a-z0-9.-]+:\d+", current.kfp_host)),
        "private_key": str(current.private_key) == "/etc/ciclo/signing/private.pem",
        "public_keys": list(map(str, current.public_keys)) == ["/etc/ciclo/trust"],
    }
    yield from (f"{name} is {getattr(current, name)!r}" for name, right in wanted.items() if not right)


def references(objects: list[Manifest]) -> Iterator[str]:
    """Whether what pods name is there: keys, volumes, accounts, and pods for those who select them."""
    there = {(o["kind"], o["metadata"]["name"]): o for o in objects}
    for name, template in pod_templates(objects):
        yield from (f"{name}: {problem}" for problem in _of_pods(template["spec"], name, there))
    labels = [template["metadata"]["labels"] for _, template in pod_templates(objects)]
    served = [
        port["name"] for _, t in pod_templates(objects) for c in containers(t["spec"]) for port in c.get("ports", [])
    ]
    for manifest in objects:
        yield from (f"{name_of(manifest)}: {problem}" for problem in _of_selectors(manifest, labels, served))
        if manifest["kind"] == "RoleBinding" and ("Role", manifest["roleRef"]["name"]) not in there:
            yield f"{name_of(manifest)}: there is no Role {manifest['roleRef']['name']}"


def _of_pods(spec: Manifest, name: str, there: dict[tuple[str, str], Manifest]) -> Iterator[str]:
    for kind, wanted, key in _read_by(spec):
        found = there.get((kind, wanted))
        if found is None and (kind, wanted) not in ELSEWHERE:
            yield f"there is no {kind} {wanted}"
        keys = KEYS.get((kind, wanted)) or {*(found or {}).get("data", {}), *LEFT_OUT}
        if key and key not in keys and (found or (kind, wanted) in KEYS):
            yield f"{kind} {wanted} has no {key}"
    given = {entry["name"] for c in containers(spec) for entry in c.get("env", [])}
    yield from (f"{one} is read by nobody" for one in sorted(given - known_settings()) if one.startswith("CICLO_"))
    account = spec.get("serviceAccountName")
    if account and account not in OF_BASE and ("ServiceAccount", account) not in there:
        yield f"there is no ServiceAccount {account}"
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    volumes |= {claim["metadata"]["name"] for claim in _claims(there, name)}
    mounted = {m["name"] for c in containers(spec) for m in c.get("volumeMounts", [])}
    yield from (f"volume {one} does not exist" for one in sorted(mounted - volumes))
    yield from (f"volume {one} is mounted by nobody" for one in sorted(volumes - mounted))


def _of_selectors(manifest: Manifest, labels: list[dict[str, str]], served: list[str]) -> Iterator[str]:
    kind, spec = manifest["kind"], manifest.get("spec", {})
    if kind == "Service":
        if not any(selects({"matchLabels": spec["selector"]}, one) for one in labels):
            yield "selects no pod"
        yield from (f"no port {port['targetPort']}" for port in spec["ports"] if port["targetPort"] not in served)
    if kind in ("PodDisruptionBudget", "PodMonitor", "AuthorizationPolicy") and not selects(spec["selector"], MODEL):
        yield "selects no model server"
    if kind == "NetworkPolicy" and not any(selects(spec["podSelector"], one) for one in (*labels, *LATER)):
        yield "selects no pod"


def _claims(there: dict[tuple[str, str], Manifest], name: str) -> list[Manifest]:
    kind, _, own = name.partition(" ")
    found: list[Manifest] = there.get((kind, own), {}).get("spec", {}).get("volumeClaimTemplates", [])
    return found


def _read_by(spec: Manifest) -> list[tuple[str, str, str]]:
    """What a pod reads: kind, name, and key or nothing for the whole."""
    env = [entry.get("valueFrom", {}) for c in containers(spec) for entry in c.get("env", [])]
    whole = [source for c in containers(spec) for source in c.get("envFrom", [])]
    volumes = spec.get("volumes", [])
    return [
        *(
            ("ConfigMap", e["configMapKeyRef"]["name"], e["configMapKeyRef"]["key"])
            for e in env
            if "configMapKeyRef" in e
        ),
        *(("Secret", e["secretKeyRef"]["name"], e["secretKeyRef"]["key"]) for e in env if "secretKeyRef" in e),
        *(("ConfigMap", source["configMapRef"]["name"], "") for source in whole if "configMapRef" in source),
        *(("Secret", source["secretRef"]["name"], "") for source in whole if "secretRef" in source),
        *(("ConfigMap", volume["configMap"]["name"], "") for volume in volumes if "configMap" in volume),
        *(("Secret", volume["secret"]["secretName"], "") for volume in volumes if "secret" in volume),
    ]


def reads(objects: list[Manifest]) -> list[str]:
    """Who reads which keys, as ``workload <- Secret key``."""
    return sorted(
        f"{name.split('-register-')[0]} <- {wanted} {key or '(whole)'}"
        for name, template in pod_templates(objects)
        for kind, wanted, key in set(_read_by(template["spec"]))
        if kind == "Secret"
    )


def triples(objects: list[Manifest]) -> list[str]:
    """Who may do what, as ``account: verb group/resource[names]``."""
    roles = {o["metadata"]["name"]: o for o in objects if o["kind"] in ("Role", "ClusterRole")}
    found = []
    for binding in (o for o in objects if o["kind"] in ("RoleBinding", "ClusterRoleBinding")):
        for subject in binding["subjects"]:
            for rule in roles.get(binding["roleRef"]["name"], {}).get("rules", []):
                names = f" [{' '.join(sorted(rule['resourceNames']))}]" if "resourceNames" in rule else ""
                found += [
                    f"{subject['name']}: {verb} {group or 'core'}/{resource}{names}"
                    for group in rule["apiGroups"]
                    for resource in rule["resources"]
                    for verb in rule["verbs"]
                ]
    return sorted(found)


def connections(objects: list[Manifest], namespace: str) -> list[str]:
    """Who may connect to whom, the pods that others make for us included."""
    also: dict[str, dict[str, str]] = {"run": RUN, "model": MODEL}
    for part in ("watch", "register"):
        also[part] = {"app.kubernetes.io/part-of": "ciclo", "app.kubernetes.io/component": part}
    return edges(objects, our_pods(objects, namespace, also))


def problems(
    objects: list[Manifest], namespace: str | None, golden: dict[str, Any] | None, *, by_digest: bool
) -> list[str]:
    """Everything that is wrong, each finding with the name of the check that made it."""
    configures = any(o["kind"] == "ConfigMap" and o["metadata"]["name"] == "ciclo" for o in objects)
    found: dict[str, list[str]] = {
        "schema": list(schema(objects)),
        "pod security": list(pods(objects)),
        "hygiene": list(hygiene(objects)),
        "images": list(images(objects, by_digest=by_digest)) if namespace else [],
        "secrecy": list(secrecy(objects)),
        "namespace": list(placed(objects, namespace)),
        "settings": list(configured(objects, namespace)) if configures else [],
        "references": list(references(objects)),
        "metrics": metrics.problems(objects),
    }
    if golden is not None:
        found["rights"] = _differences(triples(objects), golden["rights"])
        found["network"] = _differences(connections(objects, namespace or ""), golden["network"])
        found["keys"] = _differences(reads(objects), golden["keys"])
    return [f"{check}: {finding}" for check, findings in found.items() for finding in findings]


def facts(objects: list[Manifest], namespace: str) -> dict[str, list[str]]:
    """What the golden file holds of a rendering."""
    return {"rights": triples(objects), "network": connections(objects, namespace), "keys": reads(objects)}


def _differences(ours: list[str], golden: list[str]) -> list[str]:
    more = [f"{one} is not in the golden file" for one in sorted({*ours} - {*golden})]
    return more + [f"{one} is in the golden file alone" for one in sorted({*golden} - {*ours})]
