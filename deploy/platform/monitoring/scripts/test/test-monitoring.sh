#!/usr/bin/env bash
# The release's monitors and dashboards are there. Whether Prometheus selects them, its own page of targets says.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../../lib.sh"
. "$deploy/verify/lib.sh"
component monitoring

# objects: of the release, whatever it was told to make.
objects() {
  local manifest
  manifest=$(helm get manifest "$release" --namespace "$namespace") || no "no release $release in $namespace" || return
  kubectl --namespace "$namespace" get -f - -o name <<<"$manifest"
}

for kind in podmonitors servicemonitors prometheusrules; do line "definition $kind" has_kind "$kind.monitoring.coreos.com"; done
line "monitors and dashboards are there" objects
[ "$failed" = 0 ]
