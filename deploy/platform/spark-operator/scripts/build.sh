#!/usr/bin/env bash
# The operator that the spark launcher hands applications to.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component spark_operator

# Its job namespaces have to be there.
make_namespace "$(setting components.data_plane.namespace)"
install --set "spark-operator.spark.jobNamespaces={$(setting components.data_plane.namespace)}"
wait_deployments "$namespace"
