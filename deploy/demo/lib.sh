# Shared by the scripts of the demos: `. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"`. Sourced, never run.
# shellcheck shell=bash

demo_work=$(mktemp -d)
demo_forwards=()
demo_end() {
  [ "${#demo_forwards[@]}" = 0 ] || kill "${demo_forwards[@]}" 2>/dev/null || true
  rm -rf "$demo_work"
}
trap demo_end EXIT

die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# forward NAMESPACE SERVICE LOCAL-PORT PORT: until this script ends.
forward() {
  local log=$demo_work/forward-$3
  kubectl port-forward --namespace "$1" "service/$2" "$3:$4" >"$log" 2>&1 &
  demo_forwards+=("$!")
  for _ in $(seq 100); do
    ! grep -q '^Forwarding' "$log" || return 0
    kill -0 "$!" 2>/dev/null || break
    sleep 0.1
  done
  cat "$log" >&2
  die "service/$2 in $1 cannot be reached"
}

# gateway: sets GATEWAY unless it is given.
gateway() {
  [ -z "${GATEWAY:-}" ] || return 0
  if kubectl get service knative-gateway --namespace envoy-gateway-system >/dev/null 2>&1; then
    forward envoy-gateway-system knative-gateway 8080 80
  else
    # With Istio the gateway stands beside its Gateway.
    forward knative-serving knative-gateway-istio 8080 80
  fi
  GATEWAY=http://127.0.0.1:8080
}

# object_store: sets S3_ENDPOINT unless it is given, and the keys of s3-events for `aws`.
object_store() {
  local secret=(kubectl get secret s3-events-keys --namespace eventing-demo)
  AWS_ACCESS_KEY_ID=$("${secret[@]}" -o jsonpath='{.data.access-key}' | base64 -d)
  AWS_SECRET_ACCESS_KEY=$("${secret[@]}" -o jsonpath='{.data.secret-key}' | base64 -d)
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1
  [ -z "${S3_ENDPOINT:-}" ] || return 0
  forward rook-ceph rook-ceph-rgw-s3-store 7480 80
  S3_ENDPOINT=http://127.0.0.1:7480
}

# logs_until SERVICE TEXT SECONDS: follows the pods of a Knative Service until one has written the text.
logs_until() {
  local deadline=$((SECONDS + $3))
  printf 'waiting for %q in the log of %s\n' "$2" "$1" >&2
  until kubectl logs --namespace eventing-demo -l "serving.knative.dev/service=$1" --container user-container \
    --since 10m --tail -1 2>/dev/null | grep -F -- "$2"; do
    [ "$SECONDS" -lt "$deadline" ] || die "$1 did not write it within $3 s"
    sleep 2
  done
}
