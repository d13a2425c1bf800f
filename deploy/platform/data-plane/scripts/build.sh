#!/usr/bin/env bash
# The data plane: dispatcher, light worker, spark launcher, topics.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component data_plane

chart=$deploy/charts/event-ingest
[ -d "$chart" ] || die "the chart of the data plane is not there: $chart"
# The cluster of deploy/config.yaml; a file of values may name another (one outside, or a secured listener).
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/values.yaml" <<TEXT
kafka:
  bootstrapServers: $(kafka_bootstrap).cluster.local:9092
  cluster: $(setting components.strimzi.kafka_cluster_name)
  namespace: $(setting components.strimzi.namespace)
TEXT
options=(-f "$work/values.yaml")
[ -z "$(of values)" ] || options+=(-f "$(of values)")
make_namespace "$namespace"
# Never both: each would request every file. The one goes, with its pods, before the other comes.
kind=$(dispatcher_kind)
if [ "$kind" = camel ]; then
  has_kind integrations.camel.apache.org || die "Camel K is not there: run deploy/up.sh --only camel_k"
  options+=(--set dispatcher.enabled=false)
else
  remove_camel_dispatcher
fi
helm upgrade --install "$release" "$chart" --namespace "$namespace" "${options[@]}" >&2
if [ "$kind" = camel ]; then
  wait_gone "$namespace" "app.kubernetes.io/instance=$release,app.kubernetes.io/component=dispatcher"
  apply - < <(camel_dispatcher)
fi

helm get manifest "$release" --namespace "$namespace" | kubectl get -f - \
  -o go-template='{{range .items}}{{.kind}} {{.apiVersion}} {{.metadata.namespace}} {{.metadata.name}}{{"\n"}}{{end}}' >"$work/objects"
# wait_ready KIND…: until all that the release has of them are Ready.
wait_ready() {
  local kind object found
  for kind in "$@"; do
    mapfile -t found < <(awk -v kind="$kind" '{ split($2, api, "/"); if (tolower($1) "." api[1] == kind) print $3 "/" $4 }' "$work/objects")
    for object in "${found[@]}"; do wait_for "${object%/*}" "$kind" "${object#*/}" condition=Ready; done
  done
}
# Each before what needs it. A Deployment that runs receives nothing while a topic, a service or a source is not there.
wait_ready kafkatopic.kafka.strimzi.io kafkauser.kafka.strimzi.io
if [ -n "$(kubectl -n "$namespace" get deployments -o name)" ]; then wait_deployments "$namespace"; fi
[ "$kind" != camel ] || wait_for "$namespace" integration camel-dispatcher condition=Ready
wait_ready service.serving.knative.dev broker.eventing.knative.dev kafkasink.eventing.knative.dev \
  kafkasource.sources.knative.dev trigger.eventing.knative.dev scaledobject.keda.sh
