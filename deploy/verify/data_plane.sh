# Checks of the data plane, and the object store as a client sees it. Sourced, never run.
# shellcheck shell=bash

bucket=events-inbox
store_namespace=rook-ceph store_service=rook-ceph-rgw-s3-store

# s3 COMMAND OPTION…: `aws s3api` with the keys of the user s3-events.
s3() { s3_as s3-events-keys access-key secret-key "$@"; }

# s3_owner COMMAND OPTION…: with the keys of the bucket's owner, from the Secret of its claim.
s3_owner() { s3_as "$bucket" AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY "$@"; }

s3_as() {
  local secret=$1 id=$2 key=$3
  shift 3
  AWS_ACCESS_KEY_ID=$(key "$secret" "$id") && AWS_SECRET_ACCESS_KEY=$(key "$secret" "$key") ||
    no "the Secret $secret with $id and $key cannot be read" || return
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1
  through "$store_namespace" "$store_service" 80 s3_here "$@"
}

s3_here() { aws --endpoint-url "http://127.0.0.1:$local_port" s3api "$@"; }

# key SECRET KEY: from whatever namespace has the Secret.
key() {
  kubectl get secrets -A --field-selector "metadata.name=$1" -o go-template="{{(index (index .items 0).data \"$2\") | base64decode}}"
}

# put KEY: the file that the demo end-to-end puts too, so that both bring the same columns into the table.
put() {
  s3 put-object --bucket "$bucket" --key "$1" --body "$deploy/../examples/data/flights-2001-01.parquet" >/dev/null ||
    no "$1 cannot be put into $bucket"
}

lanes_ready() {
  holds "$kafka_namespace" kafkatopic light-ingest Ready && holds "$kafka_namespace" kafkatopic heavy-ingest Ready
}

# The worker refuses what is no IngestRequest by the contract: 400, with a reason.
contract_holds() {
  local url seen
  url=$(kubectl -n "$demo" get services.serving.knative.dev light-worker --ignore-not-found -o jsonpath='{.status.url}') ||
    no "the light worker's Knative Service cannot be read" || return
  if [ -n "$url" ]; then
    # No port can be forwarded to a revision's Service, which has no selector.
    seen=$(through_local_gateway post_nothing "${url#*://}") || true
  else
    seen=$(through "$demo" light-worker-direct 80 post_nothing light-worker-direct) || true
  fi
  [ "$seen" = 400 ] || no "the light worker answered a request that is none with ${seen:-nothing}, not 400"
}

# post_nothing HOST
post_nothing() {
  curl -s -m 60 -A verify/contract -o /dev/null -w '%{http_code}' -H "Host: $1" -H 'content-type: application/json' \
    -d '{"files": "none"}' "http://127.0.0.1:$local_port/"
}

# The object of the first PUT, in a batch that closed.
small_goes_light() { eventually arrived light-ingest "$token-a"; }

# An announcement of 600 MB by hand: what it speaks of is not there, which the heavy path finds and sets aside. The
# object beside it shares its batch, and so gets to Spark.
big_goes_heavy() {
  put "incoming/$token-c.parquet" || return
  produce s3-events <<<"{\"Records\":[{\"eventVersion\":\"2.2\",\"eventSource\":\"ceph:s3\",\"awsRegion\":\"\",\"eventTime\":\"$(date -u +%Y-%m-%dT%H:%M:%S.000Z)\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"$bucket\"},\"object\":{\"key\":\"incoming/$token-big.parquet\",\"size\":600000000,\"eTag\":\"00000000000000000000000000000000\"}}}]}" ||
    no "nothing can be produced to s3-events" || return
  eventually arrived heavy-ingest "$token-big"
}

# shown KEY: what `event-ingest files show` says of the object, in a pod with the worker's settings. IMAGE as for the demo.
shown() {
  local worker pod=verify-files
  worker=$(kubectl -n "$demo" get services.serving.knative.dev light-worker --ignore-not-found -o json) || return
  [ -n "$worker" ] || worker=$(kubectl -n "$demo" get deployment light-worker-direct -o json) || return
  kubectl -n "$demo" delete pod "$pod" --ignore-not-found >/dev/null || return
  python3 "$deploy/demo/end-to-end/ask.py" "${IMAGE:-}" "s3://$bucket/$1" "$table" "$pod" <<<"$worker" |
    kubectl -n "$demo" create -f - >/dev/null || return
  kubectl -n "$demo" wait "pod/$pod" --for=jsonpath='{.status.phase}'=Succeeded --timeout 120s >/dev/null || return
  kubectl -n "$demo" logs "$pod" | tail -n 1 || return
  kubectl -n "$demo" delete pod "$pod" --ignore-not-found --wait=false >/dev/null
}

# way_of KEY: how its rows came into the table (`spark`, or a way of the light worker); fails, with the reason, if they did not.
way_of() {
  local answer
  answer=$(shown "$1" 2>&1) || no "$table cannot be asked for $1: $(tail -n 1 <<<"$answer")" || return
  python3 -c 'import json, sys
found = json.loads(sys.argv[1].splitlines()[-1])
if found["ingested"]:
    print(found["ingested"][0]["mode"])
else:
    aside = found["quarantined"]
    print(sys.argv[2], "was set aside: " + aside[0]["reason"] if aside else "is not in the table")
    sys.exit(1)' "$answer" "$1"
}

light_wrote() {
  local way
  way=$(way_of "incoming/$token-a.parquet") || no "$way" || return
  [ "$way" != spark ] || no "incoming/$token-a.parquet was written by Spark, not by the light worker"
}

worker_writes() { eventually light_wrote; }

spark_wrote() {
  local way
  way=$(way_of "incoming/$token-c.parquet") ||
    no "$way: Spark takes minutes (VERIFY_WAIT=900 deploy/verify.sh phase2); event-ingest heavy list says what it does" || return
  [ "$way" = spark ] ||
    no "incoming/$token-c.parquet came without Spark ($way), there was no heavy batch of it: put more than dispatcher.lightMaxBytes (500 MB) below incoming/ within dispatcher.batchMaxWait (30 s) and see event-ingest heavy list, or run deploy/verify.sh phase2 again"
}

spark_writes() { eventually spark_wrote; }
