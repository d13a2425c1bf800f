#!/usr/bin/env bash
# Definitions, the operator, and what drivers run as.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
component spark_operator

drivers_account() {
  kubectl -n "$demo" get serviceaccount spark-operator-spark >/dev/null || no "no ServiceAccount spark-operator-spark in $demo"
}

for kind in sparkapplications scheduledsparkapplications; do line "definition $kind" has_kind "$kind.sparkoperator.k8s.io"; done
line "the Spark operator runs" available "$namespace" spark-operator-controller spark-operator-webhook
line "drivers have their service account" drivers_account
[ "$failed" = 0 ]
