# Which components there are, in which order, and what a cluster has of them: for up.sh and down.sh. Sourced, never run.
# shellcheck shell=bash

# Each needs what stands before it. The data plane waits for the keys that ceph copies; what RGW announces before its topic is
# there RGW keeps. Knative asks for the class of its Gateways: Envoy Gateway's, or in phase 3 Istio's.
order=(envoy_gateway strimzi istio knative spark_operator keda monitoring camel_k ceph data_plane)

# phase_of NAME: the first phase that has it.
phase_of() {
  case $1 in
    envoy_gateway | strimzi | knative) printf '1\n' ;;
    istio) printf '3\n' ;;
    *) printf '2\n' ;;
  esac
}

# wanted NAME PHASE: does this phase have it, and is it enabled?
wanted() {
  [ "$(setting "components.$1.enabled")" = true ] && [ "$(phase_of "$1")" -le "$2" ] || return 1
  # Istio carries the traffic then.
  [ "$1" != envoy_gateway ] || ! uses_istio
}

# scripts_of NAME: the folder of its scripts.
scripts_of() {
  case $1 in
    # No part of the platform: the object store exists already.
    ceph) printf '%s/ceph/scripts\n' "$deploy" ;;
    *) printf '%s/platform/%s/scripts\n' "$deploy" "${1//_/-}" ;;
  esac
}

known() {
  local name
  for name in "${order[@]}"; do [ "$name" != "$1" ] || return 0; done
  die "no component is called '$1': ${order[*]}"
}
