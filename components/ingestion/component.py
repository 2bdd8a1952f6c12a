"""The KFP wrapper of ingestion."""

from kfp import dsl

from ciclo.components.core.images import PIPELINE_IMAGE


@dsl.component(base_image=PIPELINE_IMAGE, install_kfp_package=False)
def ingestion(project: str, raw: dsl.Output[dsl.Dataset], window_start: str = "", window_end: str = "") -> None:
    """Read the source into one Parquet file, once it is clear that a run could be carried to its end here.

    Args:
        project: The project as JSON.
        window_start: First time to take, ISO; empty for all.
        window_end: First time not to take, ISO; empty for all.

    Returns:
        raw: The records as read, each with its number. Metadata: rows, bytes, digest, start, end, malformed, dropped.
    """
    from ciclo.components.runs.stage import stage

    with stage("ingestion", project) as log:
        from ciclo.components.core.project_file import project_from_json
        from ciclo.components.core.settings import settings
        from ciclo.components.ingestion.ingest import ingest
        from ciclo.components.runs.preflight import require_ready

        parsed = project_from_json(project)
        require_ready(parsed, settings())
        facts = ingest(parsed, raw.path, window_start, window_end)
        raw.metadata.update(rows=facts.rows, bytes=facts.bytes, digest=facts.digest, start=facts.start, end=facts.end)
        raw.metadata.update(malformed=facts.malformed, dropped=", ".join(facts.dropped))
        log.done(facts.summary)
