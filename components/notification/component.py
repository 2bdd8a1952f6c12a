"""The KFP wrappers of notification: the exit handler, and the task that ends a run with nothing to deploy."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def notification(project: str, trigger: str, status: dsl.PipelineTaskFinalStatus) -> None:
    """Tell people how the run ended.

    Args:
        project: The project as JSON.
        trigger: Why the run was started.
        status: The final status, filled in by KFP.
    """
    from ciclo.components.core.logs import stage

    with stage("notification") as log:
        from ciclo.components.core.alerts import send_alert
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.notification.message import end_of_run

        parsed = project_from_json(project)
        run, error = status.pipeline_job_resource_name, status.error_message or ""
        news = end_of_run(parsed.name, status.state, trigger, run, error)
        send_alert(news.title, news.body, settings(), parsed)
        log.done(news.title)


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def stop(project: str, reason: str) -> str:
    """Record that the run ends here because a gate decided so.

    Args:
        project: The project as JSON.
        reason: The decision word of the gate.

    Returns:
        Output: The reason.
    """
    from ciclo.components.core.logs import stage

    with stage("stop", reason) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.notification.message import end_of_branch

        log.done(f"{project_from_json(project).name}: {end_of_branch(reason)}")
    return reason
