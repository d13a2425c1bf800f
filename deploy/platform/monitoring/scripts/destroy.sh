#!/usr/bin/env bash
# Takes monitors and dashboards away.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component monitoring

uninstall
if has_kind prometheusrules.monitoring.coreos.com; then
  kubectl -n "$namespace" delete prometheusrule event-ingest-heavy --ignore-not-found >&2
fi
