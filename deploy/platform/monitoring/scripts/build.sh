#!/usr/bin/env bash
# Monitors and dashboards for a Prometheus operator and a Grafana that exist. Alerts come with the chart of the services.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component monitoring

has_kind podmonitors.monitoring.coreos.com || die "no podmonitors.monitoring.coreos.com: install the Prometheus operator first"
make_namespace "$namespace"
install
# Before the chart had them all, this script applied alerts: they would come twice.
if has_kind prometheusrules.monitoring.coreos.com; then
  kubectl -n "$namespace" delete prometheusrule event-ingest-heavy --ignore-not-found >&2
fi
