"""The training pipeline: the graph only.

Rules that a real KFP backend taught: a decision is one plain word in the output named ``Output``; every ``If`` has an
``Else`` that ends in a task; a candidate never raises for an expected failure. The first task checks the settings of
all others, so that nothing is trained that could not be published or served.
"""

from kfp import dsl

from ciclo.components.cleaning.component import cleaning
from ciclo.components.deployment.component import deployment
from ciclo.components.evaluation.component import evaluation
from ciclo.components.feasibility.component import feasibility
from ciclo.components.ingestion.component import ingestion
from ciclo.components.notification.component import notification, stop
from ciclo.components.publishing.component import publishing, restoring
from ciclo.components.training.component import refit, training
from ciclo.components.validation.component import validation
from ciclo.pipelines.tasks import ALERT_KEYS, DATABASE_KEYS, SOURCE_KEYS, configure, mount_signing_key

NAME = "ciclo-training"


def _stop(project: str, gate: dsl.PipelineTask, why: str) -> None:
    """End a branch in a real task, without which KFP's final status is wrong; and serve the champion all the same."""
    ended = stop(project=project, reason=gate.outputs["Output"], verdict=gate.outputs["verdict"])
    configure(ended, f"Stop: {why}", memory="1Gi", minutes=5)
    _serve(project, f"Deployment as it is: {why}")


def _serve(project: str, title: str) -> dsl.PipelineTask:
    """See to it that what serves is the champion, whatever became of this run or an earlier one."""
    served = deployment(project=project)
    configure(served, title, minutes=30, secrets=DATABASE_KEYS)
    mount_signing_key(served)
    return served


@dsl.pipeline(name=NAME, description="From a project file to a served, gated model.")
def training_pipeline(
    project: str,
    candidates: list[str],
    window_start: str = "",
    window_end: str = "",
    trigger: str = "manual",
    restore: int = 0,
    deploy_only: bool = False,
) -> None:
    """Run one turn of the cycle.

    Args:
        project: The project as one line of JSON.
        candidates: Names of the candidates to fit.
        window_start: Start of the rows to read, ISO time; empty for all.
        window_end: End of the rows to read, ISO time, exclusive; empty for all.
        trigger: Why the run was started.
        restore: The version whose tested model is to serve again in place of its refitted one, without any training; 0
            for a run that trains.
        deploy_only: Whether to deploy the champion as it is, without any training.
    """
    notified = notification(project=project, trigger=trigger)
    configure(notified, "Notification", memory="1Gi", minutes=5, secrets=ALERT_KEYS)

    with dsl.ExitHandler(notified, name="run"):
        with dsl.If(restore != 0, "back"):
            restored = restoring(project=project, version=restore, trigger=trigger)
            configure(restored, "Back to the tested model", minutes=15)
            mount_signing_key(restored)
            _serve(project, "Deployment of the tested model").after(restored)
        with dsl.Elif(deploy_only == True, "as-it-is"):  # noqa: E712  (kfp reads the comparison)
            _serve(project, "Deployment of the champion")
        with dsl.Else("forward"):
            ingested = ingestion(project=project, window_start=window_start, window_end=window_end)
            configure(ingested, "Ingestion", cpu="2", memory="4Gi", minutes=60, secrets=(*DATABASE_KEYS, *SOURCE_KEYS))
            mount_signing_key(ingested)

            cleaned = cleaning(project=project, raw=ingested.outputs["raw"])
            configure(cleaned, "Cleaning", cpu="2", memory="4Gi", minutes=60)

            data = cleaned.outputs["dataset"]
            validated = configure(validation(project=project, dataset=data), "Validation", memory="4Gi")

            with dsl.If(validated.outputs["Output"] == "pass", "usable"):
                feasible = configure(feasibility(project=project, dataset=data), "Feasibility", memory="4Gi")

                with dsl.If(feasible.outputs["Output"] == "no_ml", "not-worthwhile"):
                    _stop(project, feasible, "no ML needed")
                with dsl.Else("worthwhile"):
                    with dsl.ParallelFor(candidates, name="candidates", parallelism=2) as candidate:
                        trained = training(project=project, candidate=candidate, dataset=data)
                        configure(trained, "Training", cpu="2", memory="4Gi", minutes=120)

                    evaluated = evaluation(
                        project=project,
                        dataset=data,
                        baselines=feasible.outputs["baselines"],
                        profile=validated.outputs["profile"],
                        models=dsl.Collected(trained.outputs["model"]),
                    )
                    configure(evaluated, "Evaluation", cpu="2", memory="4Gi", minutes=60)

                    with dsl.If(evaluated.outputs["Output"] == "keep", "kept"):
                        _stop(project, evaluated, "not better")
                    with dsl.Else("offered"):
                        again = refit(
                            project=project,
                            dataset=data,
                            tested=evaluated.outputs["best"],
                            verdict=evaluated.outputs["verdict"],
                            golden=evaluated.outputs["golden"],
                        )
                        configure(again, "Refit", cpu="2", memory="4Gi", minutes=120)

                        published = publishing(
                            project=project,
                            model=evaluated.outputs["best"],
                            refitted=again.outputs["refitted"],
                            profile=evaluated.outputs["reference"],
                            verdict=evaluated.outputs["verdict"],
                            golden=again.outputs["answers"],
                            card=evaluated.outputs["card_data"],
                            dataset=data,
                            trigger=trigger,
                        )
                        configure(published, "Publishing", minutes=15)
                        mount_signing_key(published)
                        _serve(project, "Deployment").after(published)
            with dsl.Else("unusable"):
                _stop(project, validated, "unusable data")
