# Source this to reach a development installation from here:
#   source manifests/connect.sh NAMESPACE
# It forwards the ports of MinIO, PostgreSQL and the KFP API to this machine until the shell ends, and sets CICLO_* to
# what the ConfigMap and the Secrets of the namespace hold. Keys go into the environment and nowhere else, but for the
# signing keys, which are files.

_ciclo_namespace=${1:-kubeflow}
_ciclo_of() { # kind, name, key
  kubectl -n "$_ciclo_namespace" get "$1" "$2" -o "go-template={{index .data \"$3\"}}"
}
_ciclo_secret() { _ciclo_of secret "$1" "$2" | base64 --decode; }
_ciclo_forward() { # namespace, service, port
  kubectl -n "$1" port-forward --address 127.0.0.1 "service/$2" "$3" >/dev/null &
  for _ in $(seq 50); do (exec 3<>"/dev/tcp/127.0.0.1/$3") 2>/dev/null && return; sleep 0.2; done
  echo "connect: nobody answers at port $3, to which service $2 is forwarded" >&2
  return 1
}

_ciclo_forward "$_ciclo_namespace" ciclo-minio 9000
_ciclo_forward "$_ciclo_namespace" ciclo-postgresql 5432
_ciclo_forward "${CICLO_KFP_SERVICE_NAMESPACE:-kubeflow}" ml-pipeline 8888

_ciclo_keys=$(mktemp -d)
(umask 077 && _ciclo_secret ciclo-signing private.pem >"$_ciclo_keys/private.pem")
_ciclo_of configmap ciclo-trust public.pem >"$_ciclo_keys/public.pem"

export CICLO_DEPLOYER=seldon CICLO_NAMESPACE=$_ciclo_namespace CICLO_KFP_HOST=http://127.0.0.1:8888
export CICLO_S3_ENDPOINT=127.0.0.1:9000 CICLO_S3_SECURE=false
CICLO_STORE=$(_ciclo_of configmap ciclo CICLO_STORE)
CICLO_SERVING_IMAGE=$(_ciclo_of configmap ciclo CICLO_SERVING_IMAGE)
CICLO_S3_ACCESS_KEY=$(_ciclo_secret ciclo CICLO_S3_ACCESS_KEY)
CICLO_S3_SECRET_KEY=$(_ciclo_secret ciclo CICLO_S3_SECRET_KEY)
CICLO_PREDICTIONS=$(_ciclo_secret ciclo CICLO_PREDICTIONS | sed 's/@ciclo-postgresql:/@127.0.0.1:/')
export CICLO_STORE CICLO_SERVING_IMAGE CICLO_S3_ACCESS_KEY CICLO_S3_SECRET_KEY CICLO_PREDICTIONS
export CICLO_PRIVATE_KEY=$_ciclo_keys/private.pem CICLO_PUBLIC_KEYS="[\"$_ciclo_keys/public.pem\"]"
