# What has to hold before anything is installed. Every check says what it found and what to do. Sourced, never run.
# shellcheck shell=bash

problems=0
problem() {
  say "  FAIL  $*"
  problems=$((problems + 1))
}
fine() { say "  ok    $*"; }

# at_least WANTED FOUND: compares versions, with or without a v.
at_least() { [ "$(printf '%s\n%s\n' "${1#v}" "${2#v}" | sort -V | head -n 1)" = "${1#v}" ]; }

check_version() {
  local what=$1 wanted=$2 found=$3
  if [ -z "$found" ]; then
    problem "$what: no version found, $wanted is needed"
  elif at_least "$wanted" "$found"; then
    fine "$what $found"
  else
    problem "$what $found: $wanted or newer is needed"
  fi
}

check_versions() {
  local versions
  versions=$(kubectl version 2>/dev/null) || true
  check_version kubectl "$(setting requires.kubectl)" "$(sed -n 's/^Client Version: //p' <<<"$versions")"
  check_version Kubernetes "$(setting requires.kubernetes)" "$(sed -n 's/^Server Version: //p' <<<"$versions")"
  check_version Helm "$(setting requires.helm)" "$(helm version --template '{{.Version}}' 2>/dev/null || true)"
}

check_storage() {
  local class found
  class=$(setting components.strimzi.storage_class)
  found=$(kubectl get storageclasses -o jsonpath='{.items[*].metadata.name}' 2>/dev/null || true)
  case " $found " in
    *" $class "*) fine "storage class $class" ;;
    *) problem "storage class $class is not there, but: ${found:-none}; set components.strimzi.storage_class" ;;
  esac
}

# What others bring along.
check_definitions() {
  local crd
  if wanted monitoring "$1"; then
    for crd in servicemonitors podmonitors prometheusrules; do
      if has_kind "$crd.monitoring.coreos.com"; then fine "definition $crd"; else
        problem "no $crd.monitoring.coreos.com: install the Prometheus operator, or set components.monitoring.enabled: false"
      fi
    done
  fi
  if wanted ceph "$1"; then
    for crd in cephobjectstoreusers.ceph.rook.io cephbuckettopics.ceph.rook.io objectbucketclaims.objectbucket.io; do
      if has_kind "$crd"; then fine "definition $crd"; else
        problem "no $crd: install Rook, or set components.ceph.enabled: false (deploy/minio and deploy/aws are for other stores)"
      fi
    done
  fi
  case $(setting dispatcher.kind) in native | camel) ;; *)
    problem "dispatcher.kind is '$(setting dispatcher.kind)': set it to native or camel"
    ;;
  esac
  if [ "$(setting dispatcher.kind)" = camel ] && ! wanted camel_k "$1"; then
    problem "dispatcher.kind is camel, but components.camel_k is not enabled"
  fi
  if [ "$1" = 3 ] && ! [ "$(setting components.istio.enabled)" = true ]; then
    problem "phase 3 is Istio: set components.istio.enabled: true"
  fi
}

# quantities: standard input are quantities, one a line, of cpu or memory; prints their sum, in millis or MiB.
quantities() {
  awk -v what="$1" '
    function unit(s) {
      if (s ~ /Ki$/) return 1024; if (s ~ /Mi$/) return 1048576; if (s ~ /Gi$/) return 1073741824
      if (s ~ /Ti$/) return 1099511627776; if (s ~ /k$/) return 1000; if (s ~ /M$/) return 1000000
      if (s ~ /G$/) return 1000000000; return 1
    }
    NF { if (what == "cpu") sum += ($1 ~ /m$/) ? $1 + 0 : $1 * 1000; else sum += ($1 + 0) * unit($1) / 1048576 }
    END { printf "%d\n", sum }'
}

# free WHAT: allocatable of all nodes less what pods elsewhere request.
free() {
  local all elsewhere
  all=$(kubectl get nodes -o jsonpath="{range .items[*]}{.status.allocatable.$1}{'\n'}{end}" | quantities "$1")
  elsewhere=$(kubectl get pods -A --field-selector=status.phase!=Succeeded,status.phase!=Failed -o go-template='
    {{- range .items}}{{$n := .metadata.namespace}}{{range .spec.containers}}{{if .resources.requests}}{{$n}} {{or .resources.requests.'"$1"' "0"}}
{{end}}{{end}}{{end}}' | awk -v ours=" $(our_namespaces) " 'NF && !index(ours, " " $1 " ") { print $2 }' | quantities "$1")
  printf '%s\n' $((all - elsewhere))
}

our_namespaces() {
  settings | sed -n 's/^components\.[a-z_]*\.[a-z_]*namespace=//p' | grep -vx 'monitoring\|rook-ceph' | tr '\n' ' '
}

check_capacity() {
  local name cpu=0 memory=0 free_cpu free_memory
  for name in "${order[@]}"; do
    if wanted "$name" "$1"; then
      cpu=$((cpu + $(setting "components.$name.cpu_millis")))
      memory=$((memory + $(setting "components.$name.memory_mib")))
    fi
  done
  free_cpu=$(free cpu) free_memory=$(free memory)
  if [ "$cpu" -le "$free_cpu" ] && [ "$memory" -le "$free_memory" ]; then
    fine "capacity: $cpu m CPU of $free_cpu, $memory MiB of $free_memory"
  else
    problem "capacity: $cpu m CPU and $memory MiB are requested, the nodes have $free_cpu m and $free_memory MiB left"
  fi
}

# preflight PHASE: all of them; fails if any does.
preflight() {
  say "preflight:"
  problems=0
  settings >/dev/null || die "$config cannot be read"
  check_versions
  if kubectl get --raw /readyz >/dev/null 2>&1; then
    check_storage
    check_definitions "$1"
    check_capacity "$1"
  else
    problem "the cluster does not answer: $(kubectl config current-context 2>/dev/null || printf 'no current context')"
  fi
  [ "$problems" = 0 ]
}
