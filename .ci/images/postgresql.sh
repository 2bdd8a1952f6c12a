#!/bin/sh
# What the official image does with these variables on a first start: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, PGDATA.
# Unlike it, it trusts whoever reaches it if there is no password.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  umask 077
  method=trust
  if [ -n "${POSTGRES_PASSWORD:-}" ]; then
    method=scram-sha-256
    printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password
    set -- --pwfile=/tmp/password
  fi
  initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --auth-local=trust --auth-host="$method" \
    --encoding=UTF8 --locale=C "$@" >/dev/null
  rm -f /tmp/password
  echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
  database=${POSTGRES_DB:-$POSTGRES_USER}
  if [ "$database" != postgres ]; then
    echo "CREATE DATABASE \"$database\";" | postgres --single -D "$PGDATA" postgres >/dev/null
  fi
fi
unset POSTGRES_PASSWORD
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
