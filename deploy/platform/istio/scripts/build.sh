#!/usr/bin/env bash
# Istio in place of Envoy Gateway: sidecars, mTLS, policies, and the swap of the gateway class.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component istio

serving=$(setting components.knative.serving_namespace)
class=$(of gateway_class)
mesh=(default "$(setting components.data_plane.namespace)" "$serving")

"$folder/scripts/gateway-api.sh"
make_namespace "$namespace"
for name in "${mesh[@]}"; do make_namespace "$name"; done
install
wait_deployments "$namespace"
wait_for "" gatewayclass "$class" condition=Accepted

# Policies before sidecars: the first sidecar finds them.
apply "$folder"/manifests/*.yaml
[ "$(of tracing)" != true ] || apply "$folder/manifests/optional/telemetry.yaml"
for addon in kiali tracing; do
  if [ "$(of $addon)" = true ]; then
    file=$addon
    [ "$addon" != tracing ] || file=jaeger
    version=$(of chart_version)
    apply "${ISTIO_ADDONS:-https://raw.githubusercontent.com/istio/istio/$version/samples/addons}/$file.yaml"
  fi
done

# The swap: the Gateways change their class (and lose what only Envoy Gateway understands), Serving its configuration.
# Without the annotation Istio makes each one's Service a LoadBalancer, the local one's too.
for gateway in "$(setting components.envoy_gateway.gateway_name)" knative-local-gateway; do
  type=ClusterIP
  [ "$gateway" = knative-local-gateway ] || type=$(setting components.envoy_gateway.service_type)
  if kubectl -n "$serving" get gateway "$gateway" >/dev/null 2>&1; then
    kubectl -n "$serving" patch gateway "$gateway" --type merge --patch \
      "{\"metadata\": {\"annotations\": {\"networking.istio.io/service-type\": \"$type\"}},
        \"spec\": {\"gatewayClassName\": \"$class\", \"infrastructure\": null}}" >&2
  else
    apply - < <(sed -e "s/GATEWAY/$gateway/" -e "s/NAMESPACE/$serving/" -e "s/CLASS/$class/" \
      -e "s/TYPE/$type/" "$folder/scripts/gateway.yaml")
  fi
  wait_for "$serving" gateway "$gateway" condition=Programmed
done
if has_kind knativeservings.operator.knative.dev &&
  kubectl -n "$serving" get knativeserving knative-serving >/dev/null 2>&1; then
  "$deploy/platform/knative/scripts/build.sh"
fi

# A sidecar comes with a pod: those that run are made anew.
for name in "${mesh[@]}"; do
  if [ "$(kubectl get namespace "$name" -o jsonpath='{.metadata.labels.istio-injection}')" != enabled ]; then
    kubectl label --overwrite namespace "$name" istio-injection=enabled >&2
    if [ -n "$(kubectl -n "$name" get deployments -o name)" ]; then
      kubectl -n "$name" rollout restart deployment >&2
    fi
  fi
done
# From scratch there are none yet.
if [ -n "$(kubectl -n "$serving" get deployments -o name)" ]; then wait_deployments "$serving"; fi
