#!/usr/bin/env bash
# Takes Envoy Gateway away. Gateways and definitions stay: --delete-gateways, --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component envoy_gateway

uninstall
serving=$(setting components.knative.serving_namespace)
if asked --delete-gateways "$@" && has_kind gateways.gateway.networking.k8s.io; then
  kubectl -n "$serving" delete gateway "$(of gateway_name)" knative-local-gateway --ignore-not-found --wait=false >&2
fi
if has_kind envoyproxies.gateway.envoyproxy.io && { uses_istio || asked --delete-gateways "$@"; }; then
  kubectl -n "$serving" delete envoyproxy "$(of gateway_name)" knative-local-gateway --ignore-not-found --wait=false >&2
fi
! asked --delete-crds "$@" || delete_crds gateway.envoyproxy.io
# The Gateway API belongs to whoever has Gateways: Istio too.
if asked --delete-crds "$@" && ! uses_istio; then delete_crds gateway.networking.k8s.io gateway.networking.x-k8s.io; fi
