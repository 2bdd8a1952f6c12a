# Source this in bash or zsh to reach a development installation from here:
#   source manifests/connect.sh [NAMESPACE [NAMESPACE_OF_KFP]]
# It forwards free ports of this machine to MinIO, PostgreSQL and the KFP API for as long as the shell lives, again
# whenever a forward breaks, and sets CICLO_* to what the ConfigMap and the Secrets of the namespace hold. Keys go into
# the environment and nowhere else, but for the signing keys, which are files that go with the forwards.

_ciclo_connect() {
  local namespace=$1 kfp=$2 minio postgresql api
  [ -z "${_ciclo_folder:-}" ] || rm -rf "$_ciclo_folder" # ends the forwards of a connection before
  _ciclo_folder=$(mktemp -d) || return

  _ciclo_forward "$namespace" ciclo-minio 9000 && minio=$_ciclo_port &&
    _ciclo_forward "$namespace" ciclo-postgresql 5432 && postgresql=$_ciclo_port &&
    _ciclo_forward "$kfp" ml-pipeline 8888 && api=http://127.0.0.1:$_ciclo_port &&
    (umask 077 && _ciclo_secret ciclo-signing private.pem >"$_ciclo_folder/private.pem") &&
    _ciclo_value configmap ciclo-trust public.pem >"$_ciclo_folder/public.pem" &&
    CICLO_STORE=$(_ciclo_value configmap ciclo CICLO_STORE) &&
    CICLO_SERVING_IMAGE=$(_ciclo_value configmap ciclo CICLO_SERVING_IMAGE) &&
    CICLO_S3_ACCESS_KEY=$(_ciclo_secret ciclo CICLO_S3_ACCESS_KEY) &&
    CICLO_S3_SECRET_KEY=$(_ciclo_secret ciclo CICLO_S3_SECRET_KEY) &&
    CICLO_PREDICTIONS=$(_ciclo_secret ciclo CICLO_PREDICTIONS) || {
    rm -rf "$_ciclo_folder"
    return 1
  }
  CICLO_PREDICTIONS=$(printf %s "$CICLO_PREDICTIONS" | sed "s/@ciclo-postgresql:5432/@127.0.0.1:$postgresql/")
  export CICLO_STORE CICLO_SERVING_IMAGE CICLO_S3_ACCESS_KEY CICLO_S3_SECRET_KEY CICLO_PREDICTIONS
  export CICLO_DEPLOYER=seldon CICLO_NAMESPACE=$namespace CICLO_KFP_HOST=$api
  export CICLO_S3_ENDPOINT=127.0.0.1:$minio CICLO_S3_SECURE=false
  export CICLO_PRIVATE_KEY=$_ciclo_folder/private.pem CICLO_PUBLIC_KEYS="[\"$_ciclo_folder/public.pem\"]"
  echo "connect: MinIO at $CICLO_S3_ENDPOINT, PostgreSQL at 127.0.0.1:$postgresql, KFP at $api"
}

_ciclo_value() { # kind, name, key
  local found
  found=$(kubectl -n "$namespace" get "$1" "$2" -o "go-template={{with .data}}{{with index . \"$3\"}}{{.}}{{end}}{{end}}") || return
  [ -n "$found" ] || {
    echo "connect: the $1 $2 in $namespace has no $3 yet: wait for the Job ciclo-dev-keys" >&2
    return 1
  }
  printf '%s\n' "$found"
}

_ciclo_secret() { # name, key
  local encoded
  encoded=$(_ciclo_value secret "$1" "$2") && printf %s "$encoded" | base64 --decode
}

# namespace, service, port; sets _ciclo_port
_ciclo_forward() {
  local log=$_ciclo_folder/$2 folder=$_ciclo_folder looks=0
  # In a subshell of a subshell it is no job of the shell, which would name it and interrupt it.
  ( (
    port=
    while [ -d "$folder" ] && kill -0 $$; do
      kubectl -n "$1" port-forward --address 127.0.0.1 "service/$2" "${port}:$3" >"$log" 2>"$log.errors" </dev/null &
      forward=$!
      while [ -d "$folder" ] && kill -0 $$ && kill -0 $forward; do
        sleep 1
        port=${port:-$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$log")}
      done
      kill $forward
    done
    rm -rf "$folder"
  ) >/dev/null 2>&1 &)
  while [ $looks -lt 150 ]; do
    looks=$((looks + 1))
    _ciclo_port=$(sed -n 's/^Forwarding from 127.0.0.1:\([0-9]*\) .*/\1/p' "$log" 2>/dev/null)
    [ -z "$_ciclo_port" ] || return 0
    [ ! -s "$log.errors" ] || break
    sleep 0.2
  done
  echo "connect: the service $2 in $1 cannot be reached: $(cat "$log.errors" 2>/dev/null)" >&2
  return 1
}

_ciclo_connect "${1:-kubeflow}" "${2:-kubeflow}"
