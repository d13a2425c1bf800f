#!/usr/bin/env bash
# The definitions of the Gateway API, where nobody has brought them yet: a step of its own, as two channels do not mix.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component istio

if has_kind gateways.gateway.networking.k8s.io; then
  found=$(kubectl get crd gateways.gateway.networking.k8s.io \
    -o jsonpath='{.metadata.annotations.gateway\.networking\.k8s\.io/bundle-version}')
  say "the Gateway API is there: ${found:-version unknown}"
else
  # GATEWAY_API names a file or address where GitHub cannot be reached.
  version=$(of gateway_api_version)
  apply "${GATEWAY_API:-https://github.com/kubernetes-sigs/gateway-api/releases/download/$version/standard-install.yaml}"
fi
