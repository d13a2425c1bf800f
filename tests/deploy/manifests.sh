#!/usr/bin/env bash
# Every chart below deploy/, rendered with its own values and with each file of its ci/, and every manifest validates
# against closed schemas; an unknown field planted at any depth of any kind is caught.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

out=$work/manifests
rm -rf "$out"
mkdir -p "$out/rendered" "$out/planted"
schemas=$(schemas)

# render CHART: a copy of it, with stand-ins for the charts that it depends on.
render() {
  local chart=$1 copy name values options
  name=$(dirname "${chart#"$repo/deploy/"}" | tr / -)-$(basename "$chart")
  copy=$out/charts/$name
  mkdir -p "$out/charts"
  cp -r "$chart" "$copy"
  python "$harness/stubs.py" "$chart" "$copy/charts"
  for values in "" "$chart"/values-*.yaml "$chart"/ci/*.yaml; do
    [ -z "$values" ] || [ -f "$values" ] || continue
    options=()
    [ ! -f "$chart/values-overrides.yaml" ] || options+=(-f "$chart/values-overrides.yaml")
    [ -z "$values" ] || options+=(-f "$values")
    helm lint --strict --quiet "$copy" "${options[@]}" >"$out/lint.log" 2>&1 || {
      cat "$out/lint.log" >&2
      die "helm lint of $chart with ${values:-its own values} fails"
    }
    helm template release "$copy" --namespace event-ingest-test "${options[@]}" \
      >"$out/rendered/$name-$(basename "${values:-values}" .yaml).yaml" ||
      die "helm template of $chart with ${values:-its own values} fails"
  done
}

mapfile -t charts < <(find "$repo/deploy" -name Chart.yaml -not -path '*/charts/*/charts/*' -exec dirname {} \; | sort)
for chart in "${charts[@]}"; do render "$chart"; done
passed "${#charts[@]} charts, rendered in $(find "$out/rendered" -name '*.yaml' | wc -l) ways"

mapfile -t files < <(python "$harness/documents.py" plain && find "$out/rendered" -name '*.yaml' -size +0)
validate "$schemas" "${files[@]}" >"$out/answer.json" || true
counted=$(python "$harness/documents.py" check "${files[@]}" <"$out/answer.json") || exit 1
passed "$counted"

count=$(python "$harness/documents.py" plant "$schemas" "$out/planted" "${files[@]}")
validate "$schemas" "$out/planted" >"$out/answer.json" || true
counted=$(python "$harness/documents.py" check-bad "$count" <"$out/answer.json") || exit 1
passed "$counted, each caught"
