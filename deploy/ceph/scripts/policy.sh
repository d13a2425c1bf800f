#!/usr/bin/env bash
# Lets the user s3-events read and write a bucket of an ObjectBucketClaim, which belongs to a user of its own.
#
#   policy.sh [BUCKET]        events-inbox if not given
#   S3_ENDPOINT=http://…      the RGW as seen from here; without it `kubectl port-forward` 7480:80 is used
#
# The AWS command line is needed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bucket=${1:-events-inbox}

work=$(mktemp -d)
forward=''
trap '[ -z "$forward" ] || kill "$forward" 2>/dev/null; rm -rf "$work"' EXIT

# key NAME: of the bucket's owner.
key() { kubectl get secret "$bucket" --namespace rook-ceph -o jsonpath="{.data.$1}" | base64 -d; }
AWS_ACCESS_KEY_ID=$(key AWS_ACCESS_KEY_ID)
AWS_SECRET_ACCESS_KEY=$(key AWS_SECRET_ACCESS_KEY)
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1

if [ -z "${S3_ENDPOINT:-}" ]; then
  kubectl port-forward --namespace rook-ceph service/rook-ceph-rgw-s3-store 7480:80 >"$work/forward" 2>&1 &
  forward=$!
  for _ in $(seq 100); do
    ! grep -q '^Forwarding' "$work/forward" || break
    kill -0 "$forward" 2>/dev/null || {
      cat "$work/forward" >&2
      exit 1
    }
    sleep 0.1
  done
  S3_ENDPOINT=http://127.0.0.1:7480
fi

sed "s/BUCKET/$bucket/g" "$here/../policy.json" >"$work/policy.json"
aws --endpoint-url "$S3_ENDPOINT" s3api put-bucket-policy --bucket "$bucket" --policy "file://$work/policy.json"
printf 'the user s3-events may read and write %s\n' "$bucket"
