#!/usr/bin/env bash
# Brings up a demo and shows it: applies the manifests of its folder in the order of their names, waits until its services,
# sources and triggers are Ready, runs its show.sh. Run again, it shows it again, and changes nothing.
#
#   deploy/demo/run.sh hello|eventing|kafka-source|s3-event-display|csv-to-iceberg|catalog|end-to-end
#   deploy/demo/run.sh --remove NAME       takes its manifests away
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

remove=false
[ "${1:-}" != --remove ] || {
  remove=true
  shift
}
demo=$here/${1:?usage: run.sh [--remove] NAME}
[ -d "$demo" ] || {
  printf 'error: no demo is called %s\n' "$1" >&2
  exit 2
}

shopt -s nullglob
manifests=("$demo"/*.yaml)
if "$remove"; then
  for manifest in "${manifests[@]}"; do kubectl delete --ignore-not-found --wait=false -f "$manifest"; done
  exit
fi
kubectl get namespace eventing-demo >/dev/null 2>&1 || kubectl create namespace eventing-demo
# One after the other: hello's second revision names the first.
for manifest in "${manifests[@]}"; do
  # A first step is taken once: to go back to it would make one more revision.
  case $(basename "$manifest") in 1-*) ! kubectl get -f "$manifest" >/dev/null 2>&1 || continue ;; esac
  kubectl apply --server-side --force-conflicts --field-manager event-ingest-demo -f "$manifest"
  while read -r kind namespace name; do
    kubectl wait --namespace "$namespace" "$kind/$name" --for=condition=Ready --timeout "${WAIT_TIMEOUT:-300}s" || {
      kubectl get --namespace "$namespace" "$kind/$name" \
        -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason} {.message}{"\n"}{end}' >&2
      exit 1
    }
  done < <(
    kubectl get -f "$manifest" -o jsonpath='{range .items[*]}{.apiVersion} {.kind} {.metadata.namespace} {.metadata.name}{"\n"}{end}{.apiVersion} {.kind} {.metadata.namespace} {.metadata.name}{"\n"}' |
      awk '$1 ~ /knative.dev|strimzi.io/ { split($1, group, "/"); sub(/\/.*/, "", $1); print tolower($2) "." group[2] "." $1, $3, $4 }'
  )
done
[ ! -x "$demo/show.sh" ] || "$demo/show.sh"
