"""The KFP wrappers of notification: the exit handler, and the task that ends a run with nothing to deploy."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def notification(project: str, trigger: str, status: dsl.PipelineTaskFinalStatus, report: dsl.Output[dsl.HTML]) -> None:
    """Tell people how the run ended and why, from what its stages wrote down, and show all of that in one report.

    Args:
        project: The project as JSON.
        trigger: Why the run was started.
        status: The final status, filled in by KFP.

    Returns:
        report: How the run ended, what every stage did and decided, its figures and the model card.
    """
    from ciclo.components.runs.stage import stage

    with stage("notification", project) as log:
        from ciclo.components.core.alerts import send_alert
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.notification.report import end_report
        from ciclo.components.notification.written import read_written

        parsed, current = project_from_json(project), settings()
        written = read_written(current, parsed.name)
        news = written.message(status.state, trigger)
        try:
            send_alert(news.title, news.body, current, parsed)
        finally:
            end_report(parsed.name, news, written, trigger).write(report.path)
        log.done(news.title)


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def stop(project: str, reason: str, verdict: dsl.Input[dsl.Artifact]) -> str:
    """Record that the run ends here because a gate decided so.

    Args:
        project: The project as JSON.
        reason: The decision word of the gate.
        verdict: What the gate has to say for it.

    Returns:
        Output: The reason.
    """
    from ciclo.components.runs.stage import stage

    with stage("stop", project, reason) as log:
        from ciclo.components.core.verdict import Verdict
        from ciclo.components.notification.message import end_of_branch, ending_of

        given = Verdict.read(verdict.path)
        log.done(end_of_branch(reason))
        log.ends(ending_of(reason, given), f"{log.summary}: {given.reason}")
    return reason
