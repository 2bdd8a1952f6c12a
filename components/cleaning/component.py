"""The KFP wrapper of cleaning."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def cleaning(
    project: str,
    raw: dsl.Input[dsl.Dataset],
    dataset: dsl.Output[dsl.Dataset],
    quarantine: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
) -> None:
    """Type, judge and split the rows.

    Args:
        project: The project as JSON.
        raw: The records as read.

    Returns:
        dataset: Typed rows with their identity and split, the data contract inside. Metadata: facts of the
            source, rows, quarantined, train, validation, test. Empty, with the metadata unusable, if no model
            can be trained on what is left.
        quarantine: The other rows as they came, with their reasons. Metadata: rows.
        report: Accounts of every row, rows set aside as examples, split, classes, missing values.
    """
    from ciclo.components.runs.stage import stage

    with stage("cleaning", project) as log:
        from pathlib import Path

        from ciclo.components.cleaning.clean import clean
        from ciclo.components.core.errors import UnusableError
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.releases.accepted import last_accepted

        parsed = project_from_json(project)
        try:
            accepted = last_accepted(parsed.name, settings())
            accounts = clean(parsed, raw.path, dataset.path, quarantine.path, report.path, accepted)
        except UnusableError as error:  # validation decides so, and the run ends in order
            Path(dataset.path).touch()
            dataset.metadata["unusable"] = str(error)
            log.done(f"unusable: {error}")
            return
        dataset.metadata.update(accounts.metadata(raw.metadata))
        quarantine.metadata.update(rows=accounts.quarantined)
        log.figures = accounts.figures
        reasons = (f"{rows:,} x {reason}" for reason, rows in list(accounts.reasons.items())[:5])
        log.done(accounts.summary, *reasons)
