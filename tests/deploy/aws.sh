#!/usr/bin/env bash
# deploy/aws/setup.sh against moto, which checks requests as far as it goes and keeps what they made: twice, with one result.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

moto=$(spark_home)/bin/moto_server
[ -x "$moto" ] || die "moto is not installed: run 'scripts/setup.sh spark'"

dir=$(mktemp -d "$work/aws-XXXXXX")
server=''
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
while
  port=$((16384 + RANDOM % 16384))
  listening "$port"
do :; done
"$(dirname "$moto")/python" "$moto" -H 127.0.0.1 -p "$port" >"$dir/moto.log" 2>&1 &
server=$!
deadline=$((SECONDS + 60))
until listening "$port"; do
  if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$server" 2>/dev/null; then
    cat "$dir/moto.log" >&2
    die "moto did not start"
  fi
  sleep 0.1
done

# The command line takes a queue's address for an endpoint, unless it is told one itself.
mkdir "$dir/bin"
printf '#!/bin/sh\nexec "%s/bin/aws" --endpoint-url http://127.0.0.1:%s "$@"\n' "$(python_home)" "$port" >"$dir/bin/aws"
chmod +x "$dir/bin/aws"
export PATH=$dir/bin:$PATH AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-central-1
export NOTIFY_TOKEN=hunter2

aws s3 mb s3://inbox >/dev/null
for _ in 1 2; do
  "$repo/deploy/aws/setup.sh" inbox https://ingest.example/notify >>"$dir/log" 2>&1 || {
    cat "$dir/log" >&2
    die "deploy/aws/setup.sh failed"
  }
done
! grep -q hunter2 "$dir/log" || die "the token was printed"

AWS_ENDPOINT_URL=http://127.0.0.1:$port python - <<'PYTHON'
import json

import boto3

name, events = "event-ingest-inbox", boto3.client("events")
[target] = events.list_targets_by_rule(Rule=name)["Targets"]
assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 86400, target
assert target["DeadLetterConfig"]["Arn"].endswith(f":{name}-undelivered"), target
destination = events.describe_api_destination(Name=name)
assert target["Arn"] == destination["ApiDestinationArn"], (target, destination)
assert destination["InvocationEndpoint"] == "https://ingest.example/notify", destination
connection = events.describe_connection(Name=name)
assert connection["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyName"] == "Authorization", connection
pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
assert pattern["detail"]["object"]["key"] == [{"wildcard": "incoming/*.parquet"}], pattern
assert pattern["detail"]["bucket"]["name"] == ["inbox"], pattern
PYTHON
passed "S3 tells the webhook by EventBridge"
