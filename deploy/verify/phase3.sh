# Istio in place of Envoy Gateway. Sourced, never run.
# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR
. "$deploy/verify/phase1.sh"

mesh_root=$(setting components.istio.namespace)

class_swapped() {
  local class seen
  class=$(setting components.istio.gateway_class)
  seen=$(kubectl -n "$serving" get gateway "$gateway" -o jsonpath='{.spec.gatewayClassName}') || return
  [ "$seen" = "$class" ] || no "Gateway $gateway has class '$seen'" || return
  holds "$serving" gateway "$gateway" Programmed || return
  kubectl -n "$serving" get knativeserving knative-serving -o jsonpath='{.spec.config.gateway.external-gateways}' |
    grep -q "class: $class\$" || no "KnativeServing's spec.config.gateway does not name class $class"
}

envoy_gone() {
  local seen
  seen=$(kubectl -n "$(setting components.envoy_gateway.namespace)" get deployments -o name) || return
  [ -z "$seen" ] || no "still there: ${seen//$'\n'/, }"
}

# Every pod of the namespaces of the mesh that does not say no to it.
sidecars_injected() {
  local name seen without
  for name in default "$demo" "$serving"; do
    [ "$(kubectl get namespace "$name" -o jsonpath='{.metadata.labels.istio-injection}')" = enabled ] ||
      no "namespace $name has no label istio-injection=enabled" || return
    seen=$(kubectl -n "$name" get pods -l 'sidecar.istio.io/inject!=false' \
      -o jsonpath='{range .items[*]}{.metadata.name}: {.spec.initContainers[*].name} {.spec.containers[*].name}{"\n"}{end}') || return
    without=$(grep -v 'istio-proxy' <<<"$seen" | cut -d: -f1)
    [ -z "${without//[$'\n' ]/}" ] || no "without a sidecar in $name: ${without//$'\n'/, }" || return
  done
}

mtls_strict() {
  local seen
  seen=$(kubectl -n "$mesh_root" get peerauthentication default -o jsonpath='{.spec.mtls.mode}') || no "there is no PeerAuthentication default in $mesh_root" || return
  [ "$seen" = STRICT ] || no "the mode of the mesh is '$seen'" || return
  seen=$(kubectl get peerauthentications -A -o jsonpath='{range .items[*]}{.metadata.namespace}/{.metadata.name}={.spec.mtls.mode}{"\n"}{end}') || return
  seen=$(grep -v '=STRICT$' <<<"$seen" || true)
  [ -z "$seen" ] || no "weaker: ${seen//$'\n'/, }"
}

zero_under_policy() {
  local name
  for name in default "$demo" "$serving"; do
    [ -n "$(kubectl -n "$name" get authorizationpolicies -o name)" ] || no "no AuthorizationPolicy in $name" || return
  done
  eventually no_pods default serving.knative.dev/service=hello || return
  hello from-zero >/dev/null || no "hello does not answer after it was at zero"
}

kiali_shows() {
  available "$mesh_root" kiali || return
  through "$mesh_root" kiali 20001 get kiali kiali "/kiali/api/namespaces/graph?namespaces=default,$demo&duration=10m" |
    grep -q '"nodes":\[{' || no "the graph of Kiali has no nodes"
}

jaeger_shows() {
  available "$mesh_root" jaeger || return
  through "$mesh_root" tracing 80 get jaeger jaeger /jaeger/api/services | grep 'default"' >/dev/null ||
    no "Jaeger knows no service of default"
}

# Twenty requests from a pod of the mesh: all fast, or all slow, once in half a million times.
faults_happen() {
  local times slow
  # No build makes it: half of its requests are slow.
  kubectl -n default get deployment hello-fault -o name >/dev/null ||
    no "hello-fault is not there: kubectl apply -f deploy/platform/istio/manifests/demo/hello-fault.yaml" || return
  available default hello-fault || return
  times=$(kubectl -n default run "$token" --rm --attach --quiet --restart=Never --image=curlimages/curl:8.11.1 -- sh -c \
    'for i in $(seq 20); do curl -s -m 20 -o /dev/null -w "seconds %{time_total}\n" http://hello-fault.default; done; curl -s -X POST http://localhost:15020/quitquitquit') ||
    no "no pod could be run in default" || return
  slow=$(awk '$1 == "seconds" && $2 >= 3' <<<"$times" | wc -l)
  [ "$slow" -gt 0 ] && [ "$slow" -lt 20 ] || no "$slow of 20 requests were delayed, about 10 are wanted"
}

phase3() {
  line "istiod runs" available "$mesh_root" istiod
  line "class swapped to istio" class_swapped
  line "Envoy Gateway gone" envoy_gone
  line "sidecars injected" sidecars_injected
  line "mTLS STRICT" mtls_strict
  line "scale from zero under AuthorizationPolicy" zero_under_policy
  line_if components.istio.kiali "Kiali shows the mesh" kiali_shows
  line_if components.istio.tracing "Jaeger shows traces" jaeger_shows
  line "fault injection works" faults_happen
}
