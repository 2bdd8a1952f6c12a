# Two images from one file: `pipeline` runs every component and the `ciclo` command, `serving` answers predictions.
#
#   docker build --target pipeline -t ciclo-python:1.0.0 .
#   docker build --target serving -t ciclo-serving-python:1.0.0 .
#
# A package index of your own is a build argument (--build-arg PIP_INDEX_URL=...): it is used while building and stays
# out of the images, whose last stage only copies what was installed.
# --build-arg EXTRA=lightgbm adds LightGBM, and the OpenMP that it needs, to the image that fits.
# Tests of libraries and pip stay out as well: 130 and 110 MB that nothing imports. What is left are the libraries
# themselves, the largest Arrow, SciPy, pandas and scikit-learn, with their compiled bytecode, since the root is read-only
# and every start of a task would compile anew. Bytecode knows its source by digest and not by time, so that the same files
# give the same bytes; a few that libraries ship are of other Pythons and stay uncompiled.
# The base is pinned by its digest; `docker buildx imagetools inspect python:3.11-slim-bookworm` names the newest.
ARG PYTHON_IMAGE=python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS base
ENV PATH=/opt/ciclo/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1

FROM base AS image
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="Ciclo" \
      org.opencontainers.image.description="The whole life of a tabular model as a cycle of Kubeflow Pipelines components" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
ENV HOME=/tmp \
    CICLO_HOME=/tmp/ciclo \
    CICLO_COMMIT=${REVISION}
WORKDIR /tmp
USER 65532:65532

FROM base AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv /opt/ciclo

FROM build AS wheel
COPY requirements/build.txt .
RUN pip install --no-deps --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY components components
COPY pipelines pipelines
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist .

FROM build AS pipeline-build
ARG EXTRA=
COPY requirements/pipeline.txt requirements/lightgbm.txt ./
RUN pip install --no-compile --no-deps --require-hashes -r pipeline.txt ${EXTRA:+-r ${EXTRA}.txt} && pip check
COPY --from=wheel /build/dist dist
RUN pip install --no-compile --no-deps dist/*.whl && pip uninstall --yes pip && \
    find /opt/ciclo/lib -depth -type d -name tests -exec rm -r {} + && \
    { python -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/ciclo/lib || true; } && \
    python -W error::SyntaxWarning -c 'import ciclo.pipelines.training.pipeline'

FROM image AS pipeline
ARG EXTRA=
USER root
RUN [ -z "$EXTRA" ] || { apt-get -qq update && apt-get -qq install --no-install-recommends libgomp1 && \
    rm -r /var/lib/apt/lists/*; }
USER 65532:65532
COPY --from=pipeline-build /opt/ciclo /opt/ciclo
CMD ["ciclo", "--help"]

FROM build AS serving-build
COPY requirements/serving.txt .
RUN pip install --no-compile --no-deps --require-hashes -r serving.txt && pip check
COPY --from=wheel /build/dist dist
RUN pip install --no-compile --no-deps dist/*.whl && pip uninstall --yes pip && \
    find /opt/ciclo/lib -depth -type d -name tests -exec rm -r {} + && \
    { python -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/ciclo/lib || true; } && \
    python -c 'import ciclo.components.serving.model'

FROM image AS serving
COPY --from=serving-build /opt/ciclo /opt/ciclo
# seldon-core imports from the folder it is started in: one that nobody can write.
WORKDIR /opt/ciclo
CMD ["python", "-P", "-m", "ciclo.components.serving", "--host", "0.0.0.0"]
