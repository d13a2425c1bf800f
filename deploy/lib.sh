# Shared by the scripts below deploy/: settings, Helm, and waiting that says what it waited for. Sourced, never run.
# shellcheck shell=bash

set -euo pipefail

deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
config=${DEPLOY_CONFIG:-$deploy/config.yaml}

# Whose fields they are, for the API server.
manager=event-ingest

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# settings: config.yaml as lines `a.b.c=value`. It is refused if it holds more than keys and plain values.
settings() {
  awk '
    /^ *(#|$)/ { next }
    !/^(  )*[a-z_]+:( .*)?$/ { printf "%s:%d: not of the form `key: value`: %s\n", FILENAME, NR, $0 >"/dev/stderr"; exit 1 }
    {
      match($0, /^ */); level = RLENGTH / 2
      line = substr($0, RLENGTH + 1); key = line; sub(/:.*/, "", key)
      value = line; sub(/^[a-z_]+: */, "", value); sub(/ +#.*$/, "", value); gsub(/^"|"$/, "", value)
      path[level] = key
      full = path[0]; for (i = 1; i <= level; i++) full = full "." path[i]
      print full "=" value
    }' "$config"
}

# setting KEY: its value; a key that is not there ends the script.
setting() {
  local found
  found=$(settings | grep -m 1 "^$1=") || die "$config has no $1"
  printf '%s\n' "${found#*=}"
}

# component NAME: the one that the script is about; its settings are `of KEY`.
component() {
  component=$1
  folder=$deploy/platform/${component//_/-}
  namespace=$(of namespace)
  release=$(of release)
  wait_seconds=$(setting wait_seconds)
}

of() { setting "components.$component.$1"; }

# ours NAMESPACE: makes it if it is not there.
make_namespace() {
  kubectl get namespace "$1" >/dev/null 2>&1 || kubectl create namespace "$1"
}

# apply FILE…: server-side; - is standard input. A field that another has written becomes ours: these files decide.
apply() {
  local file
  for file in "$@"; do
    kubectl apply --server-side --force-conflicts --field-manager="$manager" -f "$file" >&2
  done
}

# dependencies CHART: puts the charts that it depends on into its charts/. CHARTS_DIR names a folder with them, as
# NAME-VERSION.tgz or NAME/, where no repository can be reached.
dependencies() {
  local chart=$1 name version
  while read -r name version; do
    [ "$version" = "$(of chart_version)" ] ||
      die "$chart/Chart.yaml wants $name $version, but components.$component.chart_version is $(of chart_version) in $config"
    [ -n "${CHARTS_DIR:-}" ] || continue
    mkdir -p "$chart/charts"
    if [ -f "$CHARTS_DIR/$name-$version.tgz" ]; then
      cp "$CHARTS_DIR/$name-$version.tgz" "$chart/charts/"
    elif [ -d "$CHARTS_DIR/$name" ]; then
      rm -rf "$chart/charts/$name"
      cp -r "$CHARTS_DIR/$name" "$chart/charts/"
    else
      die "CHARTS_DIR has neither $name-$version.tgz nor $name/: $CHARTS_DIR"
    fi
  done < <(dependency_list "$chart")
  if [ -z "${CHARTS_DIR:-}" ] && [ -n "$(dependency_list "$chart")" ]; then
    helm dependency update "$chart" >&2 ||
      die "the charts of $chart/Chart.yaml could not be fetched; put them into a folder and name it by CHARTS_DIR"
  fi
}

# dependency_list CHART: `name version` of each.
dependency_list() {
  awk '/^dependencies:/ { inside = 1 }
    inside && /name:/ { name = $NF }
    inside && /version:/ { print name, $NF }' "$1/Chart.yaml"
}

# install [OPTION…]: the component's chart, as its release. Helm does not wait: what is waited for, and what is said when it
# does not come, is `wait_*`. Dependencies are fetched into a copy, so that the project stays as it is.
install() {
  local work
  work=$(mktemp -d)
  cp -r "$folder/helm" "$work/chart"
  (
    trap 'rm -rf "$work"' EXIT
    dependencies "$work/chart"
    [ ! -f "$work/chart/values-overrides.yaml" ] || set -- -f "$work/chart/values-overrides.yaml" "$@"
    update_crds "$work/chart"
    helm upgrade --install "$release" "$work/chart" --namespace "$namespace" --create-namespace "$@" >&2 ||
      die "helm could not install $release into $namespace"
  )
}

# update_crds CHART: Helm installs what is in crds/ once and never again; an upgrade needs the new definitions first.
update_crds() {
  helm status "$release" --namespace "$namespace" >/dev/null 2>&1 || return 0
  local crds
  crds=$(helm show crds "$1")
  [ -z "$crds" ] || apply - <<<"$crds"
}

# installed NAME: the status of its release, or nothing.
installed() {
  if [ "$1" = ceph ]; then
    kubectl --namespace "$(setting components.ceph.namespace)" get cephobjectstoreuser s3-events \
      --ignore-not-found -o jsonpath='{.status.phase}' 2>/dev/null
    return
  fi
  helm list --namespace "$(setting "components.$1.namespace")" --filter "^$(setting "components.$1.release")\$" \
    --all -o json 2>/dev/null | sed -n 's/.*"status":"\([a-z-]*\)".*/\1/p'
}

# is_ours: did these scripts install the component? What a destroy.sh does beyond its own names belongs to somebody else otherwise.
is_ours() {
  local status
  status=$(installed "$component") || die "the releases in $namespace cannot be read"
  [ -n "$status" ] || {
    say "no release $release in $namespace: what else is there is not touched"
    return 1
  }
}

# uninstall: the component's release, if it is there.
uninstall() {
  helm uninstall "$release" --namespace "$namespace" --ignore-not-found --wait=false >&2
}

# remove FILE…: what they name, as far as it is there; without waiting, as finalizers may want what goes later.
remove() {
  local file
  for file in "$@"; do
    # A kind whose definition is gone has no objects either.
    kubectl delete --ignore-not-found --wait=false -f "$file" >&2 2> >(grep -v 'no matches for kind\|ensure CRDs' >&2) || true
  done
}

# wait_for NAMESPACE KIND NAME CONDITION: until the object is there and the condition is True, for `wait_seconds`.
wait_for() {
  local namespace=$1 kind=$2 name=$3 condition=$4
  say "waiting for $kind/$name: $condition"
  if kubectl -n "$namespace" wait --for=create "$kind/$name" --timeout="${wait_seconds}s" >/dev/null 2>&1 &&
    kubectl -n "$namespace" wait --for="$condition" "$kind/$name" --timeout="${wait_seconds}s" >/dev/null 2>&1; then
    return
  fi
  say "error: $kind/$name in $namespace is not there yet ($condition) after $wait_seconds s"
  explain "$namespace" "$kind" "$name"
  return 1
}

# wait_deployments NAMESPACE: until there is one, and all of them are available.
wait_deployments() {
  local namespace=$1 name
  local deadline=$((SECONDS + wait_seconds))
  until [ -n "$(kubectl -n "$namespace" get deployments -o name)" ]; do
    [ "$SECONDS" -lt "$deadline" ] || die "no Deployment appeared in $namespace within $wait_seconds s"
    sleep 1
  done
  for name in $(kubectl -n "$namespace" get deployments -o jsonpath='{.items[*].metadata.name}'); do
    wait_for "$namespace" deployment "$name" condition=Available
  done
}

# explain NAMESPACE KIND NAME: what its conditions, the pods around it and the last warnings say.
explain() {
  say "  conditions:"
  kubectl -n "$1" get "$2" "$3" --ignore-not-found \
    -o jsonpath='{range .status.conditions[*]}    {.type}={.status} {.reason} {.message}{"\n"}{end}' >&2 || true
  say "  pods that wait:"
  kubectl -n "$1" get pods -o jsonpath='{range .items[*]}{.metadata.name}{": "}{.status.phase}{range .status.conditions[?(@.status=="False")]}{" "}{.reason}{" "}{.message}{end}{range .status.containerStatuses[*]}{" "}{.state.waiting.reason}{" "}{.state.waiting.message}{end}{"\n"}{end}' 2>/dev/null |
    grep -v ': \(Running\|Succeeded\) *$' | sed 's/^/    /' >&2 || true
  say "  last warnings:"
  kubectl -n "$1" get events --field-selector type=Warning --sort-by=.lastTimestamp \
    -o jsonpath='{range .items[*]}    {.involvedObject.kind}/{.involvedObject.name}: {.message}{"\n"}{end}' 2>/dev/null |
    tail -n 5 >&2 || true
}

# has_kind NAME: is this definition (plural.group) established?
has_kind() { kubectl get crd "$1" >/dev/null 2>&1; }

# uses_istio: does the mesh carry the traffic, by the settings?
uses_istio() { [ "$(setting components.istio.enabled)" = true ] && [ "$(setting phase)" = 3 ]; }

# gateway_class: the one that the settings ask for.
gateway_class() {
  if uses_istio; then setting components.istio.gateway_class; else setting components.envoy_gateway.gateway_class; fi
}

# for_class CLASS: standard input, a manifest written for Envoy Gateway, for this class. Istio makes the gateway's Service
# in the Gateway's namespace, by the name of both.
for_class() {
  if [ "$1" = eg ]; then cat; else
    sed -e "s/^\( *- class:\) eg\$/\1 $1/" \
      -e "s#service: envoy-gateway-system/\(knative-[a-z-]*gateway\)\$#service: knative-serving/\1-$1#"
  fi
}

# dispatcher_kind: native or camel; nothing else, or there would be none.
dispatcher_kind() {
  local kind
  kind=$(setting dispatcher.kind)
  case $kind in native | camel) printf '%s\n' "$kind" ;; *) die "$config: dispatcher.kind is native or camel, not '$kind'" ;; esac
}

# kafka_bootstrap: the name of Kafka's Service, as the settings have it; manifests say events-kafka-kafka-bootstrap.kafka.svc.
kafka_bootstrap() {
  printf '%s-kafka-bootstrap.%s.svc\n' "$(setting components.strimzi.kafka_cluster_name)" "$(setting components.strimzi.namespace)"
}

# camel_dispatcher: the Integration, for the namespace and the Kafka of the settings.
camel_dispatcher() {
  sed -e "s/^  namespace: eventing-demo\$/  namespace: $(setting components.data_plane.namespace)/" \
    -e "s/events-kafka-kafka-bootstrap\.kafka\.svc/$(kafka_bootstrap)/" "$deploy/platform/camel-k/manifests/dispatcher.yaml"
}

# remove_camel_dispatcher: the Integration, and until its pods are gone.
remove_camel_dispatcher() {
  has_kind integrations.camel.apache.org || return 0
  local home
  home=$(setting components.data_plane.namespace)
  kubectl -n "$home" delete integration camel-dispatcher --ignore-not-found --timeout="${wait_seconds}s" >&2
  wait_gone "$home" camel.apache.org/integration=camel-dispatcher
}

# wait_gone NAMESPACE SELECTOR: until no such pod is there.
wait_gone() {
  kubectl -n "$1" wait --for=delete pod -l "$2" --timeout="${wait_seconds}s" >/dev/null ||
    die "pods of $2 in $1 are still there after $wait_seconds s"
}

# asked OPTION ARGUMENT…: is the option among the arguments?
asked() {
  local option=$1 argument
  shift
  for argument in "$@"; do [ "$argument" != "$option" ] || return 0; done
  return 1
}

# delete_crds GROUP…: the definitions of these API groups, and with them all objects of their kinds.
delete_crds() {
  local group names
  for group in "$@"; do
    names=$(kubectl get crds -o name | grep -E "[./]$group\$" || true)
    # shellcheck disable=SC2086 # one word a name
    [ -z "$names" ] || kubectl delete --ignore-not-found --wait=false $names >&2
  done
}

# regenerate [OPTION…]: what the component's own templates give, into its deployment/. Its manifests lie there to be read as they
# are; the charts that it depends on are rendered by Helm at the time of installation.
regenerate() {
  local work
  work=$(mktemp -d)
  mkdir -p "$folder/deployment"
  (
    trap 'rm -rf "$work"' EXIT
    cp -r "$folder/helm" "$work/chart"
    # Helm refuses to render a chart whose dependencies are missing.
    sed -i '/^dependencies:/,$d' "$work/chart/Chart.yaml"
    helm template "$release" "$work/chart" --namespace "$namespace" "$@" >"$folder/deployment/rendered.yaml"
    grep -q . "$folder/deployment/rendered.yaml" || rm "$folder/deployment/rendered.yaml"
  )
  rmdir "$folder/deployment" 2>/dev/null || say "rendered: $folder/deployment/rendered.yaml"
}
