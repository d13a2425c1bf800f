#!/usr/bin/env bash
# Definition, operator, and that every ScaledObject is taken care of.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
component keda

scaled() {
  local seen
  seen=$(kubectl get scaledobjects.keda.sh -A \
    -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name}={.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}') || return
  seen=$(grep -v '=True$' <<<"$seen" || true)
  [ -z "$seen" ] || no "not Ready: ${seen//$'\n'/, }"
}

line "definition scaledobjects" has_kind scaledobjects.keda.sh
line "KEDA runs" available "$namespace" keda-operator keda-operator-metrics-apiserver
line "ScaledObjects are Ready" scaled
[ "$failed" = 0 ]
