#!/usr/bin/env bash
# Monitors, alert rules and dashboards for a Prometheus operator and a Grafana that exist.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component monitoring

for kind in podmonitors prometheusrules; do
  has_kind "$kind.monitoring.coreos.com" || die "no $kind.monitoring.coreos.com: install the Prometheus operator first"
done
make_namespace "$namespace"
install
# The same files that a plain Prometheus takes.
for rules in "$deploy"/alerts/*.yaml; do
  kubectl apply --server-side --force-conflicts --field-manager="$manager" -n "$namespace" -f "$rules" >&2
done
# The Prometheus that exists finds them by the label that the monitors have.
kubectl -n "$namespace" label --overwrite -f "$deploy/alerts" release=monitoring >&2
