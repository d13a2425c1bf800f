#!/usr/bin/env bash
# Makes Amazon S3 announce new objects to the dispatcher's webhook: S3 → EventBridge → API destination (HTTPS, with the
# webhook's token). EventBridge tries for a day; what it gives up goes to a queue. Run again, it sets the same again.
#
#   NOTIFY_TOKEN=… deploy/aws/setup.sh BUCKET https://ingest.example/notify [PREFIX [SUFFIX]]
#
# The AWS command line with rights on s3, events, sqs, iam and sts; region and account as it is set up. The address has to be
# reachable from AWS over HTTPS with a public certificate: what terminates TLS stands before the dispatcher.
set -euo pipefail

bucket=${1:?usage: NOTIFY_TOKEN=… setup.sh BUCKET https://…/notify [PREFIX [SUFFIX]]}
address=${2:?the address of the webhook, https://…/notify}
prefix=${3-incoming/} suffix=${4-.parquet}
: "${NOTIFY_TOKEN:?the token that the dispatcher asks for}"
name=event-ingest-$bucket
case $address in https://*) ;; *)
  printf 'error: an API destination speaks HTTPS alone: %s\n' "$address" >&2
  exit 2
  ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 077
account=$(aws sts get-caller-identity --query Account --output text)

# The bucket tells EventBridge of everything; what it told before stays as it is.
aws s3api get-bucket-notification-configuration --bucket "$bucket" --output json >"$work/before.json"
python3 - "$work" <<'PYTHON'
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
text = (work / "before.json").read_text().strip()
now = json.loads(text) if text else {}
now.pop("ResponseMetadata", None)
now["EventBridgeConfiguration"] = {}
(work / "notification.json").write_text(json.dumps(now))
PYTHON
aws s3api put-bucket-notification-configuration --bucket "$bucket" \
  --notification-configuration "file://$work/notification.json"

# What could not be delivered for a day. `event-ingest reconcile` finds the files in any case.
queue=$(aws sqs create-queue --queue-name "$name-undelivered" --attributes MessageRetentionPeriod=1209600 \
  --query QueueUrl --output text)
queue_arn=$(aws sqs get-queue-attributes --queue-url "$queue" --attribute-names QueueArn \
  --query Attributes.QueueArn --output text)

cat >"$work/pattern.json" <<TEXT
{"source": ["aws.s3"], "detail-type": ["Object Created"],
 "detail": {"bucket": {"name": ["$bucket"]}, "object": {"key": [{"wildcard": "$prefix*$suffix"}]}}}
TEXT
rule_arn=$(aws events put-rule --name "$name" --event-pattern "file://$work/pattern.json" --query RuleArn --output text)

cat >"$work/queue.json" <<TEXT
{"Policy": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \"events.amazonaws.com\"}, \"Action\": \"sqs:SendMessage\", \"Resource\": \"$queue_arn\", \"Condition\": {\"ArnEquals\": {\"aws:SourceArn\": \"$rule_arn\"}}}]}"}
TEXT
aws sqs set-queue-attributes --queue-url "$queue" --attributes "file://$work/queue.json"

# The token goes by a file: a command line is read by everybody on the machine.
python3 - "$name" >"$work/connection.json" <<'PYTHON'
import json, os, sys
key = {"ApiKeyName": "Authorization", "ApiKeyValue": f"Bearer {os.environ['NOTIFY_TOKEN']}"}
print(json.dumps({"Name": sys.argv[1], "AuthorizationType": "API_KEY", "AuthParameters": {"ApiKeyAuthParameters": key}}))
PYTHON
if aws events describe-connection --name "$name" >/dev/null 2>&1; then verb=update-connection; else verb=create-connection; fi
connection=$(aws events "$verb" --cli-input-json "file://$work/connection.json" --query ConnectionArn --output text)

if aws events describe-api-destination --name "$name" >/dev/null 2>&1; then verb=update-api-destination; else verb=create-api-destination; fi
# By a file too: version 1 of the command line would fetch what lies at an address that it is given.
cat >"$work/destination.json" <<TEXT
{"Name": "$name", "ConnectionArn": "$connection", "HttpMethod": "POST", "InvocationEndpoint": "$address",
  "InvocationRateLimitPerSecond": 300}
TEXT
destination=$(aws events "$verb" --cli-input-json "file://$work/destination.json" --query ApiDestinationArn --output text)

cat >"$work/trust.json" <<TEXT
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
  "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"aws:SourceAccount": "$account"}}}]}
TEXT
aws iam get-role --role-name "$name" >/dev/null 2>&1 ||
  aws iam create-role --role-name "$name" --assume-role-policy-document "file://$work/trust.json" >/dev/null
cat >"$work/invoke.json" <<TEXT
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:InvokeApiDestination", "Resource": "$destination"}]}
TEXT
aws iam put-role-policy --role-name "$name" --policy-name invoke --policy-document "file://$work/invoke.json"

cat >"$work/targets.json" <<TEXT
[{"Id": "dispatcher", "Arn": "$destination", "RoleArn": "arn:aws:iam::$account:role/$name",
  "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
  "DeadLetterConfig": {"Arn": "$queue_arn"}}]
TEXT
failed=$(aws events put-targets --rule "$name" --targets "file://$work/targets.json" --query FailedEntryCount --output text)
[ "$failed" = 0 ] || {
  printf 'error: EventBridge refused the target %s\n' "$destination" >&2
  exit 1
}
printf 's3://%s/%s*%s is announced to %s; undelivered: %s\n' "$bucket" "$prefix" "$suffix" "$address" "$queue"
