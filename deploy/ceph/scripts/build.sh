#!/usr/bin/env bash
# User, buckets, topic and notifications, then the policy of each bucket and the keys for the data plane. Run again, it
# changes nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
here=$deploy/ceph/scripts
manifests=$deploy/ceph/manifests
wait=${WAIT_TIMEOUT:-300}

# ready KIND NAME PHASE: says what is not, and why.
ready() {
  kubectl wait --namespace rook-ceph "$1/$2" --for=jsonpath='{.status.phase}'="$3" --timeout "${wait}s" && return
  kubectl describe --namespace rook-ceph "$1" "$2" >&2 || true
  printf 'error: %s %s is not %s after %s s (WAIT_TIMEOUT)\n' "$1" "$2" "$3" "$wait" >&2
  exit 1
}

# First what others refer to: a claim without its notification gets none before Rook looks at it again.
kafka=$(kafka_bootstrap)
for file in user topic notifications buckets; do
  sed "s#kafka://events-kafka-kafka-bootstrap\.kafka\.svc#kafka://$kafka#" "$manifests/$file.yaml" |
    kubectl apply --server-side --field-manager event-ingest -f -
done
ready cephobjectstoreuser s3-events Ready
ready cephbuckettopic s3-events Ready
for bucket in events-inbox events-warehouse; do
  ready objectbucketclaim "$bucket" Bound
  "$here/policy.sh" "$bucket"
done
# Its pods want the keys when they start: this comes before the data plane, which has no namespace yet then.
make_namespace "$(setting components.data_plane.namespace)"
"$here/credentials.sh" "$(setting components.data_plane.namespace)"
