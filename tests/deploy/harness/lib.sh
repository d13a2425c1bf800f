# Shared by tests/deploy/*.sh: `. "$(dirname "$0")/harness/lib.sh"`. Sourced, never run.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"

harness=$repo/tests/deploy/harness
PATH=$(deploy_tools_home)/bin:$PATH
export PATH

have helm && have kubeconform || die "helm and kubeconform are not installed: run 'scripts/setup.sh deploy'"
have shellcheck || die "shellcheck is not installed: run 'scripts/setup.sh deploy'"
[ -d "${CRDS_DIR:-}" ] || die "CRDS_DIR does not name a folder with the definitions of custom resources: run 'make crds'"
CRDS_DIR=$(cd "$CRDS_DIR" && pwd)
export CRDS_DIR

# Helm's own files stay out of the home of whoever runs this.
work=${DEPLOY_TEST_DIR:-$cache/deploy-tests}
mkdir -p "$work"
export HELM_CACHE_HOME=$work/helm/cache HELM_CONFIG_HOME=$work/helm/config HELM_DATA_HOME=$work/helm/data

python() { "$repo/scripts/python.sh" "$@"; }

# passed WHAT: one line of the report.
passed() { say "ok    $*"; }

# with_api FUNCTION ARGUMENT…: calls it while a real API server runs; KUBECONFIG is that of an administrator.
with_api() (
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
