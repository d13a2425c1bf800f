#!/usr/bin/env bash
# Camel K's operator and its platform. The alternative dispatcher comes with the data plane, once the native one is gone.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "${BASH_SOURCE[0]}")/../../../lib.sh"
component camel_k

has_kind services.serving.knative.dev || die "Knative Serving is not there: run deploy/up.sh --only knative"
[ -n "$(kubectl -n "$(setting components.strimzi.namespace)" get kafka -o name 2>/dev/null)" ] ||
  die "there is no Kafka: run deploy/up.sh --only strimzi"

make_namespace "$namespace"
install
wait_deployments "$namespace"
# The registry is where Integrations are built into; without one they stay in phase `Building Kit`.
apply - < <(sed -e "s/^\( *address:\) .*/\1 $(of registry)/" -e "s/^\( *insecure:\) .*/\1 $(of registry_insecure)/" \
  "$folder/manifests/integration-platform.yaml")
wait_for "$namespace" integrationplatform camel-k jsonpath='{.status.phase}'=Ready
