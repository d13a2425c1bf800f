#!/usr/bin/env bash
# From a file to its rows: puts it below incoming/, and asks the table for it until its rows are there.
#
#   deploy/demo/end-to-end/show.sh [FILE [TABLE]]     a file of the repository into db.my_table, if not given
#
# WORKER: the Knative Service whose settings are used to ask [light-worker]. IMAGE: that of the command line; the worker's
# with event-ingest in place of event-ingest-light-worker, if not given. DEADLINE: seconds [300].
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../lib.sh"

file=${1:-$here/../../../examples/data/flights-2001-01.parquet} table=${2:-db.my_table}
worker=${WORKER:-light-worker} deadline=$((SECONDS + ${DEADLINE:-300}))
[ -f "$file" ] || die "there is no file $file"

key=incoming/demo-$(date -u +%s)-$(basename "$file")
object_store
aws --endpoint-url "$S3_ENDPOINT" s3 cp "$file" "s3://events-inbox/$key"

# ask: a pod with the worker's own settings and the command line's image says what became of the object.
ask() {
  kubectl get ksvc "$worker" --namespace eventing-demo -o json |
    python3 "$here/ask.py" "${IMAGE:-}" "s3://events-inbox/$key" "$table" >"$demo_work/pod.json"
  kubectl delete pod end-to-end --namespace eventing-demo --ignore-not-found >/dev/null
  kubectl create -f "$demo_work/pod.json" >/dev/null
  kubectl wait pod/end-to-end --namespace eventing-demo --for=jsonpath='{.status.phase}'=Succeeded --timeout 120s >/dev/null ||
    {
      kubectl logs --namespace eventing-demo end-to-end >&2 || true
      die "the table could not be asked"
    }
  kubectl logs --namespace eventing-demo end-to-end
}

while answer=$(ask); do
  status=0
  python3 "$here/answer.py" <<<"$answer" || status=$?
  case $status in
    0) break ;;
    1) ;;
    *) die "s3://events-inbox/$key will not come into $table" ;;
  esac
  [ "$SECONDS" -lt "$deadline" ] || die "s3://events-inbox/$key is not in $table: $answer"
  sleep 5
done
[ "${status:-1}" = 0 ] || die "the table could not be asked"
kubectl delete pod end-to-end --namespace eventing-demo --ignore-not-found >/dev/null
