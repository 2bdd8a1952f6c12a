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
        dataset: Typed rows with row_id and split, the data contract inside. Metadata: facts of the
            source, rows, quarantined, train, validation, test.
        quarantine: The other rows as they came, with their reasons. Metadata: rows.
        report: Accounts of every row, classes, missing values.
    """
    from ciclo.components.core.logs import stage

    with stage("cleaning") as log:
        from ciclo.components.cleaning.clean import clean
        from ciclo.components.core.project_file import project_from_json

        accounts = clean(project_from_json(project), raw.path, dataset.path, quarantine.path)
        accounts.report().write(report.path)
        dataset.metadata.update(accounts.metadata(raw.metadata))
        quarantine.metadata.update(rows=accounts.quarantined)
        reasons = (f"{rows:,} x {reason}" for reason, rows in list(accounts.reasons.items())[:5])
        log.done(accounts.summary, *reasons)
