"""The training pipeline: the graph only.

Rules that a real KFP backend taught: a decision is one plain word in the output named ``Output``; every ``If`` has an
``Else`` that ends in a task; a candidate never raises for an expected failure; caching is off for side effects.
"""

from kfp import dsl, kubernetes

from components.cleaning.component import cleaning
from components.core.images import PIPELINE_IMAGE
from components.deployment.component import deployment
from components.evaluation.component import evaluation
from components.feasibility.component import feasibility
from components.ingestion.component import ingestion
from components.notification.component import notification, stop
from components.publishing.component import publishing
from components.training.component import training
from components.validation.component import validation

NAME = "ciclo-training"
USER = 65532

# Kubernetes objects a run reads its settings from; each may be absent.
SETTINGS, SECRETS, SIGNING, TRUST = "ciclo", "ciclo", "ciclo-signing", "ciclo-trust"
SETTING_KEYS = (
    "CICLO_STORE", "CICLO_S3_ENDPOINT", "CICLO_S3_SECURE", "CICLO_S3_REGION", "CICLO_DEPLOYER", "CICLO_NAMESPACE",
    "CICLO_SERVING_IMAGE", "CICLO_PRIVATE_KEY", "CICLO_PUBLIC_KEYS", "CICLO_UNSIGNED",
)  # fmt: skip
STORE_KEYS = ("CICLO_S3_ACCESS_KEY", "CICLO_S3_SECRET_KEY")
ALERT_KEYS = ("CICLO_ALERTS",)


def _task(
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
    kubernetes.set_timeout(task, minutes * 60)
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.use_config_map_as_env(task, SETTINGS, {key: key for key in SETTING_KEYS}, optional=True)
    if secrets:
        kubernetes.use_secret_as_env(task, SECRETS, {key: key for key in secrets}, optional=True)
    return task


def _stop(project: str, gate: dsl.PipelineTask, title: str) -> None:
    """End a branch in a real task: without one KFP's final status is wrong."""
    _task(stop(project=project, reason=gate.outputs["Output"]), title, memory="1Gi", minutes=5, cache=False)


def _trust(task: dsl.PipelineTask, *, signs: bool = False) -> None:
    """Mount the public keys that bundles are verified with, and the private one where they are signed."""
    kubernetes.use_config_map_as_volume(task, TRUST, "/etc/ciclo/trust", optional=True)
    if signs:
        kubernetes.use_secret_as_volume(task, SIGNING, "/etc/ciclo/signing", optional=True)


@dsl.pipeline(name=NAME, description="From a project file to a served, gated model.")
def training_pipeline(
    project: str,
    candidates: list[str],
    window_start: str = "",
    window_end: str = "",
    trigger: str = "manual",
) -> None:
    """Run one turn of the cycle.

    Args:
        project: The project as one line of JSON.
        candidates: Names of the candidates to fit.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, ISO time, exclusive; empty for all.
        trigger: Why the run was started.
    """
    told = notification(project=project, trigger=trigger)
    _task(told, "Notification", memory="1Gi", minutes=5, cache=False, secrets=ALERT_KEYS)

    with dsl.ExitHandler(told, name="run"):
        raw = ingestion(project=project, window_start=window_start, window_end=window_end)
        _task(raw, "Ingestion", cpu="2", memory="4Gi", minutes=60, cache=False, secrets=STORE_KEYS)

        clean = cleaning(project=project, raw=raw.outputs["raw"])
        _task(clean, "Cleaning", cpu="2", memory="4Gi", minutes=60)

        data = clean.outputs["dataset"]
        checked = _task(validation(project=project, dataset=data), "Validation", memory="4Gi")

        with dsl.If(checked.outputs["Output"] == "pass", "usable"):
            worth = _task(feasibility(project=project, dataset=data), "Feasibility", memory="4Gi")

            with dsl.If(worth.outputs["Output"] == "ml", "worthwhile"):
                with dsl.ParallelFor(candidates, name="candidates", parallelism=2) as candidate:
                    fitted = training(project=project, candidate=candidate, dataset=data)
                    _task(fitted, "Training", cpu="2", memory="4Gi", minutes=120)

                judged = evaluation(
                    project=project,
                    dataset=data,
                    baselines=worth.outputs["baselines"],
                    profile=checked.outputs["profile"],
                    models=dsl.Collected(fitted.outputs["model"]),
                )
                _task(judged, "Evaluation", cpu="2", memory="4Gi", minutes=60, cache=False, secrets=STORE_KEYS)
                _trust(judged)

                with dsl.If(judged.outputs["Output"] == "promote", "promoted"):
                    published = publishing(
                        project=project,
                        model=judged.outputs["best"],
                        profile=judged.outputs["reference"],
                        verdict=judged.outputs["verdict"],
                        golden=judged.outputs["golden"],
                        card=judged.outputs["card"],
                        dataset=data,
                        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                        trigger=trigger,
                    )
                    _task(published, "Publishing", minutes=15, cache=False, secrets=STORE_KEYS)
                    _trust(published, signs=True)

                    served = deployment(
                        project=project, version=published.outputs["Output"], verdict=judged.outputs["verdict"]
                    )
                    _task(served, "Deployment", minutes=30, cache=False, secrets=STORE_KEYS)
                    _trust(served)
                with dsl.Else("kept"):
                    _stop(project, judged, "Stop: not better")
            with dsl.Else("not-worthwhile"):
                _stop(project, worth, "Stop: no ML needed")
        with dsl.Else("unusable"):
            _stop(project, checked, "Stop: unusable data")
