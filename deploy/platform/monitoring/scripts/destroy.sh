#!/usr/bin/env bash
# Takes monitors, rules and dashboards away.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component monitoring

uninstall
if has_kind prometheusrules.monitoring.coreos.com; then
  kubectl -n "$namespace" delete -f "$deploy/alerts" --ignore-not-found >&2
fi
