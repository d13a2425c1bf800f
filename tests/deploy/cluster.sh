#!/usr/bin/env bash
# The scripts of deploy/ against a real API server with a real helm: everything comes up, twice, goes down, twice, and what
# does not become ready is named. Controllers are absent: harness/pretend.py writes their statuses. Charts of other people
# are stand-ins (harness/stubs.py).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/harness/lib.sh"

out=$work/cluster
rm -rf "$out"
mkdir -p "$out/charts"
for chart in "$repo"/deploy/platform/*/helm; do python "$harness/stubs.py" "$chart" "$out/charts"; done
export CHARTS_DIR=$out/charts

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

succeeds() {
  "$@" >"$out/log" 2>&1 || {
    cat "$out/log" >&2
    die "it failed: $*"
  }
}

# setup_as FILE SED…: a config.yaml with other values.
config_with() {
  local file=$1
  shift
  # There is no Rook: chart_install.sh tries the scripts of the object store.
  sed -e '/^  ceph:/,/^  knative:/ s/enabled: true/enabled: false/' "$@" "$repo/deploy/config.yaml" >"$file"
}

# pretending COMMAND…: while the absent controllers are stood in for; SPARED names kinds that they leave alone.
pretending() (
  alive=$out/alive-$BASHPID
  mkfifo "$alive"
  read -ra spared <<<"${SPARED:-}"
  "$repo/scripts/python.sh" "$harness/pretend.py" "${spared[@]}" <"$alive" >>"$out/pretend.log" 2>&1 7>&- &
  # It ends when this is closed, however this shell ends.
  exec 8>"$alive"
  "$@" 8>&-
)

until_established() { kubectl wait --for=condition=Established "crd/$1" --timeout=30s >/dev/null; }

# service_types GATEWAY=TYPE…: as Istio is told to make their Services.
service_types() {
  local pair seen
  for pair in "$@"; do
    seen=$(kubectl -n knative-serving get gateway "${pair%=*}" -o jsonpath='{.metadata.annotations.networking\.istio\.io/service-type}')
    [ "$seen" = "${pair#*=}" ] || die "the Service of ${pair%=*} would be '$seen'"
  done
}

what_is_there() {
  for namespace in $(kubectl get namespaces -o jsonpath='{.items[*].metadata.name}'); do
    helm list -n "$namespace" -q
  done | sort | tr '\n' ' '
}

trials() {
  kubectl create namespace rook-ceph >/dev/null
  kubectl apply -f - >/dev/null <<'TEXT'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard}
provisioner: test
TEXT
  # The Prometheus operator is there already; what Knative's operator would define is not made by anybody.
  for crd in "$CRDS_DIR"/prometheus-operator/*.yaml "$CRDS_DIR"/knative-serving/*.yaml; do kubectl create -f "$crd" >/dev/null; done
  config_with "$out/config.yaml" -e 's/wait_seconds: .*/wait_seconds: 30/' -e 's/\(storage_class:\) .*/\1 standard/' \
    -e '/^  data_plane:/,$ s/enabled: true/enabled: false/' -e '/^  camel_k:/,/^  istio:/ s/enabled: false/enabled: true/' \
    -e '/^  keda:/,/^  camel_k:/ s/enabled: false/enabled: true/' -e 's/^  kind: native/  kind: camel/'
  export DEPLOY_CONFIG=$out/config.yaml
  cd "$repo" || exit

  # The preflight.
  fails "have 0 m and 0 MiB left" deploy/up.sh
  kubectl create -f - >/dev/null <<'TEXT'
