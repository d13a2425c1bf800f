# Shared by tests/deploy/*.sh: `. "$(dirname "$0")/harness/lib.sh"`. Sourced, never run.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

harness=$repo/tests/deploy/harness
PATH=$(deploy_tools_home)/bin:$PATH
export PATH

{ have helm && have kubeconform; } || die "helm and kubeconform are not installed: run 'scripts/setup.sh deploy'"
have shellcheck || die "shellcheck is not installed: run 'scripts/setup.sh deploy'"
[ -d "${CRDS_DIR:-}" ] || die "CRDS_DIR does not name a folder with the definitions of custom resources: run 'make crds'"
CRDS_DIR=$(cd "$CRDS_DIR" && pwd)
export CRDS_DIR

# Two may run at once. With DEPLOY_TEST_DIR what a test made stays to be looked at.
if [ -n "${DEPLOY_TEST_DIR:-}" ]; then
  work=$DEPLOY_TEST_DIR
  mkdir -p "$work"
else
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi

# Helm's own files stay out of the home of whoever runs this.
export HELM_CACHE_HOME=$work/helm/cache HELM_CONFIG_HOME=$work/helm/config HELM_DATA_HOME=$work/helm/data

python() { "$repo/scripts/python.sh" "$@"; }

# passed WHAT: one line of the report.
passed() { say "ok    $*"; }

# with_api FUNCTION ARGUMENT…: calls it while a real API server runs; KUBECONFIG is that of an administrator.
with_api() (
  local dir port server
  dir=$(mktemp -d "$work/api-XXXXXX")
  mkfifo "$dir/alive"
  while
    port=$((20000 + RANDOM % 10000))
    listening "$port"
  do :; done
  "$repo/scripts/kube.sh" run --port "$port" --dir "$dir/data" --until-stdin-closes <"$dir/alive" >"$dir/log" 2>&1 &
  server=$!
  # It ends when this is closed, however this shell ends.
  exec 7>"$dir/alive"
  trap 'exec 7>&-; wait "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
  until grep -q 'is ready' "$dir/log"; do
    kill -0 "$server" 2>/dev/null || {
      cat "$dir/log" >&2
      die "the API server did not start"
    }
    sleep 0.1
  done
  export KUBECONFIG=$dir/data/admin.kubeconfig
  "$@"
)

# make_schemas DIR: fills a new folder with the closed schemas of all kinds.
make_schemas() {
  local new=$1
  # shellcheck disable=SC2317 # with_api calls it
  openapi() { kubectl get --raw /openapi/v2 >"$new/openapi.json"; }
  with_api openapi
  python "$harness/schemas.py" "$new/openapi.json" "$CRDS_DIR" "$new"
  rm "$new/openapi.json"
}

# schemas: prints the folder of closed schemas, which is made once for each version of their sources.
schemas() {
  local home
  home=$(tool_dir schemas "$repo/scripts/kube/go.sum" "$harness/schemas.py" <(find "$CRDS_DIR" -name '*.yaml' -print0 | sort -z | xargs -0 cat))
  install_once "$home" make_schemas
  printf '%s\n' "$home"
}

# validate SCHEMAS FILE-OR-FOLDER…: kubeconform, strictly; its JSON goes to standard output.
validate() {
  local schemas=$1
  shift
  kubeconform -strict -output json -verbose -n 2 \
    -schema-location "$schemas/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json" "$@"
}

# render OUT CHART: a copy of it into OUT/charts, with stand-ins for the charts that it depends on; and what it renders to, with its own values
# and with each file of its ci/ and values-*.yaml, into OUT/rendered.
render() {
  local out=$1 chart=$2 copy name values options
  name=$(dirname "${chart#"$repo/deploy/"}" | tr / -)-$(basename "$chart")
  copy=$out/charts/$name
  mkdir -p "$out/charts" "$out/rendered"
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

# render_charts OUT: all charts below deploy/.
render_charts() {
  local chart count=0
  while read -r chart; do
    render "$1" "$chart"
    count=$((count + 1))
  done < <(find "$repo/deploy" -name Chart.yaml -not -path '*/charts/*/charts/*' -exec dirname {} \; | sort)
  passed "$count charts, rendered in $(find "$1/rendered" -name '*.yaml' | wc -l) ways"
}

# manifests OUT: every file with objects for a cluster: those that lie there, and those that were rendered.
manifests() {
  python "$harness/documents.py" plain
  find "$1/rendered" -name '*.yaml' -size +0
}
