#!/usr/bin/env bash
# Makes a MinIO announce new objects on Kafka, for the data plane: buckets, a user with no more rights than needed, a Kafka
# target with a queue on disk, notifications. Run again, it changes nothing but restarts the server.
#
#   mc alias set ALIAS http://… ADMIN PASSWORD      (once; setup.sh asks for no administrator's password)
#   INGEST_SECRET_KEY=… deploy/minio/setup.sh ALIAS
#
# Variables: KAFKA_BROKERS, TOPIC (s3-events), BUCKET (events-inbox), WAREHOUSE (events-warehouse), QUEUE_DIR (a folder of
# the server, on a disk that outlives it), INGEST_ACCESS_KEY (s3events), MC (mc).
set -euo pipefail

alias=${1:?usage: INGEST_SECRET_KEY=… setup.sh ALIAS}
brokers=${KAFKA_BROKERS:-events-kafka-kafka-bootstrap.kafka.svc.cluster.local:9092}
topic=${TOPIC:-s3-events} bucket=${BUCKET:-events-inbox} warehouse=${WAREHOUSE:-events-warehouse}
queue=${QUEUE_DIR:-/var/lib/minio/events} user=${INGEST_ACCESS_KEY:-s3events}
: "${INGEST_SECRET_KEY:?the secret key that the data plane gets}"
mc=${MC:-mc}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$mc" mb --ignore-existing "$alias/$bucket" "$alias/$warehouse"

cat >"$work/policy.json" <<TEXT
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
  "Action": ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetObject",
             "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
             "s3:ListMultipartUploadParts"],
  "Resource": ["arn:aws:s3:::$bucket", "arn:aws:s3:::$bucket/*", "arn:aws:s3:::$warehouse", "arn:aws:s3:::$warehouse/*"]}]}
TEXT
"$mc" admin policy create "$alias" event-ingest "$work/policy.json"
# By standard input: a command line is read by everybody on the machine.
printf '%s\n%s\n' "$user" "$INGEST_SECRET_KEY" | "$mc" admin user add "$alias"
"$mc" admin policy attach "$alias" event-ingest --user "$user" 2>"$work/attach" || {
  grep -qi 'already' "$work/attach" || {
    cat "$work/attach" >&2
    exit 1
  }
}

# Without queue_dir it forgets what it could not send at once.
"$mc" admin config set "$alias" notify_kafka:ingest brokers="$brokers" topic="$topic" \
  queue_dir="$queue" queue_limit=100000
"$mc" admin service restart --json "$alias" >/dev/null
"$mc" ready "$alias"

# event SUFFIX: unless it is there.
event() {
  local known
  # Not by ARN: the server puts its region into that.
  known=$("$mc" event list "$alias/$bucket")
  grep -q ":ingest:kafka .*suffix=\"$1\"" <<<"$known" ||
    "$mc" event add "$alias/$bucket" arn:minio:sqs::ingest:kafka --event put --prefix incoming/ --suffix "$1"
}
event .parquet
event .csv
"$mc" event list "$alias/$bucket"
