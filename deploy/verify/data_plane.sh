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

# put KEY: a small Parquet file, with one row of one column.
put() {
  local file
  file=$(mktemp)
  # "n": int64 = 1, uncompressed.
  base64 -d >"$file" <"$deploy/verify/one-row.parquet.base64"
  s3 put-object --bucket "$bucket" --key "$1" --body "$file" >/dev/null || {
    rm "$file"
    no "$1 cannot be put into $bucket"
    return 1
  }
  rm "$file"
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

# An announcement of 600 MB by hand: what it speaks of is not there, which the heavy path finds and sets aside.
big_goes_heavy() {
  produce s3-events <<<"{\"Records\":[{\"eventVersion\":\"2.2\",\"eventSource\":\"ceph:s3\",\"awsRegion\":\"\",\"eventTime\":\"$(date -u +%Y-%m-%dT%H:%M:%S.000Z)\",\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"$bucket\"},\"object\":{\"key\":\"incoming/$token-big.parquet\",\"size\":600000000,\"eTag\":\"00000000000000000000000000000000\"}}}]}" ||
    no "nothing can be produced to s3-events" || return
  eventually arrived heavy-ingest "$token-big"
}

worker_logged() {
  local selector
  for selector in serving.knative.dev/service=light-worker app.kubernetes.io/component=light-worker; do
    ! logged "$demo" "$selector" "$1" >/dev/null || return 0
  done
  no "no log of the light worker has '$1'"
}

worker_writes() { eventually worker_logged '"message":"ingested"'; }

spark_writes() {
  local seen
  seen=$(kubectl -n "$demo" get sparkapplications \
    -o jsonpath='{range .items[*]}{.metadata.annotations.eventingest\.dev/table}={.status.applicationState.state}{"\n"}{end}')
  grep -qx "$table=COMPLETED" <<<"$seen" ||
    no "no SparkApplication of $table has completed: ${seen:-there is none}"
}