apiVersion: v1
kind: Node
metadata: {name: node-1}
TEXT
  kubectl patch node node-1 --subresource=status --type=merge \
    -p '{"status": {"allocatable": {"cpu": "21", "memory": "36Gi"}, "capacity": {"cpu": "21", "memory": "36Gi"}}}' >/dev/null
  config_with "$out/other.yaml" -e 's/\(storage_class:\) .*/\1 gold/'
  DEPLOY_CONFIG=$out/other.yaml fails "storage class gold is not there, but: standard" deploy/up.sh
  config_with "$out/other.yaml" -e 's/\(storage_class:\) .*/\1 standard/' -e 's/kubernetes: .*/kubernetes: 1.99/'
  DEPLOY_CONFIG=$out/other.yaml fails "1.99 or newer is needed" deploy/up.sh
  config_with "$out/other.yaml" -e 's/\(storage_class:\) .*/\1 standard/' -e 's/^phase: .*/phase: 3/'
  DEPLOY_CONFIG=$out/other.yaml fails "set components.istio.enabled: true" deploy/up.sh
  config_with "$out/other.yaml" -e 's/\(storage_class:\) .*/\1 standard/' -e '/^  ceph:/,/^  knative:/ s/enabled: false/enabled: true/'
  DEPLOY_CONFIG=$out/other.yaml fails "no cephbuckettopics.ceph.rook.io: install Rook" deploy/up.sh
  # Its pods wait for keys that only the object store's step copies.
  [ "$(sed -n 's/^ *install *\(ceph\|data_plane\) .*/\1/p' "$out/log" | tr '\n' ' ')" = "ceph data_plane " ] ||
    die "the object store does not come right before the data plane"
  printf 'phase: [2]\nlist:\n  - 1\n' >"$out/other.yaml"
  DEPLOY_CONFIG=$out/other.yaml fails "not of the form" deploy/up.sh
  passed "the preflight names what is missing"

  # A plan changes nothing.
  succeeds deploy/up.sh --dry-run
  grep -q 'install *strimzi *0.50.0 *namespace kafka' "$out/log" || die "the plan does not say what it would install"
  [ -z "$(what_is_there)" ] || die "a plan changed the cluster"
  passed "a plan changes nothing"

  # What is not ready is named, with its reason, and the way to go on.
  sed -i 's/wait_seconds: .*/wait_seconds: 3/' "$out/config.yaml"
  SPARED=Kafka fails "kafka/events-kafka in kafka is not there yet (condition=Ready) after 3 s" pretending deploy/up.sh
  grep -q 'go on with: deploy/up.sh --from strimzi' "$out/log" || die "it does not say how to go on"
  kubectl -n kafka patch kafka events-kafka --subresource=status --type=merge \
    -p '{"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NoVolume", "message": "the class is full"}]}}' >/dev/null
  SPARED=Kafka fails "Ready=False NoVolume the class is full" pretending deploy/up.sh --from strimzi --skip-preflight
  fails "Kafka events-kafka is not Ready" deploy/platform/knative/scripts/build.sh
  passed "what does not become ready is named"

  # All of it, from where it stopped; and once more.
  sed -i 's/wait_seconds: .*/wait_seconds: 60/' "$out/config.yaml"
  succeeds pretending deploy/up.sh --from strimzi
  local all="camel-k eg event-ingest-monitoring keda knative-operator spark-operator strimzi "
  [ "$(what_is_there)" = "$all" ] || die "installed is: $(what_is_there)"
  [ "$(kubectl -n kafka get kafkanodepool dual-role -o jsonpath='{.spec.storage.volumes[0].class}')" = standard ] ||
    die "the volume is not of the configured class"
  succeeds pretending deploy/up.sh
  [ "$(what_is_there)" = "$all" ] || die "installed is, the second time: $(what_is_there)"
  passed "up, and up again"

  # The data plane, and the one dispatcher or the other.
  for folder in knative-eventing knative-eventing-kafka-broker; do
    PYTHONPATH=$harness python -c 'import sys, api; api.install_crds(api.Api(), sys.argv[1])' "$CRDS_DIR/$folder"
  done
  sed -i -e '/^  data_plane:/,$ s/enabled: false/enabled: true/' -e 's/wait_seconds: .*/wait_seconds: 3/' "$out/config.yaml"
  sed 's/^  kind: camel/  kind: cammel/' "$out/config.yaml" >"$out/other.yaml"
  DEPLOY_CONFIG=$out/other.yaml fails "dispatcher.kind is 'cammel'" deploy/up.sh --only data_plane
  DEPLOY_CONFIG=$out/other.yaml fails "native or camel, not 'cammel'" deploy/up.sh --only data_plane --skip-preflight
  sed 's/^  kind: camel/  kind: native/' "$out/config.yaml" >"$out/other.yaml"
  for spared in KafkaTopic Service KafkaSource; do
    DEPLOY_CONFIG=$out/other.yaml SPARED=$spared fails "is not there yet (condition=Ready) after 3 s" pretending deploy/up.sh --only data_plane
    grep -qi "^error: $spared\..*/.* in \(eventing-demo\|kafka\)" "$out/log" || die "it does not name the $spared: $(cat "$out/log")"
    # What became Ready does not stay so for the next kind.
    succeeds deploy/platform/data-plane/scripts/destroy.sh
    kubectl -n kafka delete kafkatopics --all >/dev/null
  done
  sed -i 's/wait_seconds: .*/wait_seconds: 60/' "$out/config.yaml" "$out/other.yaml"
  dispatchers() { kubectl -n eventing-demo get deployment/dispatcher integration/camel-dispatcher --ignore-not-found -o name | tr '\n' ' '; }
  succeeds pretending deploy/up.sh --only data_plane
  [ "$(dispatchers)" = "integration.camel.apache.org/camel-dispatcher " ] || die "with camel there are: $(dispatchers)"
  DEPLOY_CONFIG=$out/other.yaml succeeds pretending deploy/up.sh --only data_plane
  [ "$(dispatchers)" = "deployment.apps/dispatcher " ] || die "with native there are: $(dispatchers)"
  succeeds pretending deploy/up.sh --only data_plane
  succeeds deploy/platform/data-plane/scripts/destroy.sh
  [ -z "$(dispatchers)" ] || die "down left: $(dispatchers)"
  passed "the data plane is waited for, and never has both dispatchers"

  # Istio takes over: the Gateways stay and change their class, Envoy Gateway goes.
  sed -i -e 's/^phase: .*/phase: 3/' -e '/^  istio:/,$ s/enabled: false/enabled: true/' "$out/config.yaml"
  sed -i -e '/^  data_plane:/,$ s/enabled: true/enabled: false/' -e 's/service_type: ClusterIP/service_type: LoadBalancer/' "$out/config.yaml"
  succeeds pretending deploy/up.sh
  [ "$(kubectl -n knative-serving get gateway knative-gateway -o jsonpath='{.spec.gatewayClassName}{.spec.infrastructure}')" = istio ] ||
    die "the Gateway did not change its class"
  service_types knative-gateway=LoadBalancer knative-local-gateway=ClusterIP
  kubectl -n knative-serving get knativeserving knative-serving -o jsonpath='{.spec.config.gateway}' >"$out/gateways"
  grep -q 'knative-serving/knative-gateway-istio' "$out/gateways" || die "Serving does not know the gateway of Istio"
  ! grep -q 'envoy-gateway-system' "$out/gateways" || die "Serving still names Envoy Gateway"
  [[ " $(what_is_there)" != *" eg "* ]] || die "Envoy Gateway is still there"
  succeeds pretending deploy/up.sh
  kubectl -n knative-serving get gateway knative-local-gateway >/dev/null || die "the Gateway is gone"
  passed "Istio in place of Envoy Gateway"

  # Down keeps data, definitions and Gateways; and once more.
  succeeds deploy/down.sh
  [ -z "$(what_is_there)" ] || die "still installed: $(what_is_there)"
  kubectl -n kafka get kafka events-kafka >/dev/null || die "down took the Kafka cluster away"
  kubectl -n knative-serving get gateway knative-gateway >/dev/null || die "down took the Gateway away"
  kubectl get crd kafkas.kafka.strimzi.io >/dev/null || die "down took definitions away"
  succeeds deploy/down.sh
  # What others have, where none of our releases is, stays.
  kubectl create -f "$CRDS_DIR/keda/scaledobjects.keda.sh.yaml" >/dev/null 2>&1 || true
  until_established scaledobjects.keda.sh
  kubectl label namespace default istio-injection=enabled >/dev/null
  kubectl apply -f - >/dev/null <<'TEXT'
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: theirs, namespace: default}
spec: {scaleTargetRef: {name: theirs}, triggers: [{type: cron, metadata: {}}]}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
---
apiVersion: operator.knative.dev/v1beta1
kind: KnativeServing
metadata: {name: theirs, namespace: knative-serving}
TEXT
  succeeds deploy/down.sh
  kubectl -n default get scaledobject theirs >/dev/null || die "down took a ScaledObject of others"
  kubectl -n istio-system get peerauthentication default >/dev/null || die "down took a policy of another mesh"
  kubectl -n knative-serving get knativeserving theirs >/dev/null || die "down took another Serving"
  [ "$(kubectl get namespace default -o jsonpath='{.metadata.labels.istio-injection}')" = enabled ] ||
    die "down took a label of another mesh"
  kubectl label namespace default istio-injection- >/dev/null
  passed "down leaves alone what others installed"
  succeeds deploy/down.sh --delete-data --delete-gateways --delete-crds
  # Each goes after the objects of its kind.
  for _ in $(seq 50); do
    left=$(kubectl get crds -o name | grep -E 'strimzi|knative|sparkoperator|camel|istio' || true)
    [ -n "$left" ] || break
    sleep 0.2
  done
  [ -z "$left" ] || die "definitions are still there: $left"
  succeeds deploy/down.sh --delete-data --delete-gateways --delete-crds
  passed "down, and down again"

  # Istio from scratch: nobody has brought the Gateway API along.
  config_with "$out/other.yaml" -e 's/wait_seconds: .*/wait_seconds: 60/' -e 's/\(storage_class:\) .*/\1 standard/' \
    -e 's/^phase: .*/phase: 3/' -e '/^  istio:/,/^  data_plane:/ s/enabled: false/enabled: true/' \
    -e '/^  data_plane:/,$ s/enabled: true/enabled: false/' -e '/^  spark_operator:/,/^  keda:/ s/enabled: true/enabled: false/'
  export DEPLOY_CONFIG=$out/other.yaml GATEWAY_API=$out/gateway-api.yaml
  for crd in "$CRDS_DIR"/gateway-api/*.yaml; do
    printf -- '---\n'
    cat "$crd"
  done >"$GATEWAY_API"
  succeeds pretending deploy/up.sh
  [ "$(what_is_there)" = "istio knative-operator strimzi " ] || die "installed is: $(what_is_there)"
  [ "$(kubectl -n knative-serving get gateway knative-gateway -o jsonpath='{.spec.gatewayClassName}')" = istio ] ||
    die "there is no Gateway of Istio"
  service_types knative-gateway=ClusterIP knative-local-gateway=ClusterIP
  passed "Istio from scratch"
}

with_api trials
