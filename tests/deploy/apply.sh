#!/usr/bin/env bash
# A real API server takes every manifest and everything that the charts render to: server-side apply, fields validated
# strictly, rules of the definitions (CEL) evaluated.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

render_charts "$work/apply"
mapfile -t files < <(manifests "$work/apply")
with_api python "$harness/apply.py" "${files[@]}"
