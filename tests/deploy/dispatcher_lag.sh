#!/usr/bin/env bash
# What KEDA goes by: an open batch holds the lag of the dispatcher's group above zero, as Kafka's own tool tells it, so that
# the last instance is not taken away before its requests are acknowledged. Then it is zero.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

program=$CARGO_TARGET_DIR/debug/dispatcher
[ -x "$program" ] || die "the dispatcher is not built: run 'make build'"
. "$(dirname "${BASH_SOURCE[0]}")/harness/servers.sh"

# lag: the group's, as Kafka's own tool tells it; nothing while the group has no position.
lag() {
  java -Dorg.slf4j.simpleLogger.defaultLogLevel=off -XX:TieredStopAtLevel=1 -cp "$kafka/libs/*" \
    org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "127.0.0.1:$port" \
    --describe --group dispatcher-group 2>/dev/null |
    awk '$2 == "s3-events" && $4 != "-" { sum += $6; seen = 1 } $2 == "s3-events" && $4 == "-" { sum += $5; seen = 1 } END { if (seen) print sum + 0 }'
}

lag_is() { [ "$(lag)" = "$1" ]; }
# metric NAME VALUE: does the dispatcher say so?
metric() { curl -s "http://127.0.0.1:$admin/metrics" | grep -E "^event_ingest_dispatcher_$1(\{[^}]*\})? $2\$" >/dev/null; }
notify() {
  printf '{"Records":[{"eventSource":"ceph:s3","eventName":"ObjectCreated:Put","eventTime":"2026-01-01T00:00:00Z","s3":{"bucket":{"name":"events-inbox"},"object":{"key":"incoming/%s.parquet","size":1,"eTag":"0"}}}]}\n' \
    "$1" | "$repo/scripts/kafka.sh" produce s3-events --port "$port" >"$dir/produce.log" 2>&1
}

admin=$(free_port)
start_kafka

# A batch closes with its second file, and not by time while this test runs.
env KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:$port" LISTEN="127.0.0.1:$admin" BATCH_MAX_WAIT=10m BATCH_MAX_FILES=2 \
  "$program" >"$dir/dispatcher.log" 2>&1 9>&- &
pids+=("$!")

notify first
until_true 60 "the batch is not open" metric open_batches 1
# Positions are committed each second, and each question takes longer than that.
for _ in 1 2 3; do
  lag_is 1 || die "with an open batch the lag is '$(lag)', and KEDA would take the dispatcher away"
done
passed "an open batch holds the lag at one"

notify second
until_true 60 "the request was not sent" metric 'batches_total' 1
until_true 30 "the lag stays at '$(lag)' after the request was acknowledged" lag_is 0
passed "what is acknowledged leaves no lag"
