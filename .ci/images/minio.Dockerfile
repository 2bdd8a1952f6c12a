# MinIO for the cluster tier, from a program that was built on this machine: the build context is its folder.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
COPY minio /usr/local/bin/minio
USER 65532:65532
EXPOSE 9000
CMD ["minio", "server", "--quiet", "--address", ":9000", "/data"]
