#!/usr/bin/env bash
# The data plane: dispatcher, light worker, spark launcher, topics.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component data_plane

chart=$deploy/charts/event-ingest
[ -d "$chart" ] || die "the chart of the data plane is not there: $chart"
# The cluster of deploy/config.yaml; a file of values may name another (one outside, or a secured listener).
kafka=$(setting components.strimzi.kafka_cluster_name) kafka_namespace=$(setting components.strimzi.namespace)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/values.yaml" <<TEXT
kafka:
  bootstrapServers: $kafka-kafka-bootstrap.$kafka_namespace.svc.cluster.local:9092
  cluster: $kafka
  namespace: $kafka_namespace
TEXT
options=(-f "$work/values.yaml")
[ -z "$(of values)" ] || options+=(-f "$(of values)")
# Never both: each would request every file.
[ "$(setting dispatcher.kind)" = native ] || options+=(--set dispatcher.enabled=false)
make_namespace "$namespace"
helm upgrade --install "$release" "$chart" --namespace "$namespace" "${options[@]}" >&2
if [ -n "$(kubectl -n "$namespace" get deployments -o name)" ]; then wait_deployments "$namespace"; fi
