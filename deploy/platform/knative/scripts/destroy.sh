#!/usr/bin/env bash
# Takes Knative away. Gateways stay, and with them the namespace of Serving; --delete-crds.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component knative

serving=$(of serving_namespace) eventing=$(of eventing_namespace)
# Somebody else's Serving and Eventing would stand in the same namespaces.
if is_ours; then
  # The operator removes what belongs to these two: they go before it.
  for kind in knativeeventing:$eventing knativeserving:$serving; do
    if has_kind "${kind%%:*}s.operator.knative.dev"; then
      kubectl -n "${kind#*:}" delete "${kind%%:*}" --all --ignore-not-found --timeout="${wait_seconds}s" >&2 ||
        die "${kind%%:*} is not gone after $wait_seconds s: does the operator run? kubectl -n $namespace get pods"
    fi
  done
  if kubectl get namespace "$eventing" >/dev/null 2>&1; then
    kubectl -n "$eventing" delete configmap kafka-broker-config --ignore-not-found >&2
  fi
fi
uninstall
# What the operator has made of them goes too; a group stands for those that end in it (internal.kafka.eventing.knative.dev).
if asked --delete-crds "$@"; then
  delete_crds operator.knative.dev serving.knative.dev {autoscaling,caching,networking}.internal.knative.dev \
    {eventing,sources,sinks,messaging,flows,bindings}.knative.dev
fi
