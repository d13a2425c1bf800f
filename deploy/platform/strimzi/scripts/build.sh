#!/usr/bin/env bash
# Strimzi's operator and the cluster events-kafka.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component strimzi

# kafka_manifest: the cluster, as deploy/config.yaml has its version, class and size.
kafka_manifest() {
  local file=$folder/manifests/kafka-cluster.yaml
  {
    if [ "$(of secured)" = true ]; then
      # The nodes are the same; the cluster's resource is the other one.
      awk '/^---$/ { exit } { print }' "$file"
      printf -- '---\n'
      cat "$folder/manifests/kafka-secured.yaml"
    else
      cat "$file"
    fi
  } | sed -e "s/^\( *class:\) ceph-block\$/\1 $(of storage_class)/" -e "s/^\( *size:\) 20Gi\$/\1 $(of storage_size)/" \
    -e "s/^\( *version:\) 4\.1\.1\$/\1 $(of kafka_version)/" -e "s/\bevents-kafka\b/$(of kafka_cluster_name)/" \
    -e "s/^\( *namespace:\) kafka\$/\1 $namespace/"
}

make_namespace "$namespace"
install
wait_deployments "$namespace"
apply - < <(kafka_manifest)
wait_for "$namespace" kafka "$(of kafka_cluster_name)" condition=Ready
