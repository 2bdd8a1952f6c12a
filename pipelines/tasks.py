"""What every task of every graph has: limits, a time-out, an unprivileged user, its settings and its keys."""

from kfp import dsl, kubernetes

from ciclo.components.core.images import PIPELINE_IMAGE, USER
from ciclo.components.core.settings import read_settings

# Kubernetes objects a run reads its settings from; each may be absent.
SETTINGS, SECRETS, SIGNING, TRUST = "ciclo", "ciclo", "ciclo-signing", "ciclo-trust"
SETTING_KEYS = (
    "CICLO_STORE", "CICLO_S3_ENDPOINT", "CICLO_S3_SECURE", "CICLO_S3_REGION", "CICLO_S3_CA_FILE", "CICLO_DEPLOYER",
    "CICLO_NAMESPACE", "CICLO_SERVING_IMAGE", "CICLO_PRIVATE_KEY", "CICLO_PUBLIC_KEYS", "CICLO_UNSIGNED",
)  # fmt: skip
# What the network policies know the pods of a run by.
LABELS = {"app.kubernetes.io/part-of": "ciclo", "app.kubernetes.io/component": "run"}
STORE_KEYS = ("CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY")


def alert_keys() -> tuple[str, ...]:
    """The keys of the secret that hold addresses for alerts, those that the project names among them."""
    named: tuple[str, ...] = read_settings().alert_keys
    return ("CICLO_ALERTS", *named)


ALERT_KEYS = alert_keys()


def configure(
    task: dsl.PipelineTask,
    title: str,
    *,
    cpu: str = "1",
    memory: str = "2Gi",
    minutes: int = 30,
    cache: bool = True,
    secrets: tuple[str, ...] = (),
) -> dsl.PipelineTask:
    """Give a task what every task must have: a title, limits, a time-out, an unprivileged user and its settings."""
    task.set_display_name(title).set_caching_options(cache)
    task.set_cpu_request("250m").set_cpu_limit(cpu).set_memory_request("512Mi").set_memory_limit(memory)
    task.set_env_variable("CICLO_IMAGE", PIPELINE_IMAGE)
    for label, value in LABELS.items():
        kubernetes.add_pod_label(task, label, value)
    kubernetes.set_timeout(task, minutes * 60)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.use_config_map_as_env(task, SETTINGS, {key: key for key in SETTING_KEYS}, optional=True)
    if secrets:
        kubernetes.use_secret_as_env(task, SECRETS, {key: key for key in secrets}, optional=True)
    return task


def mount_keys(task: dsl.PipelineTask, *, signs: bool = False) -> None:
    """Mount what is trusted, for bundles and for S3, and the private key where bundles are signed."""
    kubernetes.use_config_map_as_volume(task, TRUST, "/etc/ciclo/trust", optional=True)
    if signs:
        kubernetes.use_secret_as_volume(task, SIGNING, "/etc/ciclo/signing", optional=True)
