# What the checks of all phases are made of. Sourced, never run.
# shellcheck shell=bash

patience=${VERIFY_WAIT:-180} # seconds
passed=0 failed=0 off=0

# Names that the lines speak of.
demo=$(setting components.data_plane.namespace)
kafka_namespace=$(setting components.strimzi.namespace)
kafka_cluster=$(setting components.strimzi.kafka_cluster_name)
serving=$(setting components.knative.serving_namespace)
eventing=$(setting components.knative.eventing_namespace)
gateway=$(setting components.envoy_gateway.gateway_name)
domain=$(setting components.knative.domain)

# Marks what this run sends.
token=verify-$(date +%s)-$RANDOM

# line TEXT FUNCTION ARGUMENT…: one line of the checklist. The function fails, and says why on standard output.
line() {
  local text=$1 seen
  shift
  if seen=$("$@" 2>&1); then
    passed=$((passed + 1))
    printf 'pass  %s\n' "$text"
  else
    failed=$((failed + 1))
    printf 'FAIL  %s: %s\n' "$text" "$(tail -n 1 <<<"${seen:-no reason was given}")"
  fi
}

# line_of COMPONENT TEXT FUNCTION ARGUMENT…: off if the settings do not want the component.
line_of() { line_if "components.$1.enabled" "${@:2}"; }

# line_if SETTING TEXT FUNCTION ARGUMENT…: off unless the setting is true.
line_if() {
  if [ "$(setting "$1")" = true ]; then
    line "${@:2}"
  else
    off=$((off + 1))
    printf 'off   %s\n' "$2"
  fi
}

no() {
  printf '%s\n' "$*"
  return 1
}

# eventually FUNCTION ARGUMENT…: tries until it succeeds, for `patience`.
eventually() {
  local deadline=$((SECONDS + patience))
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 2
  done
}

# holds NAMESPACE KIND NAME CONDITION: is the condition of the object True?
holds() {
  local seen
  seen=$(kubectl -n "$1" get "$2" "$3" -o jsonpath="{.status.conditions[?(@.type==\"$4\")].status} {.status.conditions[?(@.type==\"$4\")].message}") || no "$2/$3 cannot be read in $1" || return
  [ "${seen%% *}" = True ] || no "$2/$3 in $1 is not $4: ${seen:-it has no such condition}"
}

# available NAMESPACE DEPLOYMENT…: are all of them there and available?
available() {
  local namespace=$1 found name
  shift
  found=$(kubectl -n "$namespace" get deployments \
    -o jsonpath='{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Available")].status}{"\n"}{end}') || return
  for name in "$@"; do
    grep -qx "$name=True" <<<"$found" || no "Deployment $name in $namespace: ${found:+"$(grep "^$name=" <<<"$found" || printf 'not there')"}" || return
  done
}

# pods NAMESPACE SELECTOR: those that are not on their way out.
pods() {
  kubectl -n "$1" get pods -l "$2" \
    -o go-template='{{range .items}}{{if not .metadata.deletionTimestamp}}{{.metadata.name}}{{"\n"}}{{end}}{{end}}'
}

# Within `line` nothing ends at an error by itself: a read that fails must not look like an empty answer.
no_pods() {
  local seen
  seen=$(pods "$1" "$2") || return
  [ -z "$seen" ] || no "pods of $2 are still there: ${seen//$'\n'/ }"
}

# logged NAMESPACE SELECTOR TEXT: does a pod's log have it?
logged() {
  kubectl -n "$1" logs -l "$2" --all-containers --tail=-1 --prefix=false 2>/dev/null | grep -F -- "$3" >/dev/null ||
    no "no log of $2 in $1 has '$3'"
}

# through NAMESPACE SERVICE PORT FUNCTION ARGUMENT…: calls it while $local_port leads to the service.
through() (
  namespace=$1 service=$2 port=$3
  shift 3
  out=$(mktemp)
  # It chooses a free port and says which.
  kubectl -n "$namespace" port-forward "service/$service" ":$port" >"$out" 2>&1 &
  forward=$!
  trap 'kill "$forward" 2>/dev/null || true; rm -f "$out"' EXIT
  for _ in $(seq 100); do
    local_port=$(sed -n 's/^Forwarding from 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$out")
    if [ -n "$local_port" ] || ! kill -0 "$forward" 2>/dev/null; then break; fi
    sleep 0.1
  done
  [ -n "$local_port" ] || no "service/$service in $namespace cannot be reached: $(tail -n 1 "$out")" || exit 1
  "$@"
)

# get PURPOSE HOST PATH [OPTION…]: the body of an answer; the purpose is its user agent, so that logs tell what asked.
get() {
  curl -sSf -m 60 -A "verify/$1" -H "Host: $2" "${@:4}" "http://127.0.0.1:$local_port$3"
}

# through_gateway FUNCTION ARGUMENT…: `through`, to the Service of the Gateway of the configured class.
through_gateway() { through_the "$gateway" "$@"; }

# through_local_gateway FUNCTION ARGUMENT…: the same, to the Gateway of what has no address outside of the cluster.
through_local_gateway() { through_the knative-local-gateway "$@"; }

through_the() {
  if uses_istio; then
    through "$serving" "$1-$(gateway_class)" 80 "${@:2}"
  else
    through "$(setting components.envoy_gateway.namespace)" "$1" 80 "${@:2}"
  fi
}

# ask PURPOSE HOST: what a Knative Service answers through the gateway.
ask() { through_gateway get "$1" "$2" / || no "$2 does not answer"; }

# in_broker COMMAND ARGUMENT…: one of Kafka's own commands, in the broker's pod.
in_broker() {
  kubectl -n "$kafka_namespace" exec -i "$kafka_cluster-dual-role-0" -c kafka -- "$@"
}

# produce TOPIC: a message from standard input.
produce() { in_broker bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic "$1" >/dev/null 2>&1; }

# arrived TOPIC TEXT: does a record of the topic have it? As many are read as the topic holds, or for 15 s.
arrived() {
  { in_broker bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic "$1" --from-beginning \
    --timeout-ms 15000 2>/dev/null || true; } | grep -F -- "$2" >/dev/null || no "no record of $1 has '$2'"
}
