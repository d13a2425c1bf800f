#!/usr/bin/env bash
# deploy/demo/func: compiled, linted, and called with the contract's golden files. Its build products go where all others are.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

have jq || die "jq is missing (Debian, Ubuntu: jq)"

folder=$repo/deploy/demo/func
golden=$repo/crates/ingest-core/tests/golden/request-v1
start_within=20 # seconds
target=$CARGO_TARGET_DIR/func
cargo=(env CARGO_TARGET_DIR="$target" CARGO_INCREMENTAL=0)

say "func: $folder"
cd "$folder"
"${cargo[@]}" cargo fmt --check
"${cargo[@]}" cargo clippy --quiet --locked --all-targets -- -D warnings
"${cargo[@]}" cargo test --quiet --locked >&2
"${cargo[@]}" cargo build --quiet --locked

work=$(mktemp -d)
server=''
cleanup() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
PORT=0 "$target/debug/ingest-request" >"$work/log" 2>&1 &
server=$!
SECONDS=0 port=''
until [ -n "$port" ]; do
  kill -0 "$server" 2>/dev/null || die "it ended at once: $(cat "$work/log")"
  [ "$SECONDS" -lt "$start_within" ] || die "it did not start within $start_within s: $(cat "$work/log")"
  port=$(sed -n 's/.*"address":"[0-9.]*:\([0-9]*\)".*/\1/p' "$work/log")
done

checked=0
# call STATUS OPTION…: the answer's body is in $work/body, its headers in $work/headers.
call() {
  local expected=$1 got
  shift
  got=$(curl -s -m 20 -o "$work/body" -D "$work/headers" -w '%{http_code}' "$@" "http://127.0.0.1:$port/") || true
  [ "$got" = "$expected" ] || die "answered $got instead of $expected: $(cat "$work/body")"
  checked=$((checked + 1))
}
json=(-H 'content-type: application/json')
event=(-H 'ce-specversion: 1.0' -H 'ce-id: one' -H 'ce-source: /test' -H 'ce-type: dev.eventingest.request.light.v1')

for file in "$golden"/*.read.json; do
  call 200 "${event[@]}" "${json[@]}" --data-binary "@$file"
  jq -e --slurpfile written "${file/.read./.written.}" '.table == ($written[0].table // "db.my_table")
      and .files == ($written[0].files | unique | length)' "$work/body" >/dev/null ||
    die "of $file it says $(cat "$work/body")"
  grep -qi '^ce-type: dev.eventingest.example.summary.v1' "$work/headers" || die "the answer is no CloudEvent"
done
[ "$checked" -ge 5 ] || die "there are no golden files in $golden"

# As KafkaSource sends it: without a content type.
call 200 "${event[@]}" -H 'content-type:' --data-binary "@$golden/files-only.read.json"
jq -c '{specversion: "1.0", id: "two", source: "/test", type: "dev.eventingest.request.heavy.v1", data: .}' \
  "$golden/files-only.read.json" >"$work/structured"
call 200 -H 'content-type: application/cloudevents+json' --data-binary "@$work/structured"
grep -qi '^ce-id: two' "$work/headers" || die "the answer has another id than the request"

call 400 "${json[@]}" --data-binary "@$golden/files-only.read.json"
call 400 "${event[@]}" "${json[@]}" -d '{"files": []}'
call 400 "${event[@]}" "${json[@]}" -d '{"files": "none"}'
call 400 "${event[@]}" "${json[@]}" -d 'no JSON'
call 400 "${event[@]/dev.eventingest.request.light.v1/dev.eventingest.completed.v1}" "${json[@]}" --data-binary "@$golden/files-only.read.json"
jq -c '.id = "two\nlines"' "$work/structured" >"$work/odd"
call 400 -H 'content-type: application/cloudevents+json' --data-binary "@$work/odd"
head -c 17000000 /dev/zero >"$work/large"
call 413 "${event[@]}" "${json[@]}" --data-binary "@$work/large"
for path in liveness readiness; do
  grep -q "$path: /health/$path\$" func.yaml || die "func.yaml does not name the address of $path"
  [ "$(curl -s -m 20 "http://127.0.0.1:$port/health/$path")" = ok ] || die "/health/$path does not answer"
done
grep -qF "type: dev.eventingest.request.light.v1" func.yaml || die "func.yaml subscribes to something else"

kill -TERM "$server"
status=0
wait "$server" || status=$?
server=''
[ "$status" = 0 ] || die "after SIGTERM it ended with $status"
say "func: $((checked + 3)) passed, 0 failed"
