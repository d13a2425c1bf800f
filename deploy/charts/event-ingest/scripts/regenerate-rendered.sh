#!/usr/bin/env bash
# Writes the chart as plain manifests to deployment/: the small set-up and production's. With --check nothing is written,
# and what differs is an error.
set -euo pipefail

chart=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(cd "$chart/../../.." && pwd)/deployment

# render OPTION…: the chart in the namespace of the design, without the tests and the lines that templates leave empty.
render() {
  printf '# Written by deploy/charts/event-ingest/scripts/regenerate-rendered.sh: do not edit.\n'
  helm template event-ingest "$chart" --namespace eventing-demo --skip-tests "$@" | sed -e '1{/^---$/d}' -e '/^ \+$/d'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
render >"$work/event-ingest.yaml"
render --values "$chart/values-production.yaml" >"$work/event-ingest-production.yaml"

case ${1:-} in
  --check)
    diff -ru "$out" "$work" || {
      printf 'error: deployment/ is not what the chart renders: run %s\n' "$0" >&2
      exit 1
    }
    ;;
  '')
    mkdir -p "$out"
    cp "$work"/*.yaml "$out/"
    ;;
  *)
    printf 'usage: %s [--check]\n' "$0" >&2
    exit 2
    ;;
esac
