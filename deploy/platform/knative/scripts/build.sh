#!/usr/bin/env bash
# Knative's operator, Serving over the Gateway API, Eventing over Kafka.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component knative

serving=$(of serving_namespace) eventing=$(of eventing_namespace)
class=$(gateway_class)

kubectl get gatewayclass "$class" >/dev/null 2>&1 ||
  die "there is no GatewayClass $class: run deploy/up.sh --only envoy_gateway, or istio in phase 3"
kafka=$(setting components.strimzi.kafka_cluster_name)
[ "$(kubectl -n "$(setting components.strimzi.namespace)" get kafka "$kafka" \
  -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null)" = True ] ||
  die "Kafka $kafka is not Ready, and Brokers need it: run deploy/up.sh --only strimzi"

make_namespace "$serving"
make_namespace "$eventing"
install
wait_deployments "$namespace"
version=$(of version)
as_configured() {
  sed -e "s/^\( *version:\) \"1\.21\.0\"\$/\1 \"${version#v}\"/" -e "s/knative-v1\.21\.0/knative-$version/" \
    -e "s/^      sslip\.io: \"\"\$/      $(of domain): \"\"/" -e "s#knative-serving/knative-gateway\$#$serving/$(setting components.envoy_gateway.gateway_name)#" |
    for_class "$class"
}
apply - < <(as_configured <"$folder/manifests/knative-serving.yaml")
apply "$folder/manifests/kafka-broker-config.yaml"
apply - < <(as_configured <"$folder/manifests/knative-eventing.yaml")
wait_for "$serving" knativeserving knative-serving condition=Ready
wait_for "$eventing" knativeeventing knative-eventing condition=Ready
