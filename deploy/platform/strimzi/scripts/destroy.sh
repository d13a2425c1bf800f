#!/usr/bin/env bash
# Takes Strimzi away. The cluster, its volumes and the topics stay: --delete-data, --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component strimzi

if asked --delete-data "$@" && has_kind kafkas.kafka.strimzi.io; then
  # While the operator is there, it removes what belongs to them; a topic's finalizer wants it too.
  for kind in kafkatopics kafkausers kafkas kafkanodepools; do
    kubectl -n "$namespace" delete "$kind.kafka.strimzi.io" --all --ignore-not-found --timeout="${wait_seconds}s" >&2
  done
  kubectl -n "$namespace" delete pvc -l "strimzi.io/cluster=$(of kafka_cluster_name)" --ignore-not-found --wait=false >&2
fi
# Brokers go on without the operator.
uninstall
! asked --delete-crds "$@" || delete_crds kafka.strimzi.io core.strimzi.io
