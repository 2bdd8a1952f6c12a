# PostgreSQL for the cluster tier, from Debian's packages. It stands in for the official image: the same variables, the
# same user 999. Without a password it trusts whoever reaches it, also as the user 65532.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
RUN groupadd --system --gid 999 postgres && \
    useradd --system --uid 999 --gid 999 --no-create-home --home-dir /var/lib/postgresql postgres && \
    apt-get -qq update && \
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --no-install-recommends postgresql-15 >/dev/null && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 65532 --no-create-home ciclo
COPY postgresql.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/data/db POSTGRES_USER=ciclo
USER 999:999
EXPOSE 5432
ENTRYPOINT ["postgresql.sh"]
