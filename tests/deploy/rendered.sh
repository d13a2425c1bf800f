#!/usr/bin/env bash
# What lies rendered in deploy/platform/*/deployment is what the templates give; config.yaml and the charts name the same
# versions; every component has the same files.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

cp -r "$repo/deploy" "$work/deploy"
count=0
for script in "$work"/deploy/platform/*/scripts/regenerate-rendered.sh; do
  folder=$(dirname "$(dirname "$script")")
  name=$(basename "$folder")
  rm -rf "$folder/deployment"
  "$script" 2>/dev/null || die "$name: its templates cannot be rendered"
  real=$repo/deploy/platform/$name
  # A component without templates of its own has none.
  mkdir -p "$folder/deployment" "$work/none"
  there=$real/deployment
  [ -d "$there" ] || there=$work/none
  diff -r "$there" "$folder/deployment" >&2 ||
    die "$name: deployment/ is not what its templates give: run $real/scripts/regenerate-rendered.sh"
  for file in README.md helm/Chart.yaml helm/values.yaml scripts/build.sh scripts/destroy.sh; do
    [ -s "$real/$file" ] || die "$name has no $file"
  done
  count=$((count + 1))
done
[ "$count" -ge 8 ] || die "only $count components were found"

. "$repo/deploy/lib.sh"
. "$repo/deploy/plan.sh"
for name in "${order[@]}"; do
  [ -x "$(scripts_of "$name")/build.sh" ] || die "$name has no build.sh"
  # The object store is there already: no chart.
  [ "$name" != ceph ] || continue
  component "$name"
  [ -f "$folder/helm/Chart.yaml" ] || continue
  while read -r chart version; do
    [ "$version" = "$(of chart_version)" ] || die "$name: Chart.yaml has $chart $version, config.yaml $(of chart_version)"
  done < <(dependency_list "$folder/helm")
done
passed "$count components of one pattern, their versions agree, what is rendered is up to date"
