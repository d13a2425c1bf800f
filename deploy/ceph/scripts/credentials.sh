#!/usr/bin/env bash
# Copies the Secret s3-events-keys from Rook's namespace to that of the data plane, and to others that are named (Spark's).
# Run it again when the keys have changed, and restart what read them.
#
#   credentials.sh [NAMESPACE…]    eventing-demo if not given
set -euo pipefail
[ $# -gt 0 ] || set -- eventing-demo

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
for key in access-key secret-key; do
  text=$(kubectl get secret s3-events-keys --namespace rook-ceph -o jsonpath="{.data.$key}")
  [ -n "$text" ] || {
    printf 'error: the Secret s3-events-keys in rook-ceph has no %s: apply manifests/user.yaml\n' "$key" >&2
    exit 1
  }
  base64 -d <<<"$text" >"$work/$key"
done
for namespace in "$@"; do
  kubectl create secret generic s3-events-keys --namespace "$namespace" --from-file="$work" --dry-run=client -o yaml |
    kubectl apply --server-side --force-conflicts --field-manager event-ingest -f -
done
