#!/usr/bin/env bash
# Definitions, GatewayClass and Gateways.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
. "$deploy/verify/phase1.sh"

for kind in gatewayclasses gateways httproutes; do
  line "definition $kind" has_kind "$kind.gateway.networking.k8s.io"
done
line "Envoy controller runs" available "$(setting components.envoy_gateway.namespace)" envoy-gateway
line "GatewayClass $(gateway_class)" class_accepted
for name in "$gateway" knative-local-gateway; do
  line "Gateway $name Programmed" holds "$serving" gateway "$name" Programmed
done
[ "$failed" = 0 ]
