#!/usr/bin/env bash
# The chart of the data plane, the scripts beside it and those of the object store against a real API server with a real helm:
# each set of values over the one before, without what cannot be changed; what is to stay when all is removed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

chart=$repo/deploy/charts/event-ingest
out=$work/chart-install
rm -rf "$out"
mkdir -p "$out"

succeeds() {
  "$@" >"$out/log" 2>&1 || {
    cat "$out/log" >&2
    die "it failed: $*"
  }
}

# fails WORDS COMMAND…: it does, and says so.
fails() {
  local words=$1
  shift
  if "$@" >"$out/log" 2>&1; then die "it should have failed: $*"; fi
  grep -qF -- "$words" "$out/log" || {
    cat "$out/log" >&2
    die "it did not say '$words': $*"
  }
}

install() { helm upgrade --install "$1" "$chart" --namespace eventing-demo "${@:2}"; }

topics() { kubectl get kafkatopics --namespace kafka -o jsonpath='{.items[*].metadata.name}'; }

# names SECRET: of its keys.
# shellcheck disable=SC2016 # $k and $v are the template's
names() { kubectl get secret "$1" --namespace eventing-demo -o go-template='{{range $k, $v := .data}}{{$k}} {{end}}'; }

releases() {
  local values count=0
  # The last one is the first again: no way leads into a dead end.
  for values in "$chart"/values.yaml "$chart"/values-production.yaml "$chart"/ci/*.yaml "$chart"/values.yaml; do
    succeeds install event-ingest --values "$values"
    count=$((count + 1))
  done
  succeeds install csv-to-iceberg --values "$chart/values-csv-to-iceberg.yaml"
  succeeds helm uninstall csv-to-iceberg event-ingest --namespace eventing-demo
  [ "$(topics)" = "csv-ingest heavy-ingest ingest-dlq ingest-quarantine ingest-results light-ingest s3-events" ] || die "after removal there are: $(topics)"
  # Topics that are there already are taken over.
  succeeds install event-ingest
  succeeds kubectl apply --server-side --force-conflicts --dry-run=server -f "$repo/deployment"
  passed "$count sets of values over one another; topics stay; a second release beside the first"
}

secrets() {
  local make=$chart/scripts/kafka-secret.sh
  fails "not found" "$make" --security scram
  kubectl create secret generic events-kafka-cluster-ca-cert --namespace kafka --from-literal=ca.crt=authority >/dev/null
  kubectl create secret generic ingest --namespace kafka --from-literal=password=hunter2 >/dev/null
  kubectl create secret generic certified --namespace kafka --from-literal=user.crt=c --from-literal=user.key=k >/dev/null
  fails "has no user.crt" "$make" --security mtls --user ingest
  fails "usage" "$make" --security sasl
  succeeds "$make" --security tls
  [ "$(names event-ingest-kafka)" = "ca.crt protocol user.skip " ] || die "tls: $(names event-ingest-kafka)"
  succeeds "$make" --security mtls --user certified
  [ "$(names event-ingest-kafka)" = "ca.crt protocol user.crt user.key " ] || die "mtls: $(names event-ingest-kafka)"
  succeeds "$make" --security scram --user ingest
  [ "$(names event-ingest-kafka)" = "ca.crt password protocol sasl.mechanism user " ] || die "scram: $(names event-ingest-kafka)"
  ! grep -q hunter2 "$out/log" || die "the password was printed"
  passed "the Secret of a secured Kafka"
}

object_store() {
  local ceph=$repo/deploy/ceph
  fails "not found" "$ceph/scripts/credentials.sh"
  # Nothing becomes Ready without Rook, and that is said.
  WAIT_TIMEOUT=1 fails "cephobjectstoreuser s3-events is not Ready after 1 s" "$ceph/scripts/build.sh"
  WAIT_TIMEOUT=1 fails "cephobjectstoreuser s3-events is not Ready after 1 s" "$ceph/scripts/build.sh"
  succeeds "$ceph/scripts/credentials.sh" eventing-demo kafka
  [ "$(names s3-events-keys)" = "access-key secret-key " ] || die "keys: $(names s3-events-keys)"
  succeeds "$ceph/scripts/destroy.sh"
  kubectl get objectbucketclaim events-inbox --namespace rook-ceph >/dev/null || die "the bucket went with the notifications"
  succeeds "$ceph/scripts/destroy.sh" --with-data
  succeeds "$ceph/scripts/destroy.sh" --with-data
  [ -z "$(kubectl get objectbucketclaims --namespace rook-ceph -o name)" ] || die "a bucket is still there"
  passed "Ceph's objects come, wait and go"
}

demos() {
  local demo=$repo/deploy/demo name
  for name in hello eventing kafka-source s3-event-display; do
    # The first object that is waited for never becomes Ready here.
    WAIT_TIMEOUT=1 fails "timed out" "$demo/run.sh" "$name"
    succeeds "$demo/run.sh" --remove "$name"
  done
  fails "no demo is called nothing" "$demo/run.sh" nothing
  passed "demos wait for what they made"
}

trials() {
  PYTHONPATH=$harness python -c 'import os, api; api.install_crds(api.Api(), os.environ["CRDS_DIR"])'
  local namespace
  for namespace in eventing-demo kafka rook-ceph spark-jobs; do kubectl create namespace "$namespace" >/dev/null; done
  releases
  secrets
  object_store
  demos
}

with_api trials
