#!/usr/bin/env bash
# Envoy Gateway, the GatewayClass and Knative's two Gateways.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component envoy_gateway

# The Gateways live where Knative looks for them, and come before it.
make_namespace "$(setting components.knative.serving_namespace)"
install --set "gatewayClass.name=$(of gateway_class)" --set "gateways.external.name=$(of gateway_name)" \
  --set "gateways.namespace=$(setting components.knative.serving_namespace)" \
  --set "gateways.external.serviceType=$(of service_type)"
wait_deployments "$namespace"
wait_for "" gatewayclass "$(of gateway_class)" condition=Accepted
for gateway in "$(of gateway_name)" knative-local-gateway; do
  wait_for "$(setting components.knative.serving_namespace)" gateway "$gateway" condition=Programmed
done
