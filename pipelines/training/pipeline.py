"""The training pipeline: the graph only.

Rules that a real KFP backend taught: a decision is one plain word in the output named ``Output``; every ``If`` has an
``Else`` that ends in a task; a candidate never raises for an expected failure; caching is off for side effects.
"""

from kfp import dsl

from ciclo.components.cleaning.component import cleaning
from ciclo.components.deployment.component import deployment
from ciclo.components.evaluation.component import evaluation
from ciclo.components.feasibility.component import feasibility
from ciclo.components.ingestion.component import ingestion
from ciclo.components.notification.component import notification, stop
from ciclo.components.publishing.component import publishing
from ciclo.components.training.component import training
from ciclo.components.validation.component import validation
from ciclo.pipelines.tasks import ALERT_KEYS, STORE_KEYS, configure, mount_keys

NAME = "ciclo-training"


def _stop(project: str, gate: dsl.PipelineTask, title: str) -> None:
    """End a branch in a real task: without one KFP's final status is wrong."""
    configure(stop(project=project, reason=gate.outputs["Output"]), title, memory="1Gi", minutes=5, cache=False)


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
    configure(told, "Notification", memory="1Gi", minutes=5, cache=False, secrets=ALERT_KEYS)

    with dsl.ExitHandler(told, name="run"):
        raw = ingestion(project=project, window_start=window_start, window_end=window_end)
        configure(raw, "Ingestion", cpu="2", memory="4Gi", minutes=60, cache=False, secrets=STORE_KEYS)

        clean = cleaning(project=project, raw=raw.outputs["raw"])
        configure(clean, "Cleaning", cpu="2", memory="4Gi", minutes=60)

        data = clean.outputs["dataset"]
        checked = configure(validation(project=project, dataset=data), "Validation", memory="4Gi")

        with dsl.If(checked.outputs["Output"] == "pass", "usable"):
            worth = configure(feasibility(project=project, dataset=data), "Feasibility", memory="4Gi")

            with dsl.If(worth.outputs["Output"] == "ml", "worthwhile"):
                with dsl.ParallelFor(candidates, name="candidates", parallelism=2) as candidate:
                    fitted = training(project=project, candidate=candidate, dataset=data)
                    configure(fitted, "Training", cpu="2", memory="4Gi", minutes=120)

                judged = evaluation(
                    project=project,
                    dataset=data,
                    baselines=worth.outputs["baselines"],
                    profile=checked.outputs["profile"],
                    models=dsl.Collected(fitted.outputs["model"]),
                )
                configure(judged, "Evaluation", cpu="2", memory="4Gi", minutes=60, cache=False, secrets=STORE_KEYS)
                mount_keys(judged)

                with dsl.If(judged.outputs["Output"] == "promote", "promoted"):
                    published = publishing(
                        project=project,
                        model=judged.outputs["best"],
                        profile=judged.outputs["reference"],
                        verdict=judged.outputs["verdict"],
                        golden=judged.outputs["golden"],
                        card=judged.outputs["card_data"],
                        dataset=data,
                        run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
                        trigger=trigger,
                    )
                    configure(published, "Publishing", minutes=15, cache=False, secrets=STORE_KEYS)
                    mount_keys(published, signs=True)

                    served = deployment(
                        project=project, version=published.outputs["Output"], verdict=judged.outputs["verdict"]
                    )
                    configure(served, "Deployment", minutes=30, cache=False, secrets=STORE_KEYS)
                    mount_keys(served)
                with dsl.Else("kept"):
                    _stop(project, judged, "Stop: not better")
            with dsl.Else("not-worthwhile"):
                _stop(project, worth, "Stop: no ML needed")
        with dsl.Else("unusable"):
            _stop(project, checked, "Stop: unusable data")
