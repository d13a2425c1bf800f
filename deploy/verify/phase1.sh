# Serving over the Gateway API, and what Eventing needs. Sourced, never run.
# shellcheck shell=bash

kafka_controllers_run() {
  available "$eventing" kafka-controller kafka-broker-receiver || return
  local found set
  found=$(kubectl -n "$eventing" get statefulsets -o jsonpath='{.items[*].metadata.name}') || return
  # They have no pods while there is no Broker or source.
  for set in kafka-broker-dispatcher kafka-source-dispatcher; do
    [[ " $found " == *" $set "* ]] || no "StatefulSet $set is not in $eventing" || return
  done
}

class_accepted() {
  holds "" gatewayclass "$(gateway_class)" Accepted
}

serving_runs() {
  holds "$serving" knativeserving knative-serving Ready &&
    available "$serving" activator autoscaler controller webhook net-gateway-api-controller
}

eventing_runs() {
  holds "$eventing" knativeeventing knative-eventing Ready && available "$eventing" eventing-controller eventing-webhook
}

routes_appear() {
  kubectl -n default get httproutes -o jsonpath='{range .items[*]}{.spec.hostnames[*]}{"\n"}{end}' |
    grep -qF "hello.default.$domain" || no "no HTTPRoute in default is for hello.default.$domain"
}

hello() { ask "$1" "hello.default.$domain"; }

hello_answers() {
  local seen
  seen=$(hello hello) || no "$seen" || return
  [[ $seen == *Hello* ]] || no "hello answered: $seen"
}

scales_to_zero() {
  # What never was has no pods either.
  kubectl -n default get services.serving.knative.dev hello -o name || return
  eventually no_pods default serving.knative.dev/service=hello
}

# Whether it was at zero, the line before says.
scales_from_zero() {
  hello from-zero >/dev/null || no "hello does not answer after it was at zero"
}

# Of the first revision 80 of 100, of hello-v2 20: fifty requests miss one of them once in seventy thousand times.
traffic_splits() {
  local shares seen
  shares=$(kubectl -n default get services.serving.knative.dev hello \
    -o jsonpath='{range .status.traffic[*]}{.revisionName}={.percent}{"\n"}{end}' | sort) || return
  [ "$shares" = "$(printf 'hello-00001=80\nhello-v2=20')" ] || no "the shares are: ${shares//$'\n'/, }" || return
  seen=$(many_hellos | sort | uniq -c)
  [ "$(wc -l <<<"$seen")" = 2 ] || no "not two kinds of answers of 50, but: ${seen//$'\n'/, }"
}

many_hellos() {
  fifty() { for _ in $(seq 50); do get split "hello.default.$domain" / || true; done; }
  through_gateway fifty
}

phase1() {
  line_of envoy_gateway "Envoy controller runs" available "$(setting components.envoy_gateway.namespace)" envoy-gateway
  line "GatewayClass $(gateway_class)" class_accepted
  line "Gateway $gateway Programmed" holds "$serving" gateway "$gateway" Programmed
  line "operator runs" available "$(setting components.knative.namespace)" knative-operator operator-webhook
  line "Serving pods run" serving_runs
  line "Eventing pods run" eventing_runs
  line "Kafka Broker and KafkaSource controllers run" kafka_controllers_run
  line "HTTPRoutes appear for services" routes_appear
  line "hello answers" hello_answers
  line "traffic split" traffic_splits
  line "scale to zero after 60 s" scales_to_zero
  line "scale from zero" scales_from_zero
}
