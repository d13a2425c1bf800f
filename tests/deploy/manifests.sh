#!/usr/bin/env bash
# Every chart below deploy/, rendered with its own values and with each file of its ci/, and every manifest validates
# against closed schemas; an unknown field planted at any depth of any kind is caught.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

out=$work/manifests
mkdir -p "$out/planted"
schemas=$(schemas)

render_charts "$out"
mapfile -t files < <(manifests "$out")
validate "$schemas" "${files[@]}" >"$out/answer.json" || true
counted=$(python "$harness/documents.py" check "${files[@]}" <"$out/answer.json") || exit 1
passed "$counted"

count=$(python "$harness/documents.py" plant "$schemas" "$out/planted" "${files[@]}")
validate "$schemas" "$out/planted" >"$out/answer.json" || true
counted=$(python "$harness/documents.py" check-bad "$count" <"$out/answer.json") || exit 1
passed "$counted, each caught"
