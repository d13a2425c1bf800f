#!/usr/bin/env bash
# Takes Istio away: labels and sidecars, policies, the release. Definitions and Gateways stay: --delete-crds, --delete-gateways.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component istio

serving=$(setting components.knative.serving_namespace)
# Labels and policies of a mesh that others installed have the same names.
if is_ours; then
  for name in default "$(setting components.data_plane.namespace)" "$serving"; do
    if [ "$(kubectl get namespace "$name" --ignore-not-found -o jsonpath='{.metadata.labels.istio-injection}')" = enabled ]; then
      kubectl label namespace "$name" istio-injection- >&2
      if [ -n "$(kubectl -n "$name" get deployments -o name)" ]; then kubectl -n "$name" rollout restart deployment >&2; fi
    fi
  done
  for file in "$folder"/manifests/*.yaml "$folder/manifests/optional/telemetry.yaml"; do remove "$file"; done
fi
if asked --delete-gateways "$@" && has_kind gateways.gateway.networking.k8s.io; then
  kubectl -n "$serving" delete gateway "$(setting components.envoy_gateway.gateway_name)" knative-local-gateway \
    --ignore-not-found --wait=false >&2
fi
uninstall
! asked --delete-crds "$@" || delete_crds istio.io
