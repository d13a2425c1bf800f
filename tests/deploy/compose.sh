#!/usr/bin/env bash
# deploy/local/compose.yaml, without Docker: the Compose project's own loader takes it, and our programs take the settings
# that it gives them.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

have jq || die "jq is missing (Debian, Ubuntu: jq)"

file=$repo/deploy/local/compose.yaml
loader_version=v2.16.2
home=$cache/compose-spec-$loader_version

build() {
  say "compose: building the loader of Compose files"
  GOBIN=$1 GOFLAGS='' go install "github.com/compose-spec/compose-go/v2/cmd@$loader_version" >&2 ||
    die "it could not be built: Go needs a module proxy (GOPROXY)"
}
have go || die "Go is missing: run 'scripts/setup.sh minio', which installs or names it"
install_once "$home" build

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checked=0
pass() {
  checked=$((checked + 1))
  say "  ok: $*"
}
fields() { jq -r "$1" "$work/model.json"; }

say "compose: $file"
"$home/cmd" --format json "$file" >"$work/model.json" || die "it is no valid Compose file"
sed 's/restart:/restrat:/' "$file" >"$work/broken.yaml"
if "$home/cmd" "$work/broken.yaml" >/dev/null 2>&1; then die "a field that does not exist was not noticed"; fi
pass "every field exists"

bad=$(fields '.services | to_entries[] | select(.value.build == null) | .value.image | select(test(":[^:/]*[0-9]") | not)')
[ -z "$bad" ] || die "images without a version: $bad"
bad=$(fields '.services[].ports[]? | select(.host_ip != "127.0.0.1") | .published')
[ -z "$bad" ] || die "ports that other machines reach: $bad"
bad=$(fields '.services[].ports[]?.published' | sort | uniq -d)
[ -z "$bad" ] || die "ports that two services want: $bad"
pass "images have versions, ports are this machine's alone"

for program in dispatcher light-worker spark-launcher; do
  [ -x "$CARGO_TARGET_DIR/debug/$program" ] || die "$CARGO_TARGET_DIR/debug/$program is missing: run 'make build'"
  fields ".services.\"$program\".build | .dockerfile, .target" >"$work/build"
  printf '%s\n' deploy/images/Dockerfile "$program" | diff - "$work/build" >/dev/null || die "$program is built from something else"
  mapfile -t settings < <(fields ".services.\"$program\".environment | to_entries[] | \"\(.key)=\(.value)\"")
  "$CARGO_TARGET_DIR/debug/$program" --help >"$work/help"
  for setting in "${settings[@]}"; do
    name=${setting%%=*}
    case $name in
      KAFKA_* | ICEBERG_CATALOG__*) ;;
      *) grep -q "\[env: $name=" "$work/help" || die "$program knows no $name" ;;
    esac
  done
  env -i "${settings[@]}" "$CARGO_TARGET_DIR/debug/$program" --print-config >"$work/config" ||
    die "$program refuses the settings that it is given"
  for name in kafka:19092 http://minio:9000 http://catalog:8181; do
    if [[ " ${settings[*]} " == *"$name"* ]]; then
      grep -q "$name" "$work/config" || die "$program does not use $name, which it is given"
    fi
  done
  pass "$program takes its settings"
done

for topic in s3-events light-ingest heavy-ingest ingest-dlq; do
  fields '.services.topics.command[]' | grep "^topic $topic [0-9]*\$" >/dev/null || die "nobody makes the topic $topic"
done
pass "all topics are made"
say "compose: $checked passed, 0 failed"
