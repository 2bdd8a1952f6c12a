"""What every task of every graph has: limits, a time-out, an unprivileged user, its settings and its keys."""

from kfp import dsl, kubernetes
from kfp.dsl.structures import ResourceSpec

from ciclo.components.core.images import PIPELINE_IMAGE, USER
from ciclo.components.core.settings import read_settings

# Kubernetes objects a run reads its settings from; each may be absent.
SETTINGS, SECRETS, SIGNING, TRUST = "ciclo", "ciclo", "ciclo-signing", "ciclo-trust"
SETTING_KEYS = (
    "CICLO_STORE", "CICLO_S3_ENDPOINT", "CICLO_S3_SECURE", "CICLO_S3_REGION", "CICLO_S3_CA_FILE", "CICLO_DEPLOYER",
    "CICLO_NAMESPACE", "CICLO_SERVING_IMAGE", "CICLO_PRIVATE_KEY", "CICLO_PUBLIC_KEYS", "CICLO_UNSIGNED",
    "CICLO_SOURCE_BYTES", "CICLO_SOURCE_SECONDS",
)  # fmt: skip
# What the network policies know the pods of a run by.
LABELS = {"app.kubernetes.io/part-of": "ciclo", "app.kubernetes.io/component": "run"}
STORE_KEYS = ("CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY")
DATABASE_KEYS = ("CICLO_PREDICTIONS",)
SOURCE_KEYS = ("CICLO_SOURCE_USER", "CICLO_SOURCE_PASSWORD")
RUN = "metadata.labels['pipeline/runid']"  # KFP writes the id of the run on each of its pods


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
    secrets: tuple[str, ...] = (),
) -> dsl.PipelineTask:
    """Give a task what every task must have: a title, limits, a time-out, an unprivileged user and its settings.

    That includes the keys of the store, where a stage leaves word of how it ended. Nothing is cached: KFP looks a task
    up by the artifacts it is given, and ingestion makes a new one each time, since nobody can say that a source has
    not changed without reading it.
    """
    task.set_display_name(title).set_caching_options(False)
    # What `set_cpu_limit` and its like do: each of them walks the whole stack first, most of the time of a compilation.
    container = task.container_spec
    container.resources = ResourceSpec(cpu_request="250m", cpu_limit=cpu, memory_request="512Mi", memory_limit=memory)
    container.env = {"CICLO_IMAGE": PIPELINE_IMAGE}
    for label, value in LABELS.items():
        kubernetes.add_pod_label(task, label, value)
    kubernetes.set_timeout(task, minutes * 60)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.use_config_map_as_env(task, SETTINGS, {key: key for key in SETTING_KEYS}, optional=True)
    kubernetes.use_secret_as_env(task, SECRETS, {key: key for key in (*STORE_KEYS, *secrets)}, optional=True)
    kubernetes.use_field_path_as_env(task, "CICLO_RUN", RUN)
    kubernetes.use_config_map_as_volume(task, TRUST, "/etc/ciclo/trust", optional=True)
    return task


def mount_signing_key(task: dsl.PipelineTask) -> None:
    """Mount the private key, where bundles and moves are signed."""
    kubernetes.use_secret_as_volume(task, SIGNING, "/etc/ciclo/signing", optional=True)
