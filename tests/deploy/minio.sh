#!/usr/bin/env bash
# deploy/minio/setup.sh on a real MinIO with a real Kafka: twice, with one result; what the user may do and may not; an upload
# is announced once, and only under the prefix.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/harness/servers.sh"

mc_version=v0.0.0-20250313080218-cf909e1063a9
home=$cache/mc-$mc_version
build() {
  say "minio: building its command line"
  GOBIN=$1 GOFLAGS='' CGO_ENABLED=0 go install -trimpath -ldflags '-s -w' "github.com/minio/mc@$mc_version" >"$1/log" 2>&1 || {
    tail -n 20 "$1/log" >&2
    die "it could not be built: Go needs a module proxy (GOPROXY)"
  }
  rm "$1/log"
}
install_once "$home" build

start_kafka
s3_port=$(free_port)
serve_until_end minio "$repo/scripts/minio.sh" run --port "$s3_port" --dir "$dir/minio"

export MC_CONFIG_DIR=$dir/mc MC=$home/mc
"$MC" alias set here "http://127.0.0.1:$s3_port" event-ingest for-tests-alone >/dev/null
export KAFKA_BROKERS=127.0.0.1:$port QUEUE_DIR=$dir/queue INGEST_SECRET_KEY=hunter2-hunter2
for _ in 1 2; do
  "$repo/deploy/minio/setup.sh" here >>"$dir/setup.log" 2>&1 || {
    cat "$dir/setup.log" >&2
    die "deploy/minio/setup.sh failed"
  }
done
! grep -q hunter2 "$dir/setup.log" || die "the secret key was printed"
[ "$("$MC" event list here/events-inbox | wc -l)" = 2 ] || die "notifications: $("$MC" event list here/events-inbox)"
passed "set up, and set up again"

s3() {
  AWS_ACCESS_KEY_ID=s3events AWS_SECRET_ACCESS_KEY=$INGEST_SECRET_KEY AWS_DEFAULT_REGION=us-east-1 \
    "$(python_home)/bin/aws" --endpoint-url "http://127.0.0.1:$s3_port" "$@"
}
printf 'text' >"$dir/file"
for key in incoming/a.parquet incoming/b.csv incoming/c.txt elsewhere/d.parquet; do s3 s3 cp --quiet "$dir/file" "s3://events-inbox/$key"; done
s3 s3 cp --quiet "$dir/file" s3://events-warehouse/table/data.parquet
if s3 s3 mb s3://another >/dev/null 2>&1; then die "the user may make buckets"; fi
passed "the user may write to its buckets and no more"

"$repo/scripts/kafka.sh" consume s3-events --port "$port" >"$dir/events" 2>"$dir/consume.log" 9>&- &
pids+=("$!")
until_true 60 "the uploads were not announced" grep -q 'b\.csv' "$dir/events"
until_true 60 "the uploads were not announced" grep -q 'a\.parquet' "$dir/events"
! grep -qE 'c\.txt|d\.parquet|data\.parquet' "$dir/events" || die "too much was announced: $(cat "$dir/events")"
[ "$(grep -c 'a\.parquet' "$dir/events")" = 1 ] || die "an upload was announced more than once"
passed "MinIO announces what arrives under the prefix, once"
