# PostgreSQL for the cluster tier, from Debian's packages. It trusts whoever reaches it and keeps nothing.
ARG BASE_IMAGE=python:3.11-slim-bookworm
FROM ${BASE_IMAGE}
RUN apt-get -qq update && \
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install --no-install-recommends postgresql-15 >/dev/null && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 65532 --no-create-home ciclo
ENV PATH=/usr/lib/postgresql/15/bin:$PATH
USER 65532
EXPOSE 5432
CMD ["sh", "-c", "initdb -D /data/db -U ciclo --auth=trust --encoding=UTF8 --locale=C >/dev/null && echo 'host all all all trust' >> /data/db/pg_hba.conf && exec postgres -D /data/db -c listen_addresses='*' -c unix_socket_directories=/tmp"]
